import HostInterface
import SystemPackage

/// What `strace -f -c` counted.
struct SystemCalls {
  var total = 0
  private var byName: [String: Int] = [:]

  subscript(_ name: String) -> Int { byName[name] ?? 0 }

  /// Runs a command under strace; nil where that may not trace.
  static func count(
    _ argv: [String], place: PrivateTgtd
  ) throws -> SystemCalls? {
    let table = place.directory.appending("strace.out")
    let log = place.directory.appending("output.log").string
    let child = try? Child(
      ["strace", "-f", "-c", "-o", table.string] + argv, environment: place.environment, output: log)
    guard let child, child.end().status == 0 else { return nil }
    return SystemCalls(try place.host.text(table))
  }

  /// Rows are: share, seconds, microseconds a call, calls, errors or nothing, name.
  private init(_ text: String) {
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count >= 5, let name = words.last, let calls = Int(words[3]) else { continue }
      if name == "total" { total = calls } else { byName[String(name)] = calls }
    }
  }
}
