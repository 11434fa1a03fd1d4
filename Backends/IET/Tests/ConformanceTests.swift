import IETSimulator
import TargetBackendTesting
import Testing

@Suite struct ConformanceTests {
  @Test(arguments: Conformance.cases)
  func conforms(_ rule: ConformanceCase) async throws {
    if case .skipped(let reason) = try await rule.run(.simulatedIET()) { try Test.cancel("\(reason)") }
  }

  @Test(arguments: Conformance.cases)
  func conformsWithBlockSizes(_ rule: ConformanceCase) async throws {
    if case .skipped(let reason) = try await rule.run(.simulatedIET(.release20)) { try Test.cancel("\(reason)") }
  }
}
