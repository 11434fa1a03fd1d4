import Glibc
import HostInterface
import LinuxBlockDevices
import Testing

/// A pipe: one end is readable when something was written to the other.
private final class Pipe {
  let output: Int32
  private let input: Int32

  init() throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    (output, input) = (ends[0], ends[1])
  }

  deinit {
    close(input)
    close(output)
  }

  func put() { write(input, "x", 1) }
  func take() {
    var byte: UInt8 = 0
    read(output, &byte, 1)
  }
}

@Suite struct DescriptorWatchTests {
  let loop: AIOLoop
  init() throws { loop = try AIOLoop(depth: 8) }

  /// Lets some turns of the loop pass.
  private func turns(_ milliseconds: Int = 5) throws {
    var isOver = false
    loop.schedule(after: .milliseconds(milliseconds)) { isOver = true }
    try loop.run { isOver }
  }

  @Test func theBodyIsCalledWheneverThereIsSomethingToRead() throws {
    let pipe = try Pipe()
    var calls: [PollEvents] = []
    let watch = loop.watch(pipe.output, for: .input) {
      calls.append($0)
      pipe.take()
    }
    try turns()
    #expect(calls.isEmpty)
    for expected in 1...3 {
      pipe.put()
      try loop.run { calls.count == expected }
      #expect(calls.last == .input)
    }
    watch.cancel()
    pipe.put()
    try turns()
    #expect(calls.count == 3)
  }

  @Test func whatIsNotReadIsToldAgain() throws {
    let pipe = try Pipe()
    pipe.put()
    var calls = 0
    let watch = loop.watch(pipe.output, for: .input) { _ in calls += 1 }
    try loop.run { calls > 5 }
    watch.cancel()
    // Nothing is left in the kernel, and the loop says so.
    #expect(throws: Failure.self) { try loop.run { false } }
  }

  @Test func whatIsWaitedForChangesWhileItIsWaitedFor() throws {
    var ends: [Int32] = [0, 0]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
    defer { for end in ends { close(end) } }
    var found: PollEvents = []
    let watch = loop.watch(ends[0], for: .input) { found.formUnion($0) }
    try turns()
    #expect(found.isEmpty)
    watch.events = [.input, .output]
    try loop.run { !found.isEmpty }
    #expect(found == .output)
    watch.events = []
    try turns()
    found = []
    write(ends[1], "x", 1)
    try turns()
    #expect(found.isEmpty)
    watch.events = .input
    try loop.run { !found.isEmpty }
    #expect(found == .input)
    shutdown(ends[1], Int32(SHUT_RDWR))
    try loop.run { found.contains(.hangUp) }
    watch.cancel()
  }

  @Test func moreDescriptorsThanTheKernelHoldsAreWaitedForInTurn() throws {
    var calls = 0
    var watches: [DescriptorWatch] = []
    let pipes = try (0..<20).map { _ in try Pipe() }
    for pipe in pipes {
      pipe.put()
      watches.append(
        loop.watch(pipe.output, for: .input) { _ in
          calls += 1
          pipe.take()
        })
    }
    try loop.run { calls == 20 }
    for watch in watches { watch.cancel() }
  }

  /// As libnbd does it, which closes its socket itself: the next descriptor has the same number.
  @Test func aWatchOfADescriptorThatWasClosedHarmsNoOther() throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    let former = loop.watch(ends[0], for: .input) { _ in }
    defer { for end in ends { close(end) } }
    let new = try Pipe()
    // Closes what the number stood for.
    try #require(dup2(new.output, ends[0]) == ends[0])
    var calls = 0
    let watch = loop.watch(ends[0], for: .input) { _ in
      calls += 1
      new.take()
    }
    former.cancel()
    new.put()
    try loop.run { calls == 1 }
    watch.cancel()
  }

  @Test func aDescriptorThatCannotBeWaitedForIsToldOnce() throws {
    var calls: [PollEvents] = []
    let watch = loop.watch(-1, for: .input) { calls.append($0) }
    try loop.run { !calls.isEmpty }
    try turns()
    #expect(calls == [.error])
    watch.cancel()
  }
}
