import FoundationEssentials
import SystemPackage

/// What a read in a recording of Fixtures/LIO brought.
struct RecordedEntry: Decodable {
  enum Outcome: Decodable {
    case text(String)
    case other

    init(from decoder: any Decoder) throws {
      self = (try? decoder.singleValueContainer().decode(String.self)).map(Self.text) ?? .other
    }
  }

  var result: Outcome?

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
