import HostInterface
import Testing

/// The failure that something ends in; one is missed where there is none.
func failure(of body: () async throws -> Void) async -> Failure? {
  do {
    try await body()
    Issue.record("it is accepted")
    return nil
  } catch {
    return error as? Failure
  }
}
