import FoundationEssentials
import SystemPackage

/// The recordings of the real IET, and what belongs to them.
enum Fixtures {
  static let directory = FilePath(#filePath).removingLastComponent().appending("../../../Fixtures/IET")
    .lexicallyNormalized()

  static let recordings = [
    "access", "after-1.4.19-delete-with-session", "config", "errors", "hazards", "lifecycle", "parameters",
    "sessions",
    "users",
  ]

  static func text(_ name: String) throws -> String {
    try String(contentsOfFile: directory.appending(name).string, encoding: .utf8)
  }

  /// The lines of a list, `RECORDING STEP REST`, of one recording; STEP may be `1,4-6`.
  static func entries(_ list: String, of recording: String) throws -> [(step: Int, rest: String)] {
    try text(list).split(separator: "\n").filter { !$0.hasPrefix("#") }.flatMap { line -> [(Int, String)] in
      let parts = line.split(separator: " ", maxSplits: 2).map(String.init)
      guard parts.count == 3, parts[0] == recording else { return [] }
      return parts[1].split(separator: ",").flatMap { range -> [(Int, String)] in
        let bounds = range.split(separator: "-").compactMap { Int($0) }
        guard let first = bounds.first, let last = bounds.last else { return [] }
        return (first...last).map { ($0, parts[2]) }
      }
    }
  }
}
