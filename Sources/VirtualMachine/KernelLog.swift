/// What a guest's kernel printed on its console.
public struct KernelLog: Sendable {
  /// All of it.
  public let text: String

  /// Words that a sound kernel never prints, whatever the tests say.
  private static let alarming = [
    "Kernel panic", "Oops:", "BUG:", "WARNING:", "general protection fault", "Call Trace:",
  ]

  /// The lines that tell of a defect.
  ///
  /// - Parameter allowed: Texts; a line that has one of them in it is no alarm.
  public func alarms(except allowed: [String] = []) -> [String] {
    lines.filter { line in
      Self.alarming.contains { line.contains($0) } && !allowed.contains { line.contains($0) }
    }
  }

  /// The last lines, or those up to the first alarm: what tells best why a guest ended by itself.
  func ending(_ count: Int) -> String {
    let lines = lines
    let end = lines.firstIndex { line in Self.alarming.contains { line.contains($0) } } ?? lines.count
    return lines.prefix(end + 1).suffix(count).joined(separator: "\n")
  }

  private var lines: [String] {
    text.split(whereSeparator: \.isNewline).map { String($0) }
  }
}
