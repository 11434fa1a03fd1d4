import HostInterface
import SCSTSimulator
import Testing

@Suite struct RecordingsTests {
  @Test func anAnswerThatDiffersIsFound() async throws {
    let text = try Fixtures.text("errors.jsonl")
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

  /// What the reference says of the real SCST and no recording shows, written down in the same form.
  @Test func theModelAnswersAsTheReferenceSays() async throws {
    for difference in try await SCSTReplay.differences(in: Fixtures.text("unrecorded.jsonl")) {
      Issue.record("\(difference.step) \(difference)")
    }
  }

  @Test(arguments: Fixtures.recordings)
  func theModelAnswersAsRecorded(_ name: String) async throws {
    let simpler = try Fixtures.simplerSteps(of: name)
    let differences = try await SCSTReplay.differences(
      in: Fixtures.text(name + ".jsonl"), snapshot: Fixtures.text)
    for difference in differences where !simpler.contains(difference.step) {
      Issue.record("\(name) \(difference.step) \(difference)")
    }
    for step in simpler where !differences.contains(where: { $0.step == step }) {
      Issue.record("\(name) \(step) is no longer simpler")
    }
  }
}
