import FoundationEssentials
import SystemPackage
import Testing

@testable import ReplicatedVolume

/// One line of a recording of the real tools.
struct Recorded: Decodable {
  var seq: Int
  var state: String?
  var node: String?
  var op: String
  var argv: [String]?
  var path: String?
  var exit: Int32?
  var stdout, stderr, result: String?

  /// The text of a fixture.
  static func text(_ name: String) throws -> String {
    let file = FilePath(#filePath).removingLastComponent().appending("../../Fixtures/\(name)")
    return try String(contentsOfFile: file.lexicallyNormalized().string, encoding: .utf8)
  }

  /// The lines of a recording, such as `DRBD/lifecycle`.
  static func lines(_ name: String) throws -> [Recorded] {
    let text = try text("\(name).jsonl")
    return try text.split(separator: "\n").map {
      try JSONDecoder().decode(Recorded.self, from: Data($0.utf8))
    }
  }

  /// The standard output of a step.
  static func output(_ name: String, _ seq: Int) throws -> String {
    try #require(try lines(name).first { $0.seq == seq }?.stdout)
  }

  /// What the resource of a step is, put together as the driver does it: a listing of events, and `/proc/drbd` as it
  /// was just before where there is one.
  static func status(_ name: String, _ seq: Int) throws -> ResourceStatus {
    let lines = try lines(name)
    let step = try #require(lines.first { $0.seq == seq })
    try #require(step.argv?.contains("events2") == true)
    var found = try EventLines.parse(step.stdout ?? "")
    let proc = lines.last { $0.seq < seq && $0.node == step.node && $0.path == "/proc/drbd" }?.result ?? ""
    for index in found.indices { found[index].add(ProcDRBD.progress(proc)) }
    return try #require(found.first)
  }
}
