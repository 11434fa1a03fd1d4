import Glibc
import IETSimulator
import TargetBackendTesting
import Testing

/// The cases, or those whose names have the text in CASE in them.
private let chosen = Conformance.cases.filter { rule in
  getenv("CASE").map { rule.name.contains(String(cString: $0)) } ?? true
}

@Suite struct ConformanceTests {
  @Test(arguments: chosen)
  func conforms(_ rule: ConformanceCase) async throws {
    if case .skipped(let reason) = try await rule.run(.simulatedIET()) { try Test.cancel("\(reason)") }
  }

  /// The newer version differs in what it takes and shows, not in how it fails.
  @Test(arguments: chosen.filter { !$0.name.contains("every ") })
  func conformsWithBlockSizes(_ rule: ConformanceCase) async throws {
    if case .skipped(let reason) = try await rule.run(.simulatedIET(.release20)) {
      try Test.cancel("\(reason)")
    }
  }
}
