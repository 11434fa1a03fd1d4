import Glibc
import TargetBackendTesting
import Testing

/// The cases, or those whose names have the text in CASE in them.
private let chosen = Conformance.cases.filter { rule in
  getenv("CASE").map { rule.name.contains(String(cString: $0)) } ?? true
}

@Suite struct SCSTConformanceTests {
  @Test(arguments: chosen)
  func conforms(_ rule: ConformanceCase) async throws {
    if case .skipped(let reason) = try await rule.run(.simulatedSCST()) { try Test.cancel("\(reason)") }
  }
}
