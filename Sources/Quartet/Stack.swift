import HostInterface
import ReplicatedVolume
import TargetCore

/// All that a state file describes: resources, pools and volumes, and the targets above them.
///
/// The same file is applied on every node. Each does what its role allows: resources are set up on every node that
/// they name, pools and what stands on them only where their resource is primary.
///
/// ```swift
/// var stack = Stack(volumes: volumes, parts: [Stack.Part(lio, targets)], on: LocalHost())
/// let report = try await stack.apply()
/// for left in report.leftOut { print(left) }
/// ```
public struct Stack: Sendable {
  /// What one implementation is to export.
  public struct Part: Sendable {
    /// The implementation.
    public var implementation: Implementation
    /// Its targets.
    public var state: DesiredState

    /// A part.
    public init(_ implementation: Implementation, _ state: DesiredState) {
      self.implementation = implementation
      self.state = state
    }
  }

  /// The resources and pools.
  public var volumes: DesiredVolumes
  /// The targets above them, by implementation.
  public var parts: [Part]
  /// The machine.
  public let host: any Host
  /// What embedded pools are made with; nil for a program that has no such engine.
  public var engine: (any EmbeddedEngine)?

  /// A stack for a machine.
  public init(
    volumes: DesiredVolumes = DesiredVolumes(), parts: [Part] = [], on host: any Host,
    engine: (any EmbeddedEngine)? = nil
  ) {
    self.volumes = volumes
    self.parts = parts
    self.host = host
    self.engine = engine
  }
}

/// How a stack is applied.
public struct StackOptions: Sendable {
  /// How changes are made; `announce` is called for each implementation.
  public var perform = PerformOptions()
  /// How far the targets are reconciled.
  public var reconciling = Reconciler.Options()
  /// Whether this node becomes primary for resources for which no node is.
  public var promote = false
  /// How long to wait until the other nodes are connected, before this one is made primary.
  public var connectLimit = Duration.seconds(15)

  /// Nothing is pruned, and no role changes.
  public init() {}
}

/// A part of the file that this node does not do in its role.
public struct LeftOut: Sendable, Hashable, CustomStringConvertible {
  /// What is left out, such as `pool vg1`.
  public var subject: String
  /// Why, such as `vg1 is primary on mike`.
  public var reason: String

  /// `SUBJECT: REASON`.
  public var description: String { "\(subject): \(reason)" }
}

/// What was done, or would be.
public struct StackReport: Sendable {
  /// What was done to resources and pools.
  public var volumes = VolumeDriver.Proposal()
  /// What was done to embedded pools.
  public var embedded: [EmbeddedPoolChange] = []
  /// What was done to targets, by the implementation's name, in order.
  public var targets: [(implementation: String, proposal: Proposal)] = []
  /// In a dry run: further changes, in words, since what they are made on is not there yet.
  public var later: [String] = []
  /// What this node does not do in its role.
  public var leftOut: [LeftOut] = []
  /// What the reader should know; those of ``targets`` are told with them.
  public var warnings: [String] = []

  /// Everything that was changed, or would be, in words.
  public var changes: [String] {
    volumes.changes.map(\.description) + embedded.map(\.description)
      + targets.flatMap { $0.proposal.changes.map(\.description) } + later
  }
}

extension Stack {
  /// Makes this node what the file says, as far as its role goes: resources, then pools, then targets.
  ///
  /// What fails is undone by itself; what was done before it stays, and the failure lists it. A second run goes on
  /// from there.
  ///
  /// - Throws: ``Failure``.
  @discardableResult
  public func apply(_ options: StackOptions = StackOptions()) async throws -> StackReport {
    try volumes.checkConsistency()
    let driver = VolumeDriver(on: host)
    // Held to the end, so that nobody takes a volume away between its making and its export.
    let needsLock = !volumes.isEmpty && !options.perform.dryRun
    let lock = needsLock ? try await driver.lock(limit: options.perform.lockLimit) : nil
    defer { lock?.release() }
    var run = StackRun(stack: self, options: options, driver: driver)
    do {
      try await run.refuseEmbedded()
      if !volumes.resources.isEmpty || !volumes.pools.isEmpty { try await run.applyVolumes() }
      try await run.applyEmbedded()
      try await run.applyTargets()
    } catch let failure as Failure {
      throw options.perform.dryRun ? failure : failure.keeping(run.report.changes)
    }
    return run.report
  }
}
