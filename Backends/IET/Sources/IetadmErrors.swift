import HostInterface
import SystemPackage
import TargetCore

/// What ietadm's exit status means: 256 less the error number, and for a connection the error number itself.
///
/// Most of what the kernel refuses ends as 255, `Operation not permitted`: the true error number is in ietd's log.
extension Ietadm {
  /// ECONNREFUSED: nobody listens.
  static let noDaemon: Int32 = 256 - Errno.connectionRefused.rawValue
  /// EIO: ietd closed the connection under the request.
  static let noAnswer: Int32 = 256 - Errno.ioError.rawValue

  /// What a request is about, by its words.
  private struct Request {
    var op: String
    var hasLUN = false
    var hasSession = false
    var hasUser = false
    var hasConnection = false
    var subject: String

    init(_ command: Command) {
      let words = command.argv.map(\.display)
      op = words.count > 2 ? words[2] : ""
      subject = command.display
      hasLUN = words.contains { $0.hasPrefix("--lun=") }
      hasSession = words.contains { $0.hasPrefix("--sid=") }
      hasUser = words.contains("--user")
      hasConnection = words.contains { $0.hasPrefix("--cid=") }
    }

    var isTarget: Bool { !hasLUN && !hasSession && !hasUser }
  }

  /// The failure that an answer tells of; nil when it tells of none.
  static func failure(_ result: CommandResult, of command: Command) -> Failure? {
    guard result.status != 0 else { return nil }
    let request = Request(command)
    let answer = result.errors.trimmed.isEmpty ? "exit status \(result.status)" : result.errors.trimmed
    func failure(_ code: Failure.Code, _ problem: String, _ remedy: String? = nil) -> Failure {
      Failure(code, request.subject, problem, answer: answer, remedy: remedy)
    }
    let log = "see ietd's log for the error number (journalctl -t ietd, journalctl -k)"
    switch result.status {
    case noDaemon:
      return failure(.unavailable, "ietd does not run", "start it: `quartet start -i iet`")
    case noAnswer:
      return failure(
        .garbled, "ietd closed the connection without a whole answer: it may have ended",
        "see whether it still runs; all its targets are gone if not")
    // Ended by SIGPIPE: ietd closes the socket on everyone but root.
    case 128 + 13: return failure(.permission, "ietd refused the caller", "run it as root")
    case Errno.noSuchFileOrDirectory.rawValue where request.hasConnection,
      Errno.fileExists.rawValue where request.hasConnection:
      return failure(.notFound, "there is no such session or connection")
    case Errno.invalidArgument.rawValue where request.hasConnection:
      return failure(.notFound, "there is no such target")
    case 256 - Errno.resourceBusy.rawValue:
      return failure(.inUse, "initiators are logged in", "close their sessions first")
    case 256 - Errno.noSuchFileOrDirectory.rawValue: return failure(.notFound, "there is no such object")
    case 256 - Errno.invalidArgument.rawValue where request.op == "new" && request.isTarget:
      return failure(
        .exists,
        "ietd has a target of this name already, in whatever case, although the kernel may not show it",
        "delete it by the number that it had (ietadm --op delete --tid=N), or start ietd anew")
    case 256 - Errno.invalidArgument.rawValue: return failure(.invalid, "ietadm does not take it")
    case 255 where request.op == "new" && request.isTarget:
      return failure(.exists, "the number or the name is taken", log)
    case 255 where request.op == "new" && request.hasLUN:
      return failure(
        .refused,
        "the kernel refused the logical unit: its number is taken or still in use, or its backing cannot be "
          + "opened that way (blockio needs a block device that nothing else holds)", log)
    case 255 where request.hasLUN: return failure(.notFound, "there is no such target or logical unit", log)
    case 255 where request.op != "new" && !request.hasUser:
      return failure(.notFound, "there is no such target", log)
    default: return failure(.refused, "failed with status \(result.status)", log)
    }
  }

  /// What the answer to a step means.
  static func verdict(_ result: CommandResult, of command: Command) -> Verdict {
    let request = Request(command)
    if let failure = failure(result, of: command) {
      // Gone already is what a removal wants.
      if request.op == "delete", failure.code == .notFound { return .done }
      switch failure.code {
      // A daemon that was just started is waited for; a number in use comes free when its last command ends. Only
      // steps with patience try again.
      case .unavailable where request.op == "show", .inUse: return .busy(failure)
      case .refused where request.op == "new" && request.hasLUN: return .busy(failure)
      default: return .failed(failure)
      }
    }
    // Only what shows something prints.
    guard !result.output.isEmpty else { return .done }
    let text = String(decoding: result.output, as: UTF8.self)
    if text.hasPrefix("IncomingUser ") || text.hasPrefix("OutgoingUser ") {
      let isOfTarget = command.argv.contains { $0.display.hasPrefix("--tid=") }
      return isOfTarget ? .failed(leftovers(text, request.subject)) : .done
    }
    return .failed(
      Failure(.garbled, request.subject, "ietadm answers something else", answer: ISCSIName.printable(text)))
  }

  /// Accounts at a number that no target has belong to the target that is made there next.
  private static func leftovers(_ text: String, _ subject: String) -> Failure {
    let users = text.split(separator: "\n").joined(separator: ", ")
    return Failure(
      .exists, subject, "the number has accounts without a target, which the new target would take over",
      answer: users,
      remedy:
        "delete them (ietadm --op delete --tid=N --user --params IncomingUser=NAME), or choose another number"
    )
  }
}
