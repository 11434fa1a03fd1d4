import Glibc
import HostInterface
import SystemPackage
import Testing

@testable import LinuxHost

@Suite(.timeLimit(.minutes(2))) struct WaitingTests {
  let host = LocalHost()
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  @Test func whatIsThereIsNotWaitedFor() async throws {
    try await host.waitForPath(scratch.path, exists: true, limit: .zero)
    try await host.waitForPath("/dev/null", exists: true, limit: .zero)
    try await host.waitForPath("/dev/quartet-none", exists: false, limit: .zero)
  }

  @Test(arguments: [true, false])
  func theLimitEndsTheWait(_ exists: Bool) async throws {
    let path = exists ? scratch.path.appending("none") : scratch.path
    let failure = await #expect(throws: Failure.self) {
      try await host.waitForPath(path, exists: exists, limit: .milliseconds(30))
    }
    #expect(failure?.code == .timedOut && failure?.subject == path.string)
    #expect(
      failure?.problem == (exists ? "is not there after 0.03 seconds" : "is still there after 0.03 seconds"))
  }

  @Test func whatComesAndGoesIsSeen() async throws {
    let path = scratch.path.appending("file")
    let host = host
    async let seen: Void = host.waitForPath(path, exists: true, limit: .seconds(60))
    try await host.sleep(.milliseconds(20))
    _ = try scratch.file("file")
    try await seen
    async let gone: Void = host.waitForPath(path, exists: false, limit: .seconds(60))
    try await host.sleep(.milliseconds(20))
    try host.removeFile(path)
    try await gone
  }

  @Test func aCancelledTaskStopsWaiting() async throws {
    let path = scratch.path.appending("none")
    let host = host
    let wait = Task { try await host.waitForPath(path, exists: true, limit: .seconds(600)) }
    wait.cancel()
    #expect(await #expect(throws: Failure.self) { try await wait.value }?.code == .interrupted)
  }

  @Test func udevdTellsOfBlockDevices() async throws {
    guard LoopDevice.available, let events = try BlockDeviceEvents() else {
      print("skipped: needs root, loop devices and a running udevd")
      return
    }
    let loop = try LoopDevice(in: scratch, size: 1 << 20)
    // One call waits for 1 s at most.
    #expect((0..<30).contains { _ in events.waitForOne(atMost: .seconds(1)) })
    try await host.waitForPath(loop.path, exists: true, limit: .seconds(10))
    await #expect(throws: Failure.self) {
      try await host.waitForPath("/dev/quartet-none", exists: true, limit: .milliseconds(200))
    }
  }

  @Test(
    arguments: [
      (.zero, 0), (.nanoseconds(1), 1), (.milliseconds(5), 5), (.seconds(3), 3000), (.seconds(90), 60_000),
      (.seconds(Int64.max / 2), 60_000), (.seconds(-5), 0),
    ] as [(Duration, Int32)])
  func durationsAreRoundedUpForPoll(_ duration: Duration, _ milliseconds: Int32) {
    #expect(duration.milliseconds(atMost: 60_000) == milliseconds)
  }
}
