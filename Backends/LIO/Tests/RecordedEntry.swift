import FoundationEssentials
import SystemPackage

/// One line of a recording in Fixtures/LIO.
struct RecordedEntry: Decodable {
  /// What came back: a text, names, or whether something is so.
  enum Outcome: Decodable, Equatable {
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

  /// All lines of a recording.
  static func recording(_ name: String) throws -> [RecordedEntry] {
    try lines(name + ".jsonl").map { try JSONDecoder().decode(RecordedEntry.self, from: Data($0.utf8)) }
  }

  /// The lines of a file in Fixtures/LIO that are no remarks.
  static func lines(_ name: String) throws -> [Substring] {
    try text(name).split(separator: "\n").filter { !$0.hasPrefix("#") }
  }

  /// A file in Fixtures/LIO.
  static func text(_ name: String) throws -> String {
    let path = FilePath(#filePath).removingLastComponent().appending("../../../Fixtures/LIO/\(name)")
    return try String(contentsOfFile: path.lexicallyNormalized().string, encoding: .utf8)
  }
}
