import HostInterface
import Quartet
import Simulation
import Synchronization
import TargetCore

/// One run of a case: the world, and the ways in which cases use it.
struct Trial: Sendable {
  let world: ConformanceWorld
  /// The implementation on the undisturbed machine.
  let implementation: Implementation
  let samples: Samples

  init(_ world: ConformanceWorld) throws {
    self.world = world
    implementation = try Implementation(world.descriptor, settings: world.settings, on: world.host)
    samples = Samples(world: world, capabilities: implementation.backend.capabilities)
  }

  var capabilities: Capabilities { implementation.backend.capabilities }

  /// The same implementation through another host.
  func implementation(on host: any Host) throws -> Implementation {
    try Implementation(world.descriptor, settings: world.settings, on: host)
  }

  /// The whole state.
  func read() async throws -> LiveState {
    try await implementation.read(ReadDetail(parameters: .all, shared: true))
  }

  func require(_ isSo: Bool, otherwise reason: String) throws {
    guard isSo else { throw Skip(reason: reason) }
  }

  func expect(_ isSo: Bool, _ sentence: @autoclosure () -> String) throws {
    guard isSo else { throw ConformanceFailure(sentence()) }
  }

  /// Expects two states to be equal in everything but sessions, which come and go by themselves.
  ///
  /// - Parameter ignoringAccounts: Whether accounts that no target uses may differ: where they are kept apart
  ///   from targets, clearing one from its last target leaves it in the implementation's list.
  func expect(
    _ found: LiveState, equals wanted: LiveState, ignoringAccounts: Bool = false,
    _ sentence: @autoclosure () -> String
  ) throws {
    let differences = wanted.differences(from: found, ignoringAccounts: ignoringAccounts)
    guard differences.isEmpty else { throw ConformanceFailure(sentence(), differences) }
  }

  /// Expects an operation to fail with one of these codes.
  @discardableResult
  func expect(
    _ codes: Failure.Code..., of what: String, _ body: () async throws -> Void
  ) async throws -> Failure {
    do {
      try await body()
    } catch let failure as Failure {
      guard codes.contains(failure.code) else {
        throw ConformanceFailure("\(what) fails as \(failure.code), not as \(codes[0]): \(failure)")
      }
      return failure
    }
    throw ConformanceFailure("\(what) is accepted, and should fail as \(codes[0])")
  }

  /// Runs something and expects that the machine saw no call beyond those of a read.
  func expectUntouched(by what: String, _ body: (Implementation) async throws -> Void) async throws {
    let (before, harmless) = try await calls { try await everything($0) }
    let (_, seen) = try await calls(body)
    if let call = seen.first(where: { !harmless.contains($0) }) {
      throw ConformanceFailure("\(what) touches the machine: \(call)")
    }
    try expect(try await read(), equals: before, "\(what) changes the state")
  }

  private func everything(_ implementation: Implementation) async throws -> LiveState {
    try await implementation.read(ReadDetail(parameters: .all, shared: true))
  }

  private func calls<Value: Sendable>(_ body: (Implementation) async throws -> Value) async throws
    -> (Value, Set<HostCall>)
  {
    let log = CallLog()
    let host = FaultingHost(world.host, failing: nil) { call in
      log.calls.withLock { _ = $0.insert(call) }
      return true
    }
    let value = try await body(implementation(on: host))
    return (value, log.calls.withLock { $0 })
  }
}

/// The calls that a host saw.
private final class CallLog: Sendable {
  let calls = Mutex<Set<HostCall>>([])
}
