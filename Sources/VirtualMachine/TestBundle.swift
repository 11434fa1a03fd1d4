import HostInterface
import LinuxHost
import SystemPackage

/// The compiled tests that this process runs, run in a guest.
///
/// A test that needs a kernel has the trait `.enabled(if: Guest.isHere, "needs a kernel of its own")`, in a suite
/// whose name says so. A test on the host starts a guest and runs that suite in it with ``run(_:in:limit:)``, so a
/// failure in the guest is a failure of `swift test`.
public struct TestBundle: Sendable {
  /// How many tests passed, parameters not counted.
  public let passed: Int
  /// What the tests printed.
  public let transcript: String

  /// Runs the tests whose names match in a guest.
  ///
  /// - Parameters:
  ///   - filter: A regular expression on `MODULE.SUITE/TEST`, as `swift test --filter` takes it.
  ///   - guest: Where they run, as root.
  ///   - limit: How long they may take together.
  /// - Throws: ``Failure/Code/refused`` when a test failed or was skipped or there was none, with the last lines;
  ///   the failures of ``Guest/run(_:environment:directory:limit:observe:)``.
  public static func run(_ filter: String, in guest: Guest, limit: Duration) async throws -> TestBundle {
    let program = try LocalHost().readLink("/proc/self/exe")
    let result = try await guest.run(
      [program.string, "--testing-library", "swift-testing", "--filter", filter],
      directory: program.removingLastComponent(), limit: limit)
    let transcript = result.errors + String(decoding: result.output, as: UTF8.self)
    let lines = transcript.split(separator: "\n")
    let tests = lines.filter { $0.dropFirst(2).hasPrefix("Test ") && !$0.dropFirst(2).hasPrefix("Test run ") }
    let passed = tests.count { $0.contains(" passed after ") }
    let skipped = tests.count { $0.contains(" skipped") }
    guard result.status == 0, passed > 0, skipped == 0 else {
      throw Failure(
        .refused, "tests \(filter)",
        "\(passed) passed and \(skipped) were skipped in the guest; the status is \(result.status)",
        answer: lines.suffix(40).joined(separator: "\n"))
    }
    return TestBundle(passed: passed, transcript: transcript)
  }
}
