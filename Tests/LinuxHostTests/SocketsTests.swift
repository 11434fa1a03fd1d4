import Glibc
import HostInterface
import LinuxHost
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(2))) struct SocketsTests {
  let host = LocalHost()
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private var path: FilePath { scratch.path.appending("socket") }

  private func exchange(_ request: [UInt8], limit: Duration = .seconds(30)) async throws -> [UInt8] {
    try await host.exchange(request, with: path, lengthOffset: 4, limit: limit)
  }

  private func failure(_ request: [UInt8] = [1], limit: Duration = .seconds(30)) async -> Failure? {
    await #expect(throws: Failure.self) { try await exchange(request, limit: limit) }
  }

  @Test func oneRequestOneReply() async throws {
    let daemon = try Daemon(path) { sendAll(reply(readExactly(3, from: $0).reversed()), to: $0) }
    #expect(try await exchange([1, 2, 3]) == reply([3, 2, 1]))
    #expect(try await exchange([4, 5, 6]) == reply([6, 5, 4]))
    withExtendedLifetime(daemon) {}
  }

  @Test func theReplyMayComeInPieces() async throws {
    let whole = reply([9, 8, 7])
    let daemon = try Daemon(path) { socket in
      _ = readExactly(1, from: socket)
      for byte in whole {
        sendAll([byte], to: socket)
        usleep(2000)
      }
    }
    #expect(try await exchange([1]) == whole)
    withExtendedLifetime(daemon) {}
  }

  @Test func repliesOfManyMebibytesArriveWhole() async throws {
    let text = [UInt8]((0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 / 7) })
    let daemon = try Daemon(path) { socket in
      _ = readExactly(1, from: socket)
      sendAll(reply(text), to: socket)
    }
    #expect(try await exchange([1]) == reply(text))
    withExtendedLifetime(daemon) {}
  }

  @Test func requestsOfManyMebibytesArriveWhole() async throws {
    let request = [UInt8](repeating: 7, count: 5_000_000)
    let daemon = try Daemon(path) { socket in
      let got = readExactly(request.count, from: socket)
      sendAll(reply(got == request ? [1] : [0]), to: socket)
    }
    #expect(try await exchange(request) == reply([1]))
    withExtendedLifetime(daemon) {}
  }

  @Test func whatComesBehindTheLengthIsDropped() async throws {
    let daemon = try Daemon(path) { socket in
      _ = readExactly(1, from: socket)
      sendAll(reply([1, 2]) + [3, 4], to: socket)
    }
    #expect(try await exchange([1]) == reply([1, 2]))
    withExtendedLifetime(daemon) {}
  }

  @Test func aReplyWithoutReadingTheRequestIsRead() async throws {
    let daemon = try Daemon(path) { sendAll(reply([5]), to: $0) }
    #expect(try await exchange([UInt8](repeating: 1, count: 2_000_000)) == reply([5]))
    withExtendedLifetime(daemon) {}
  }

  @Test func noDaemonIsUnavailable() async throws {
    let none = await failure()
    #expect(none?.code == .unavailable && none?.errno == .noSuchFileOrDirectory)
  }

  @Test func aSocketWithoutListenerIsUnavailable() async throws {
    let stale = scratch.path.appending("stale")
    do {
      let daemon = try Daemon(path, serve: nil)
      #expect(rename(path.string, stale.string) == 0)
      withExtendedLifetime(daemon) {}
    }
    let failure = await #expect(throws: Failure.self) {
      try await host.exchange([1], with: stale, lengthOffset: 4, limit: .seconds(30))
    }
    #expect(failure?.code == .unavailable && failure?.errno == .connectionRefused)
    #expect(failure?.problem == "no daemon listens there")
  }

  @Test func aDaemonThatDiesIsTold() async throws {
    let daemon = try Daemon(path) { _ = readExactly(1, from: $0) }
    let died = await failure()
    #expect(died?.code == .garbled)
    #expect(died?.problem == "the daemon closed the connection without an answer: it may have died")
    withExtendedLifetime(daemon) {}
  }

  @Test func aDaemonThatDiesBeforeTheRequestDoesNotKillUs() async throws {
    let daemon = try Daemon(path) { _ in }
    for _ in 0..<50 {
      #expect(await failure([UInt8](repeating: 1, count: 1_000_000))?.code == .garbled)
    }
    withExtendedLifetime(daemon) {}
  }

  @Test func aReplyCutShortIsGarbled() async throws {
    let daemon = try Daemon(path) { socket in
      _ = readExactly(1, from: socket)
      sendAll(Array(reply([1, 2, 3]).dropLast()), to: socket)
    }
    #expect(await failure()?.problem == "the daemon closed the connection after 10 of 11 bytes of its answer")
    withExtendedLifetime(daemon) {}
  }

  @Test(arguments: [0, 7, UInt32(64 << 20) + 1, .max])
  func anAbsurdLengthIsGarbled(_ length: UInt32) async throws {
    let daemon = try Daemon(path) { socket in
      _ = readExactly(1, from: socket)
      sendAll(reply([1], length: length), to: socket)
    }
    let absurd = await failure()
    #expect(absurd?.code == .garbled)
    #expect(absurd?.problem.contains(" \(length) bytes") == true)
    withExtendedLifetime(daemon) {}
  }

  @Test func aDaemonThatHangsTimesOut() async throws {
    let daemon = try Daemon(path) { _ = readExactly(2, from: $0) }
    let hung = await failure(limit: .milliseconds(100))
    #expect(hung?.code == .timedOut)
    #expect(hung?.description.contains(path.string) == true)
    #expect(hung?.problem == "the daemon did not answer within 0.1 seconds")
    withExtendedLifetime(daemon) {}
  }

  @Test func aDaemonThatDripsTimesOut() async throws {
    let daemon = try Daemon(path) { socket in
      _ = readExactly(1, from: socket)
      for byte in reply([UInt8](repeating: 0, count: 1000)) {
        sendAll([byte], to: socket)
        usleep(20_000)
      }
    }
    #expect(await failure(limit: .milliseconds(200))?.code == .timedOut)
    withExtendedLifetime(daemon) {}
  }

  @Test func aFullQueueTimesOut() async throws {
    let daemon = try Daemon(path, backlog: 0, serve: nil)
    var answers: [Failure?] = []
    for _ in 0..<3 { answers.append(await failure(limit: .milliseconds(50))) }
    #expect(answers.last??.problem == "the daemon did not take the connection within 0.05 seconds")
    #expect(answers.last??.code == .timedOut)
    withExtendedLifetime(daemon) {}
  }

  @Test func pathsThatFitNoSocketAreRefused() async throws {
    let long = FilePath("/" + String(repeating: "s", count: 107))
    let failure = await #expect(throws: Failure.self) {
      try await host.exchange([1], with: long, lengthOffset: 4, limit: .seconds(1))
    }
    #expect(failure?.code == .invalid)
    for offset in [-1, 5000, Int.max] {
      await #expect(throws: Failure.self) {
        try await host.exchange([1], with: path, lengthOffset: offset, limit: .seconds(1))
      }
    }
  }
}
