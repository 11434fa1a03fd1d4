import SystemPackage

/// One line of a recording of LIO; `Fixtures/LIO/README.md` says what the fields are.
struct RecordedEntry: Decodable, Sendable {
  /// What came back: a text, names, or whether something is so.
  enum Outcome: Decodable, Equatable, Sendable {
    case text(String)
    case names([String])
    case truth(Bool)

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let text = try? container.decode(String.self) {
        self = .text(text)
      } else if let names = try? container.decode([String].self) {
        self = .names(names)
      } else {
        self = .truth(try container.decode(Bool.self))
      }
    }
  }

  var seq: Int
  var op: String
  var argv: [String]?
  var exit: Int32?
  var path: String?
  var data: String?
  var target: String?
  var errno: String?
  var result: Outcome?
  var size: UInt64?
  var scsi: String?
  var session: String?
  var initiator: String?
  var user: String?
  var secret: String?
  var address: String?
  var port: Int?
  var lun: Int?
  var key: String?
  var type: Int?
  var aptpl: Bool?
  var status: Int?
  var direction: String?

  /// The error number by its name, behind `open:` where the file could not even be opened.
  var number: Errno? { errno.flatMap { Self.numbers[$0.hasPrefix("open:") ? String($0.dropFirst(5)) : $0] } }

  private static let numbers: [String: Errno] = [
    "EPERM": .notPermitted, "ENOENT": .noSuchFileOrDirectory, "ESRCH": Errno(rawValue: 3),
    "EACCES": .permissionDenied, "EFAULT": .badAddress, "ENOTBLK": Errno(rawValue: 15),
    "EBUSY": .resourceBusy,
    "EEXIST": .fileExists, "ENODEV": Errno(rawValue: 19), "ENOTDIR": .notDirectory, "EISDIR": .isDirectory,
    "EINVAL": .invalidArgument, "ENOSYS": .noFunction, "ENOTEMPTY": .directoryNotEmpty,
    "EOVERFLOW": Errno(rawValue: 75), "ENOTSUP": Errno(rawValue: 95),
  ]
}
