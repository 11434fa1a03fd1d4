import IETSimulator
import Testing

@Suite struct RecordingsTests {
  /// Every step of every recording, played into the model; what is knowingly simpler is listed with its reason.
  @Test(arguments: Fixtures.recordings)
  func modelAnswersAsRecorded(_ name: String) async throws {
    let unrecorded = Dictionary(grouping: try Fixtures.entries("unrecorded.txt", of: name), by: \.step)
    let simpler = Set(try Fixtures.entries("simpler.txt", of: name).map(\.step))
    let version: IETVersion = name.hasPrefix("after") ? .january2010 : .release19
    let differences = try await IETReplay.differences(
      in: Fixtures.text(name + ".jsonl"), version, unrecorded: unrecorded.mapValues { $0.map(\.rest) })
    for difference in differences where !simpler.contains(difference.step) {
      Issue.record("\(name) \(difference.step) \(difference)")
    }
    for step in simpler.subtracting(differences.map(\.step)) {
      Issue.record("\(name) \(step) is no longer simpler")
    }
  }
}
