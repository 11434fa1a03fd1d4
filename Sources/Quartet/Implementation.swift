import HostInterface
import TargetCore

/// An implementation on a host: what tools that link Quartet work with.
///
/// ```swift
/// let host = LocalHost()
/// let tgt = try Implementation(.stgt, on: host)
/// let name = try TargetName("iqn.2011-12.com.example:disk1")
/// var unit = LogicalUnit(lun: try LUN(1), backing: try Backing(path: "/srv/disk1"))
/// try await tgt.perform([.createTarget(name, id: nil), .addUnit(name, unit), .allow(name, .all)])
/// ```
public struct Implementation: Sendable {
  /// What the registry says of it.
  public let descriptor: BackendDescriptor
  /// Its translators.
  public let backend: any TargetBackend
  /// The machine.
  public let host: any Host

  /// An implementation with its settings.
  ///
  /// - Throws: ``Failure`` with code `invalid` for a setting that it does not take.
  public init(_ descriptor: BackendDescriptor, settings: [String: String] = [:], on host: any Host) throws {
    if let unknown = settings.keys.sorted().first(where: { descriptor.settings[$0] == nil }) {
      throw Failure(
        .invalid, "setting \(unknown)", "is none of \(descriptor.name)",
        remedy: "use one of \(descriptor.settings.keys.sorted().joined(separator: ", "))")
    }
    self.descriptor = descriptor
    self.backend = try descriptor.make(settings)
    self.host = host
  }

  /// Reads the state.
  public func read(_ detail: ReadDetail = ReadDetail()) async throws -> LiveState {
    try await backend.read(host, detail: detail)
  }

  /// Makes the implementation answer if it does not: loads its modules, starts its daemon.
  ///
  /// Two that start it at once take turns: a second daemon of IET would end what the first one exports.
  ///
  /// - Returns: Whether it had to be started.
  public func start(observe: @escaping @Sendable (ExecutionEvent) -> Void = { _ in }) async throws -> Bool {
    if await backend.probe(host).running { return false }
    let lock = try await host.lock(backend.lockName, limit: .seconds(30))
    defer { lock.release() }
    let probe = await backend.probe(host)
    if probe.running { return false }
    guard probe.installed else {
      throw Failure(.unavailable, descriptor.name, "is not installed: \(probe.detail)")
    }
    let chain = Chain(subject: descriptor.name, steps: backend.startSteps())
    try await executor(observe).run(Plan(stages: [Stage(title: "start", chains: [chain])]), on: host)
    return true
  }

  func executor(_ observe: @escaping @Sendable (ExecutionEvent) -> Void) -> Executor {
    Executor(concurrency: backend.concurrency, judge: { backend.judge($0, $1) }, observe: observe)
  }
}
