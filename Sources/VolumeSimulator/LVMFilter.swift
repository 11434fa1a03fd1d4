import HostInterface
import Simulation

/// What LVM looks at: `global_filter` of lvmlocal.conf, else of lvm.conf (lvm.conf(5)).
struct LVMFilter: Sendable {
  /// The patterns as they stand, such as `a|^/dev/drbd|`.
  let patterns: [String]
  private let rules: [(accepts: Bool, text: String, isWhole: Bool)]

  init(_ host: SimulatedHost) {
    let texts = ["/etc/lvm/lvmlocal.conf", "/etc/lvm/lvm.conf"].map { (try? host.text($0)) ?? "" }
    patterns = texts.lazy.compactMap(Self.filter).first ?? ["a|.*|"]
    rules = patterns.compactMap(Self.rule)
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

  /// Of regular expressions it knows those that Quartet and the recordings have: `^TEXT`, `^TEXT$`, `.*`, and `\\` before
  /// a character that is meant as it is.
  private static func rule(_ pattern: String) -> (accepts: Bool, text: String, isWhole: Bool)? {
    let parts = pattern.split(separator: "|", omittingEmptySubsequences: false)
    guard parts.count == 3 else { return nil }
    let text = parts[1].replacing("\\", with: "")
    if text == ".*" { return (parts[0] == "a", "", false) }
    return (parts[0] == "a", String(text.drop { $0 == "^" }.prefix { $0 != "$" }), text.hasSuffix("$"))
  }

  /// Whether a device is looked at: the first pattern that fits decides, and none accepts.
  func accepts(_ path: String) -> Bool {
    rules.first { $0.isWhole ? path == $0.text : path.hasPrefix($0.text) }?.accepts ?? true
  }
}
