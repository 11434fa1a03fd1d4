import HostInterface
import LinuxHost
import SystemPackage

/// What `strace -f -c` counted.
struct SystemCalls {
  var total = 0
  private var byName: [String: Int] = [:]

  subscript(_ name: String) -> Int { byName[name] ?? 0 }

  /// Runs a command under strace; nil where that may not trace.
  ///
  /// - Parameter directory: Where its table and the command's output may be written.
  static func count(
    _ argv: [String], environment: [String: String] = [:], directory: FilePath
  ) throws -> SystemCalls? {
    let table = directory.appending("strace.out")
    let log = directory.appending("output.log").string
    let child = try? Child(
      ["strace", "-f", "-c", "-o", table.string] + argv, environment: environment, output: log)
    guard let child, child.end().status == 0 else { return nil }
    return SystemCalls(try LocalHost().text(table))
  }

  static func count(_ argv: [String], place: PrivateTgtd) throws -> SystemCalls? {
    try count(argv, environment: place.environment, directory: place.directory)
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
