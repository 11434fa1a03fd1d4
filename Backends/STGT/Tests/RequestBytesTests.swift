import Glibc
import HostInterface
import LinuxHost
import Synchronization
import SystemPackage
import TargetCore
import Testing

@testable import STGTBackend

/// Quartet's requests against those that the installed tgtadm sends for the command that a dry run shows.
@Suite(.enabled(if: RealTgtd.isInstalled, RealTgtd.reason))
struct RequestBytesTests {
  @Test func everyRequestIsThatOfTgtadm() async throws {
    let sample = try SamplePlans()
    let questions: [ManagementRequest] = [
      ManagementRequest(mode: .system, operation: .show), ManagementRequest(mode: .target, operation: .show),
      ManagementRequest(mode: .target, operation: .show, tid: 7),
      ManagementRequest(mode: .portal, operation: .show), ManagementRequest(mode: .account, operation: .show),
      ManagementRequest(mode: .connection, operation: .show, tid: 7),
      ManagementRequest(mode: .target, operation: .stat, tid: 7),
    ]
    var requests = questions.map(sample.backend.channel.exchange)
    for (_, steps) in try sample.plans() {
      for operation in steps.flatMap({ [$0.operation] + $0.undo }) {
        guard case .exchange(let request) = operation else {
          Issue.record("no request: \(operation.display)")
          continue
        }
        requests.append(request)
      }
    }
    try #require(requests.count > 150)
    let listener = try RequestListener()
    for request in Set(requests) {
      let argv = try request.equivalent.argv.map { try $0.string([:]) }
      let result = try await LocalHost().run(
        argv, environment: ["TGT_IPC_SOCKET": listener.socket], input: [], limit: .seconds(60))
      let ours = request.header + (try request.body.bytes([:]))
      let theirs = listener.last
      #expect(result.status == 0 && result.errors.isEmpty, "\(request.equivalent.display): \(result.errors)")
      #expect(ours == theirs, "\(request.equivalent.display)")
    }
  }
}

/// A socket that keeps the last request and answers that all went well.
private final class RequestListener: Sendable {
  private let scratch: Scratch
  private let listener: Int32
  private let request = Mutex<[UInt8]>([])

  /// What `TGT_IPC_SOCKET` is to hold.
  var socket: String { scratch.path.appending("s").string }
  var last: [UInt8] { request.withLock { $0 } }

  init() throws {
    scratch = try Scratch()
    listener = try listenAt(scratch.path.appending("s.0"))
    let number = listener
    onThread { [weak self] in
      while true {
        let connection = accept(number, nil, nil)
        guard connection >= 0 else { return }
        var bytes = [UInt8](repeating: 0, count: 4096)
        // tgtadm sends the header and the text apart; the length of both stands in the header.
        var count = recv(connection, &bytes, 120, Int32(MSG_WAITALL))
        let length = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 72, as: UInt32.self) }
        if count == 120, length > 120, length <= 4096 {
          count += bytes.withUnsafeMutableBytes {
            recv(connection, $0.baseAddress.map { $0 + 120 }, Int(length) - 120, Int32(MSG_WAITALL))
          }
        }
        self?.keep(Array(bytes.prefix(max(0, count))))
        let reply: [UInt8] = [0, 0, 0, 0, 8, 0, 0, 0]
        send(connection, reply, reply.count, Int32(MSG_NOSIGNAL))
        close(connection)
      }
    }
  }

  deinit {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  private func keep(_ bytes: [UInt8]) { request.withLock { $0 = bytes } }
}
