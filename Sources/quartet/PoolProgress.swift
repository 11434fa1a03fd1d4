import EmbeddedPool
import Glibc

/// How far something is that an embedded pool does, in one line.
enum PoolProgress {
  /// Shows it on a terminal, over the line before.
  static let show: @Sendable (PoolReport) -> Void = { report in
    guard isatty(STDERR_FILENO) == 1, let text = text(report) else { return }
    Report.write("\r\u{1b}[K\(report.name): \(text)", to: STDERR_FILENO)
  }

  /// Ends the line.
  static func end() { if isatty(STDERR_FILENO) == 1 { Report.write("\r\u{1b}[K", to: STDERR_FILENO) } }

  /// The line; nil when nothing goes on.
  static func text(_ report: PoolReport) -> String? {
    if let left = report.resyncLeft, let total = report.resyncTotal, total > 0 {
      return "resync " + bar(Double(max(0, total - left)) / Double(total))
        + " \(shownBytes(UInt64(left))) left"
    }
    guard let job = report.job, job.isRunning else { return nil }
    return job.total > 0 ? "\(job.kind) " + bar(Double(job.done) / Double(job.total)) : job.kind
  }

  /// A bar of twenty places with the per cent behind it.
  static func bar(_ fraction: Double) -> String {
    let filled = Int((fraction * 20).rounded(.down))
    let tenths = Int((fraction * 1000).rounded(.down))
    return "[" + String(repeating: "=", count: filled) + String(repeating: ".", count: 20 - filled)
      + "] \(tenths / 10).\(tenths % 10)%"
  }
}
