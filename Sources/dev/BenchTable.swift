import Glibc

/// What was measured, as it is found.
final class BenchTable {
  private var rows: [[String]] = []
  private(set) var missed = 0

  /// A ratio of ours to a peer's that must not be over its goal.
  func ratio(_ what: String, _ ours: Double, _ peer: Double, unit: String, goal: Double?) {
    let ratio = ours / peer
    add(
      what, shown(ours, unit), shown(peer, unit), "x \(rounded(ratio, 3))",
      goal.map { "<= x \(rounded($0, 3))" } ?? "-", goal.map { ratio <= $0 })
  }

  /// A ratio of our rate to a peer's that must not be under its goal.
  func speed(_ what: String, _ ours: Double, _ peer: Double, unit: String = "/s", goal: Double?) {
    let ratio = ours / peer
    add(
      what, shown(ours, unit), shown(peer, unit), "x \(rounded(ratio, 3))",
      goal.map { ">= x \(rounded($0, 3))" } ?? "-", goal.map { ratio >= $0 })
  }

  /// A value of ours that must not be over its goal.
  func value(_ what: String, _ ours: Double, unit: String, goal: Double?) {
    add(
      what, shown(ours, unit), "-", "-", goal.map { "<= \(shown($0, unit))" } ?? "-", goal.map { ours <= $0 })
  }

  /// What could not be measured here.
  func skipped(_ what: String, _ why: String) { add(what, "skipped: \(why)", "-", "-", "-", nil) }

  private func add(
    _ what: String, _ ours: String, _ peer: String, _ ratio: String, _ goal: String, _ holds: Bool?
  ) {
    if holds == false { missed += 1 }
    rows.append([what, ours, peer, ratio, goal, holds.map { $0 ? "ok" : "MISSED" } ?? "-"])
    print("  \(what): \(ours)\(peer == "-" ? "" : " against \(peer), \(ratio)")")
  }

  /// The whole table.
  func show() {
    let all = [["what", "ours", "peer", "ratio", "goal", "ok"]] + rows
    let widths = all[0].indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    print("")
    for row in all {
      let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
      print(cells.joined(separator: " | "))
    }
  }

  private func shown(_ value: Double, _ unit: String) -> String {
    "\(rounded(value, value >= 100 ? 0 : 2)) \(unit)"
  }
}

/// A number with so many digits behind the point.
func rounded(_ value: Double, _ digits: Int) -> String {
  var scale = 1.0
  for _ in 0..<digits { scale *= 10 }
  let whole = (value * scale).rounded() / scale
  return digits == 0 ? "\(Int(whole))" : "\(whole)"
}

/// The middle one of some values.
func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  return sorted.isEmpty ? .nan : sorted[sorted.count / 2]
}

extension Duration {
  var milliseconds: Double {
    Double(components.seconds) * 1e3 + Double(components.attoseconds) / 1e15
  }
}
