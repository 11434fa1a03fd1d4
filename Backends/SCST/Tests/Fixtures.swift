import FoundationEssentials
import SystemPackage

/// The recordings in Fixtures/SCST, and what belongs to them.
enum Fixtures {
  static let directory = FilePath(#filePath).removingLastComponent()
    .appending("../../../Fixtures/SCST").lexicallyNormalized()

  static let recordings = ["lifecycle", "errors", "hazards", "async", "async-forced-eagain"]
  static let snapshots = ["0-modules-loaded", "1-configured", "2-session", "3-alua"]

  static func text(_ file: String) throws -> String {
    try String(contentsOfFile: directory.appending(file).string, encoding: .utf8)
  }

  /// The steps of a recording that the model knowingly answers otherwise; `simpler.txt` says why.
  static func simplerSteps(of name: String) throws -> Set<Int> {
    let lines = try text("simpler.txt").split(separator: "\n").filter { $0.hasPrefix(name + " ") }
    return Set(lines.compactMap { $0.split(separator: " ").dropFirst().first.flatMap { Int($0) } })
  }
}
