/// One request to a host and its answer, as a line of a transcript.
///
/// Which fields an entry has depends on its `op`; fields that are not listed here are passed over.
public struct TranscriptEntry: Sendable, Hashable, Codable {
  /// What a file or a directory held.
  public enum Content: Sendable, Hashable {
    /// The text of a file, or where a link or program is.
    case text(String)
    /// The names in a directory, or who holds a device.
    case names([String])
  }

  /// What stat(2) told.
  public struct Status: Sendable, Hashable, Codable {
    var kind: String
    var size: UInt64
    var identity: String
  }

  /// What a failure told beyond its error number.
  public struct Problem: Sendable, Hashable, Codable {
    var code: String
    var subject: String
    var problem: String
    var answer: String?
    var remedy: String?
  }

  /// The number of the entry, from 1.
  public var seq: Int?
  /// The heading that the entry stands under.
  public var section: String?
  /// What was requested: `exec`, `exchange`, `write`, `replace`, `mkdir`, `rmdir`, `symlink`, `unlink`, `modprobe`;
  /// `read`, `list`, `status`, `readlink`, `which`, `lsmod`, `wait`, `holders`; or `note`.
  public var op: String
  /// A command; or the one name that `which`, `modprobe` and `lsmod` are about.
  public var argv: [String]?
  /// What was added to the command's environment.
  public var environment: [String: String]?
  /// What the command read.
  public var stdin: String?
  /// The command's exit status; absent where a signal ended it.
  public var exit: Int32?
  /// The name of the signal that ended the command.
  public var signal: String?
  /// What the command printed.
  public var stdout: String?
  /// What the command printed to standard error.
  public var stderr: String?
  /// The file, directory, link, device or socket.
  public var path: String?
  /// What a new link leads to.
  public var target: String?
  /// The mode of a new file, in octal.
  public var mode: String?
  /// What was written.
  public var data: String?
  /// What was read.
  public var result: Content?
  /// What stat(2) told; absent where nothing is.
  public var status: Status?
  /// Whether a module is loaded, or whether something was to be there after a wait.
  public var exists: Bool?
  /// The bytes sent to a socket, in hexadecimal digits.
  public var request: String?
  /// The bytes that came back, in hexadecimal digits.
  public var reply: String?
  /// The name of the error number, such as `EBUSY`, by itself or behind `open:`.
  public var errno: String?
  /// What else a failure told.
  public var failure: Problem?
  /// `hex` where `data`, `stdin`, `stdout` and a text `result` are hexadecimal digits, since they were no UTF-8.
  public var encoding: String?
  /// A remark.
  public var text: String?

  init(_ op: String, path: String? = nil) {
    self.op = op
    self.path = path
  }

  /// Whether the entry asks the host to do something, so that its place in the order counts.
  var isAction: Bool { Self.actions.contains(op) }

  private static let actions: Set = [
    "exec", "exchange", "write", "replace", "mkdir", "rmdir", "symlink", "unlink", "modprobe",
  ]

  /// The requests that have fields of their own; other recordings know more, whose fields may be anything.
  static let known = actions.union([
    "read", "list", "status", "readlink", "which", "lsmod", "wait", "holders", "note",
  ])
}

extension TranscriptEntry {
  /// The parts as text, all of them in hexadecimal digits where one is no UTF-8.
  mutating func encoded(_ parts: [[UInt8]]) -> [String] {
    let texts = parts.compactMap { String(validating: $0, as: UTF8.self) }
    if texts.count == parts.count { return texts }
    encoding = "hex"
    return parts.map(hexadecimal)
  }

  /// The bytes of a part; nil where its digits are none.
  func decoded(_ part: String) -> [UInt8]? {
    encoding == "hex" ? bytes(hexadecimal: part) : Array(part.utf8)
  }
}

extension TranscriptEntry.Content: Codable {
  /// Reads a text or a list of names.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let text = try? container.decode(String.self) {
      self = .text(text)
    } else {
      self = .names(try container.decode([String].self))
    }
  }

  /// Writes a text or a list of names.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .text(let text): try container.encode(text)
    case .names(let names): try container.encode(names)
    }
  }
}
