import Testing

@Suite struct LIOSimulatorTests {
  static let recordings = [
    "alua", "chap", "dynamic", "fileio", "halfbuilt", "iblock", "modules", "parameters", "pscsi", "ramdisk",
    "reservations", "sessions", "targets", "user",
  ]

  /// The steps that the model knowingly answers otherwise, by their numbers, and those that it does not have at all, by
  /// their operation or the end of their path.
  private static func simpler(_ name: String) throws -> (steps: Set<Int>, kinds: [String]) {
    let lines = try RecordedEntry.lines("simpler.txt").map { $0.split(separator: " ") }
    let mine = lines.filter { $0.first == Substring(name) || $0.first == "*" }.compactMap {
      $0.dropFirst().first
    }
    return (Set(mine.compactMap { Int($0) }), mine.filter { Int($0) == nil }.map(String.init))
  }

  @Test(arguments: recordings)
  func answersAsRecorded(_ name: String) async throws {
    let (steps, kinds) = try Self.simpler(name)
    var player = Player()
    for entry in try RecordedEntry.recording(name) {
      if kinds.contains(where: { $0 == entry.op || ($0.hasPrefix("/") && (entry.path ?? "").hasSuffix($0)) })
      {
        continue
      }
      let difference = try await player.play(entry)
      if steps.contains(entry.seq) {
        #expect(difference != nil, "\(name) \(entry.seq) is no longer simpler")
      } else if let difference {
        Issue.record("\(name) \(entry.seq) \(entry.op) \(entry.path ?? ""): \(difference)")
      }
    }
  }
}
