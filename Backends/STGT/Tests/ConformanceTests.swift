import Glibc
import TargetBackendTesting
import Testing

/// The cases whose names have the text of the variable CASE in them; all without it.
private let cases = Conformance.cases.filter { rule in
  guard let wanted = getenv("CASE").map({ String(cString: $0) }) else { return true }
  return rule.name.contains(wanted)
}

@Suite struct SimulatedConformanceTests {
  @Test(arguments: cases)
  func conforms(_ rule: ConformanceCase) async throws {
    if case .skipped(let reason) = try await rule.run(.simulatedTgtd()) { try Test.cancel("\(reason)") }
  }
}

/// One after the other: each has its own tgtd, but the machine has few processors.
@Suite(.serialized, .enabled(if: RealTgtd.isInstalled, RealTgtd.reason))
struct RealConformanceTests {
  @Test(arguments: cases)
  func conforms(_ rule: ConformanceCase) async throws {
    let tgtd = try await RealTgtd()
    if case .skipped(let reason) = try await rule.run(.realTgtd(tgtd)) { try Test.cancel("\(reason)") }
  }
}
