import Glibc
import HostInterface
import LinuxHost
import Quartet
import Synchronization
import SystemPackage
import TargetCore
import Testing

@testable import STGTBackend

/// A tgtd that hangs, closes early, answers noise or is not there, on a real socket.
@Suite struct MisbehaviourTests {
  enum Conduct: String, CaseIterable, Sendable {
    case closesAtOnce, closesInTheHeader, closesInTheText, hangs, hangsInTheText, saysTooShort, saysTooLong
    case answersNoise
  }

  @Test(arguments: Conduct.allCases) func isToldForWhatItIs(_ conduct: Conduct) async throws {
    let daemon = try StubbornDaemon(conduct)
    let failure = try await #require(throws: Failure.self) { _ = try await daemon.implementation().read() }
    let code: Failure.Code = [.hangs, .hangsInTheText].contains(conduct) ? .timedOut : .garbled
    #expect(failure.code == code, "\(failure)")
    guard conduct != .answersNoise else { return }
    #expect(failure.subject == daemon.socket + ".0", "\(failure)")
    let probe = try await daemon.implementation().backend.probe(LocalHost())
    #expect(!probe.running, "\(probe)")
  }

  @Test func oneThatIsNotThereIsUnavailable() async throws {
    let scratch = try Scratch()
    let implementation = try Implementation(
      .stgt, settings: ["socket": scratch.path.appending("s").string], on: LocalHost())
    let failure = try await #require(throws: Failure.self) { _ = try await implementation.read() }
    #expect(failure.code == .unavailable)
  }

  @Test func aFileInPlaceOfTheSocketIsUnavailable() async throws {
    let scratch = try Scratch()
    try #require(truncateFile(scratch.path.appending("s.0"), 1))
    let implementation = try Implementation(
      .stgt, settings: ["socket": scratch.path.appending("s").string], on: LocalHost())
    let failure = try await #require(throws: Failure.self) { _ = try await implementation.read() }
    #expect([.unavailable, .refused].contains(failure.code), "\(failure)")
  }

  /// Of a run whose third request is never answered, the undoing does not wait once more for every step.
  @Test func aHangInTheMiddleIsWaitedForOnce() async throws {
    let daemon = try StubbornDaemon(.hangs, after: 3)
    let name = try TargetName("iqn.2011-12.com.example:disk1")
    let failure = try await #require(throws: Failure.self) {
      try await daemon.implementation().perform([
        .createTarget(name, id: nil), .allow(name, .all), .allow(name, Initiator("10.0.0.1")),
        .allow(name, Initiator("10.0.0.2")), .allow(name, Initiator("10.0.0.3")),
      ])
    }
    #expect(failure.code == .timedOut, "\(failure)")
    // One limit for the step that hung, one for the undoing, and one for seeing what is left.
    #expect(daemon.requestCount == 3 + 3)
    #expect(failure.leftovers.contains { $0.contains("--op delete --tid 1") }, "\(failure.leftovers)")
  }
}

/// Listens at a management socket, answers some requests with success, and then misbehaves.
private final class StubbornDaemon: Sendable {
  static let limit = Duration.milliseconds(300)

  private let scratch: Scratch
  private let listener: Int32
  private let requests: Requests

  private final class Requests: Sendable { let count = Atomic(0) }

  var socket: String { scratch.path.appending("s").string }
  var requestCount: Int { requests.count.load(ordering: .sequentiallyConsistent) }

  /// The backend with a short limit.
  func implementation() throws -> Implementation {
    var channel = Channel()
    (channel.socket, channel.limit) = (socket, Self.limit)
    let settled = channel
    let descriptor = BackendDescriptor(name: "tgt", summary: "") { _ in
      STGTBackend(channel: settled, portals: [])
    }
    return try Implementation(descriptor, on: LocalHost(lockDirectory: scratch.path.appending("lock")))
  }

  init(_ conduct: MisbehaviourTests.Conduct, after successes: Int = 0) throws {
    scratch = try Scratch()
    listener = try listenAt(scratch.path.appending("s.0"))
    let (listener, requests) = (listener, Requests())
    self.requests = requests
    onThread {
      var held: [Int32] = []
      while true {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { break }
        var request = [UInt8](repeating: 0, count: 4096)
        _ = recv(connection, &request, request.count, 0)
        let count = requests.count.add(1, ordering: .sequentiallyConsistent).newValue
        let bytes = count <= successes ? [0, 0, 0, 0, 8, 0, 0, 0] : conduct.bytes
        send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        if count > successes, [.hangs, .hangsInTheText].contains(conduct) {
          held.append(connection)
        } else {
          close(connection)
        }
      }
      held.forEach { close($0) }
    }
  }

  deinit {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }
}

extension MisbehaviourTests.Conduct {
  /// What comes before it closes, or hangs.
  fileprivate var bytes: [UInt8] {
    switch self {
    case .closesAtOnce, .hangs: []
    case .closesInTheHeader: [0, 0, 0, 0, 20]
    case .closesInTheText, .hangsInTheText: [0, 0, 0, 0, 20, 0, 0, 0, 65, 66]
    case .saysTooShort: [0, 0, 0, 0, 2, 0, 0, 0]
    case .saysTooLong: [0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]
    case .answersNoise: [0, 0, 0, 0, 14, 0, 0, 0] + "nonsense".utf8.prefix(6)
    }
  }
}
