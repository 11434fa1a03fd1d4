import LIOSimulator
import Testing

@Suite struct LIOSimulatorTests {
  static let recordings = [
    "alua", "chap", "dynamic", "fileio", "halfbuilt", "iblock", "modules", "parameters", "pscsi", "ramdisk",
    "reservations", "sessions", "targets", "user",
  ]

  /// The steps that the model knowingly answers otherwise, by their numbers, and those that it does not have at all, by
  /// their operation or the end of their path.
  private static func simpler(_ name: String) throws -> (steps: Set<Int>, kinds: Set<String>) {
    let lines = try RecordedEntry.lines("simpler.txt")
      .map { $0.split(separator: " ") }
    let mine = lines.filter { $0.first == Substring(name) || $0.first == "*" }.compactMap {
      $0.dropFirst().first
    }
    return (Set(mine.compactMap { Int($0) }), Set(mine.filter { Int($0) == nil }.map(String.init)))
  }

  @Test(arguments: recordings)
  func answersAsRecorded(_ name: String) async throws {
    let (steps, kinds) = try Self.simpler(name)
    let differences = try await LIOReplay.differences(
      in: RecordedEntry.text(name + ".jsonl"), passingOver: kinds)
    for difference in differences where !steps.contains(difference.step) {
      Issue.record("\(name) \(difference.step) \(difference)")
    }
    for step in steps.subtracting(differences.map(\.step)) {
      Issue.record("\(name) \(step) is no longer simpler")
    }
  }
}
