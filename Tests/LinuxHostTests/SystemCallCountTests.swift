import Glibc
import HostInterface
import SystemPackage
import Testing

@testable import LinuxHost

/// What strace sees this process do.
@Suite(.timeLimit(.minutes(2))) struct SystemCallCountTests {
  @Test func anExchangeIsSixSystemCalls() async throws {
    let scratch = try Scratch()
    let socket = scratch.path.appending("socket")
    let daemon = try Daemon(socket) { connection in
      _ = readExactly(120, from: connection)
      sendAll(reply([UInt8](repeating: 1, count: 1000)), to: connection)
    }
    let calls = try await traced(in: scratch) {
      _ = try? SocketExchange(path: socket, limit: .seconds(30)).exchange(
        [UInt8](repeating: 0, count: 120), lengthOffset: 4)
    }
    guard let calls else { return }
    #expect(calls == ["socket", "connect", "sendto", "poll", "recvfrom", "close"])
    withExtendedLifetime(daemon) {}
  }

  @Test func aWriteIsOneSystemCallOnADescriptorOfItsOwn() async throws {
    let scratch = try Scratch()
    let file = try scratch.file("file", "old")
    let host = LocalHost()
    let calls = try await traced(in: scratch) { try? host.write(Array("new".utf8), to: file) }
    guard let calls else { return }
    #expect(calls == ["openat", "write", "close"])
    #expect(try host.text(file) == "new")
  }

  /// Not four, as for a file whose end is not known.
  @Test func anAttributeIsThreeSystemCalls() async throws {
    let scratch = try Scratch()
    _ = try (scratch.file("one", "1\n"), scratch.file("two", "2\n"))
    let (host, folder) = (LocalHost(), scratch.path)
    let calls = try await traced(in: scratch) {
      _ = try? host.attributes(["one", "two", "three"], in: folder)
    }
    guard let calls else { return }
    #expect(
      calls == ["openat", "openat", "read", "close", "openat", "read", "close", "openat", "close"])
  }

  /// The system calls of the body's second run, without those for memory; nil where a thread cannot be traced.
  private func traced(in scratch: Scratch, _ body: @escaping @Sendable () -> Void) async throws -> [String]? {
    let host = LocalHost()
    guard host.executable("strace") != nil else {
      print("skipped: strace is not installed")
      return nil
    }
    let log = scratch.path.appending("log")
    let number = scratch.path.appending("thread")
    let done = scratch.path.appending("done")
    let marker = scratch.path.appending("marker").string
    onThread {
      let thread = (try? host.readLink("/proc/thread-self"))?.lastComponent?.string ?? ""
      try? host.replace(number, with: Array(thread.utf8), mode: 0o600)
      var patience = 10_000
      while patience > 0, (try? host.text("/proc/thread-self/status"))?.contains("TracerPid:\t0\n") == true {
        usleep(1000)
        patience -= 1
      }
      body()
      access(marker, F_OK)
      body()
      access(marker, F_OK)
      close(creat(done.string, 0o600))
    }
    try await host.waitForPath(number, exists: true, limit: .seconds(60))
    let strace = Task {
      try await host.run(
        ["strace", "-qq", "-o", log.string, "-p", host.text(number)], environment: [:], input: [],
        limit: .seconds(60))
    }
    try await host.waitForPath(done, exists: true, limit: .seconds(60))
    strace.cancel()
    _ = try? await strace.value
    let calls = try host.text(log).split(separator: "\n")
    guard !calls.isEmpty else {
      print("skipped: strace may not trace this process")
      return nil
    }
    let marks = calls.indices.filter { calls[$0].contains(marker) }
    try #require(marks.count == 2)
    return calls[(marks[0] + 1)..<marks[1]].compactMap { $0.split(separator: "(").first.map(String.init) }
      .filter { !["brk", "mmap", "munmap", "mprotect", "madvise"].contains($0) }
  }
}
