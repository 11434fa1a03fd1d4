import HostInterface
import TargetCore

/// The requests of ietadm(8) that are safe: each names what it is about, since a request without that stops all
/// targets (`--op delete`) or makes one without a name.
enum Ietadm {
  /// How long a request may take; a device that hangs can hold up ietd for ever.
  static let limit = Duration.seconds(10)

  private static func request(_ words: Text...) -> Command {
    Command(["ietadm", "--op"] + words, limit: limit)
  }

  static func newTarget(_ tid: UInt32, _ name: TargetName) -> Command {
    request("new", "--tid=\(tid)", "--params", "Name=\(name)")
  }

  static func deleteTarget(_ tid: UInt32) -> Command { request("delete", "--tid=\(tid)") }

  static func update(_ tid: UInt32, _ settings: [(key: String, value: String)]) -> Command {
    request(
      "update", "--tid=\(tid)", "--params",
      Text(settings.map { "\($0.key)=\($0.value)" }.joined(separator: ",")))
  }

  /// The five settings of a target.
  static func showTarget(_ tid: UInt32) -> Command { request("show", "--tid=\(tid)") }

  /// The session parameters that new sessions of a target begin with.
  static func showParameters(_ tid: UInt32) -> Command { request("show", "--tid=\(tid)", "--sid=0") }

  static func newUnit(_ tid: UInt32, _ lun: LUN, _ parameters: String) -> Command {
    request("new", "--tid=\(tid)", "--lun=\(lun)", "--params", Text(parameters))
  }

  static func deleteUnit(_ tid: UInt32, _ lun: LUN) -> Command {
    request("delete", "--tid=\(tid)", "--lun=\(lun)")
  }

  static func deleteConnection(_ tid: UInt32, _ sid: UInt64, _ cid: UInt32) -> Command {
    request("delete", "--tid=\(tid)", "--sid=\(sid)", "--cid=\(cid)")
  }

  /// The names of accounts; those of discovery without a target.
  static func showUsers(_ tid: UInt32?) -> Command {
    guard let tid else { return request("show", "--user") }
    return request("show", "--tid=\(tid)", "--user")
  }

  /// One account with its secret.
  static func showUser(_ tid: UInt32?, _ direction: CHAPDirection, _ user: CHAPUser) -> Command {
    let name: Text = "\(key(direction))=\(user)"
    guard let tid else { return request("show", "--user", "--params", name) }
    return request("show", "--tid=\(tid)", "--user", "--params", name)
  }

  /// IET takes a secret from the command line only, where every user of the machine can read it for a moment.
  static func newUser(_ tid: UInt32?, _ direction: CHAPDirection, _ user: CHAPUser, _ secret: Secret)
    -> Command
  {
    let account: Text = "\(key(direction))=\(user),Password=\(secret)"
    guard let tid else { return request("new", "--user", "--params", account) }
    return request("new", "--tid=\(tid)", "--user", "--params", account)
  }

  static func deleteUser(_ tid: UInt32?, _ direction: CHAPDirection, _ user: CHAPUser) -> Command {
    let name: Text = "\(key(direction))=\(user)"
    guard let tid else { return request("delete", "--user", "--params", name) }
    return request("delete", "--tid=\(tid)", "--user", "--params", name)
  }

  /// The word for a direction, as ietadm and ietd.conf have it.
  static func key(_ direction: CHAPDirection) -> String {
    direction == .incoming ? "IncomingUser" : "OutgoingUser"
  }
}

/// Whether a target has sessions: the line behind its own in the list of sessions is indented then.
enum SessionCheck {
  static func command(_ tid: UInt32, _ name: TargetName) -> Command {
    Command(
      ["grep", "-xF", "-A1", "tid:\(tid) name:\(name)", Text(IETBackend.sessionFile)], limit: Ietadm.limit)
  }

  static func verdict(_ result: CommandResult, of command: Command) -> Verdict {
    let subject = command.argv.count > 3 ? command.argv[3].display : "target"
    switch result.status {
    case 0:
      let text = String(decoding: result.output, as: UTF8.self)
      let lines = text.split(separator: "\n")
      guard lines.first.map(String.init) == subject else {
        return .failed(
          Failure(.garbled, subject, "grep answers something else", answer: ISCSIName.printable(text)))
      }
      guard lines.dropFirst().contains(where: { $0.hasPrefix("\t") }) else { return .done }
      return .busy(
        Failure(
          .inUse, subject, "initiators are still logged in",
          remedy: "run the command again; see `quartet session list` for who came back"))
    // The target is not in the list: it has no sessions either.
    case 1: return .done
    default:
      return .failed(
        Failure(.unavailable, IETBackend.sessionFile, "cannot be read", answer: result.errors.trimmed))
    }
  }
}
