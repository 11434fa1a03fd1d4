import TargetBackendTesting
import Testing

@Suite struct SCSTConformanceTests {
  @Test(arguments: Conformance.cases)
  func conforms(_ rule: ConformanceCase) async throws {
    if case .skipped(let reason) = try await rule.run(.simulatedSCST()) { try Test.cancel("\(reason)") }
  }
}
