import Glibc
import HostInterface
import LinuxHost
import SystemPackage

/// Runs commands and prints them with what they say, as a terminal would show it.
struct Transcript {
  let host: LocalHost
  let environment: [String: String]
  /// Where `quartet` is.
  let quartet: String

  func say(_ text: String) { write("\n\(text)\n") }

  /// Runs a command that must end with a status; `quartet` is the one of this build.
  ///
  /// - Throws: ``Failure`` with code `refused` when it ends with another.
  @discardableResult
  func run(_ words: String, also: [String: String] = [:], expecting expected: Int32 = 0) async throws
    -> String
  {
    let shown = also.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value) " }.joined() + words
    write("  $ \(shown)\n")
    var argv = words.split(separator: " ").map(String.init)
    if argv[0] == "quartet" { argv[0] = quartet }
    let result = try await host.run(
      argv, environment: environment.merging(also) { $1 }, input: [], limit: .seconds(60))
    let output = String(decoding: result.output, as: UTF8.self)
    for line in (output + result.errors).split(separator: "\n") { write("    \(line)\n") }
    if expected != 0 { write("    (exit status \(result.status))\n") }
    guard result.status == expected else {
      throw Failure(.refused, words, "ended with status \(result.status), \(expected) was to be expected")
    }
    return output
  }

  /// Fails unless something that a step must show is there.
  func check(_ holds: Bool, _ what: String) throws {
    guard holds else { throw Failure(.notTaken, "demo", "does not see that \(what)") }
    write("    -> \(what)\n")
  }

  private func write(_ text: String) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      bytes = bytes.dropFirst(count)
    }
  }
}

/// The `quartet` that was built beside this program.
func builtQuartet(on host: LocalHost) throws -> String {
  let path = try host.readLink("/proc/self/exe").removingLastComponent().appending("quartet")
  guard try host.status(path) != nil else {
    throw Failure(.notFound, "\(path)", "is not built", remedy: "run `swift build --product quartet`")
  }
  return path.string
}
