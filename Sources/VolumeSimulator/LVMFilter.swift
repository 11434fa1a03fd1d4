import HostInterface
import Simulation

/// What LVM looks at: `global_filter` of lvmlocal.conf, else of lvm.conf (lvm.conf(5)).
struct LVMFilter: Sendable {
  /// The patterns as they stand, such as `a|^/dev/drbd|`.
  let patterns: [String]

  init(_ host: SimulatedHost) {
    let texts = ["/etc/lvm/lvmlocal.conf", "/etc/lvm/lvm.conf"].map { (try? host.text($0)) ?? "" }
    patterns = texts.lazy.compactMap(Self.filter).first ?? ["a|.*|"]
  }

  /// What is between the brackets of the last `global_filter` that is no comment.
  private static func filter(_ text: String) -> [String]? {
    let lines = text.split(separator: "\n").filter { line in
      line.drop(while: \.isWhitespace).hasPrefix("global_filter")
    }
    guard let line = lines.last, let start = line.firstIndex(of: "["), let end = line.lastIndex(of: "]")
    else {
      return nil
    }
    return line[start..<end].split(separator: "\"").map(String.init).filter { $0.contains("|") }
  }

  /// Whether a device is looked at: the first pattern that fits decides, and none accepts.
  func accepts(_ path: String) -> Bool {
    for pattern in patterns {
      let parts = pattern.split(separator: "|", omittingEmptySubsequences: false)
      guard parts.count == 3, let regex = try? Regex(String(parts[1])) else { continue }
      if path.firstMatch(of: regex) != nil { return parts[0] == "a" }
    }
    return true
  }
}
