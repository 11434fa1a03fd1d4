import FoundationEssentials
import HostInterface
import SCSTSimulator
import SystemPackage
import Testing

/// The recordings in Fixtures/SCST.
enum Recordings {
  static let names = ["lifecycle", "errors", "hazards", "async", "async-forced-eagain"]
  private static let directory = FilePath(#filePath).removingLastComponent()
    .appending("../../../Fixtures/SCST").lexicallyNormalized()

  static func text(_ file: String) throws -> String {
    try String(contentsOfFile: directory.appending(file).string, encoding: .utf8)
  }

  /// The steps of a recording that the model knowingly answers otherwise; `simpler.txt` says why.
  static func simplerSteps(of name: String) throws -> Set<Int> {
    let lines = try text("simpler.txt").split(separator: "\n").filter { $0.hasPrefix(name + " ") }
    return Set(lines.compactMap { $0.split(separator: " ").dropFirst().first.flatMap { Int($0) } })
  }
}

@Suite struct RecordingsTests {
  @Test func anAnswerThatDiffersIsFound() async throws {
    let text = try Recordings.text("errors.jsonl")
    for (old, new) in [
      (#""errno": "EEXIST""#, #""errno": "EBUSY""#), (#""ret": 43"#, #""ret": 42"#),
      (#""last_sysfs_mgmt_res": "-17""#, #""last_sysfs_mgmt_res": "-16""#),
      (#""created_count": 50"#, #""created_count": 51"#), (#""result": "SCST_FIO\n""#, #""result": "x""#),
      (#""content": "1\n[key]\n""#, #""content": "1\n""#),
    ] {
      #expect(text.contains(old))
      let edited = text.replacing(old, with: new, maxReplacements: 1)
      let differences = try await SCSTReplay.differences(in: edited)
      #expect(!differences.isEmpty, "\(old) is not looked at")
    }
    await #expect(throws: Failure.self) { try await SCSTReplay.differences(in: "{}") }
  }

  @Test(arguments: Recordings.names)
  func theModelAnswersAsRecorded(_ name: String) async throws {
    let simpler = try Recordings.simplerSteps(of: name)
    let differences = try await SCSTReplay.differences(
      in: Recordings.text(name + ".jsonl"), snapshot: Recordings.text)
    for difference in differences where !simpler.contains(difference.step) {
      Issue.record("\(name) \(difference.step) \(difference)")
    }
    for step in simpler where !differences.contains(where: { $0.step == step }) {
      Issue.record("\(name) \(step) is no longer simpler")
    }
  }
}
