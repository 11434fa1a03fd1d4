import HostInterface
import TargetCore
import Testing

@testable import STGTBackend

/// What tgtd's and tgtadm's answers mean.
@Suite struct JudgeTests {
  private let backend = STGTBackend(channel: Channel(), portals: [])

  /// `enum tgtadm_errno` of tgt's usr/tgtadm_error.h: number, what tgtadm prints, what it means.
  static let errors: [(number: UInt32, text: String, code: Failure.Code)] = [
    (1, "unknown error", .refused), (2, "out of memory", .refused),
    (3, "can't find the driver", .unavailable),
    (4, "can't find the target", .notFound), (5, "can't find the logical unit", .notFound),
    (6, "can't find the session", .notFound), (7, "can't find the connection", .notFound),
    (8, "can't find the binding", .notFound), (9, "this target already exists", .exists),
    (10, "this logical unit number already exists", .exists), (11, "this binding already exists", .exists),
    (12, "this access control rule already exists", .exists),
    (13, "this access control rule does not exist", .notFound), (14, "this account already exists", .exists),
    (15, "can't find the account", .notFound), (16, "too many accounts", .refused),
    (17, "invalid request", .refused), (18, "this target already has an outgoing account", .exists),
    (19, "this target is still active", .inUse), (20, "this logical unit is still active", .inUse),
    (21, "this driver is busy", .inUse), (22, "this operation isn't supported", .refused),
    (23, "unknown parameter", .refused), (24, "this device has Prevent Removal set", .inUse),
  ]

  private func request(_ mode: ManagementRequest.Mode, _ operation: ManagementRequest.Operation)
    -> ManagementRequest
  {
    ManagementRequest(mode: mode, operation: operation, tid: 1)
  }

  private func reply(_ error: UInt32, _ text: String = "") -> Result<Answer, Failure> {
    let length = UInt32(8 + text.utf8.count)
    return .success(
      .reply(withUnsafeBytes(of: error) { Array($0) } + withUnsafeBytes(of: length) { Array($0) } + text.utf8)
    )
  }

  private func verdict(
    on request: ManagementRequest, by transport: STGTBackend.Transport = .socket,
    _ answer: Result<Answer, Failure>
  ) throws -> Verdict {
    backend.judge(try backend.operation(request, by: transport), answer)
  }

  @Test(arguments: errors) func errorsOfTheSocket(_ error: (number: UInt32, text: String, code: Failure.Code))
    throws
  {
    let verdict = try verdict(on: request(.target, .new), reply(error.number))
    try expect(verdict, is: error.code, error.text)
  }

  @Test(arguments: errors) func errorsOfTgtadm(_ error: (number: UInt32, text: String, code: Failure.Code))
    throws
  {
    let result = CommandResult(status: 22, errors: "tgtadm: \(error.text)\n")
    let verdict = try verdict(on: request(.target, .new), by: .tgtadm, .success(.command(result)))
    try expect(verdict, is: error.code, error.text)
  }

  private func expect(_ verdict: Verdict, is code: Failure.Code, _ text: String) throws {
    switch verdict {
    case .done: Issue.record("\(text) is taken for success")
    case .busy(let failure):
      #expect(code == .inUse && failure.code == .inUse, "\(text): \(failure.code)")
      #expect(failure.answer == text)
    case .failed(let failure):
      #expect(code != .inUse && failure.code == code, "\(text): \(failure.code)")
      #expect(failure.answer == text)
    }
  }

  @Test(arguments: [0, 1] as [UInt32]) func success(_ textLength: UInt32) throws {
    let text = String(repeating: "x", count: Int(textLength))
    guard case .done = try verdict(on: request(.target, .new), reply(0, text)) else {
      Issue.record("success is no success")
      return
    }
    let result = CommandResult(status: 0, output: Array(text.utf8))
    guard case .done = try verdict(on: request(.target, .new), by: .tgtadm, .success(.command(result))) else {
      Issue.record("success of tgtadm is no success")
      return
    }
  }

  @Test(arguments: [25, 26, 1000, UInt32.max]) func numbersThatNoVersionHas(_ number: UInt32) throws {
    guard case .failed(let failure) = try verdict(on: request(.target, .new), reply(number)) else {
      Issue.record("an unknown number is no failure")
      return
    }
    #expect(failure.code == .garbled && failure.problem.contains("\(number)"))
  }

  @Test func aReplyThatIsTooShortIsGarbled() throws {
    for count in 0..<8 {
      let answer = Result<Answer, Failure>.success(.reply([UInt8](repeating: 0, count: count)))
      guard case .failed(let failure) = try verdict(on: request(.target, .new), answer) else {
        Issue.record("\(count) bytes are no failure")
        continue
      }
      #expect(failure.code == .garbled)
    }
  }

  /// Taking back what another took back, or closing a connection that ended by itself, is success; for other
  /// requests it is a failure.
  @Test func whatIsGoneNeedNotGoAgain() throws {
    let pairs: [(ManagementRequest, Bool)] = [
      (request(.connection, .delete), true), (request(.target, .unbind), true),
      (request(.account, .unbind), true),
      (request(.target, .delete), false), (request(.device, .delete), false),
      (request(.account, .delete), false),
      (request(.device, .update), false),
    ]
    for (request, mayBeGone) in pairs {
      for error: UInt32 in [4, 7, 13, 15] {
        let isDone: Bool
        if case .done = try verdict(on: request, reply(error)) { isDone = true } else { isDone = false }
        #expect(isDone == mayBeGone, "\(request.mode) \(request.operation) answered with \(error)")
      }
    }
  }

  /// tgtadm exits with 0 when tgtd dies under its request, and with errno where there is none.
  @Test func deathsThatTgtadmTells() throws {
    let texts: [(status: Int32, text: String, code: Failure.Code)] = [
      (0, "tgtd closed the socket", .garbled), (0, "a partial response", .garbled),
      (107, "failed to send request hdr to tgt daemon, Transport endpoint is not connected", .unavailable),
      (111, "can't connect to tgtd", .unavailable), (1, "something new", .refused), (22, "", .refused),
    ]
    for (status, text, code) in texts {
      let result = CommandResult(status: status, errors: text.isEmpty ? "" : "tgtadm: \(text)\n")
      guard
        case .failed(let failure) = try verdict(
          on: request(.target, .new), by: .tgtadm, .success(.command(result)))
      else {
        Issue.record("\(text) is no failure")
        continue
      }
      #expect(failure.code == code, "\(text)")
    }
  }

  @Test func failuresOfTheHostStayWhatTheyAre() throws {
    for code in [Failure.Code.timedOut, .garbled, .permission, .interrupted] {
      let answer = Result<Answer, Failure>.failure(Failure(code, "socket", "did not work"))
      guard case .failed(let failure) = try verdict(on: request(.target, .new), answer) else {
        Issue.record("\(code) is no failure")
        continue
      }
      #expect(failure.code == code)
    }
    // A daemon that is just starting is waited for, where a step has the patience.
    let refused = Result<Answer, Failure>.failure(Failure(.unavailable, "socket", "nobody listens"))
    guard case .busy = try verdict(on: request(.system, .show), refused) else {
      Issue.record("a daemon that is starting is not waited for")
      return
    }
  }
}
