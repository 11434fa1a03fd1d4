import TargetBackendTesting
import Testing

@Suite struct SimulatedConformanceTests {
  @Test(arguments: Conformance.cases)
  func conforms(_ rule: ConformanceCase) async throws {
    if case .skipped(let reason) = try await rule.run(.simulatedTgtd()) { try Test.cancel("\(reason)") }
  }
}

/// One after the other: each has its own tgtd, but the machine has few processors.
@Suite(.serialized, .enabled(if: RealTgtd.isInstalled, RealTgtd.reason))
struct RealConformanceTests {
  @Test(arguments: Conformance.cases)
  func conforms(_ rule: ConformanceCase) async throws {
    let tgtd = try await RealTgtd()
    if case .skipped(let reason) = try await rule.run(.realTgtd(tgtd)) { try Test.cancel("\(reason)") }
  }
}
