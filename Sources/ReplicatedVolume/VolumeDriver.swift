import HostInterface
import Synchronization

/// Replicated volumes by DRBD and LVM: reads what is there, and makes changes by plans.
///
/// ```swift
/// let volumes = VolumeDriver(on: LocalHost())
/// try await volumes.perform([.promote(try ResourceName("vg1"))])
/// ```
public struct VolumeDriver: Sendable {
  /// The machine.
  public let host: any Host

  /// A driver of a machine.
  public init(on host: any Host) { self.host = host }

  /// How changes are made.
  public struct Options: Sendable {
    /// How long to wait for another Quartet.
    public var lockLimit = Duration.seconds(30)
    /// Whether the caller holds the lock of ``VolumeDriver/lock(limit:)`` already.
    public var isLocked = false
    /// How long to wait until the state shows what was done.
    public var settleLimit = Duration.seconds(10)
    /// Whether to stop before anything is touched.
    public var dryRun = false
    /// Called before each step.
    public var observe: @Sendable (ExecutionEvent) -> Void = { _ in }

    /// The changes are made, and at most 30 s are spent on the lock.
    public init() {}
  }

  /// What would be done.
  public struct Proposal: Sendable {
    /// The changes that are not so yet.
    public var changes: [VolumeChange]
    /// The steps that make them.
    public var plan: Plan
    /// What the reader should know before.
    public var warnings: [String]

    /// Nothing.
    public init() { (changes, plan, warnings) = ([], Plan(), []) }

    init(changes: [VolumeChange], plan: Plan, warnings: [String]) {
      (self.changes, self.plan, self.warnings) = (changes, plan, warnings)
    }

    /// Adds what another one would do after it.
    public mutating func append(_ other: Proposal) {
      changes += other.changes
      plan.stages += other.plan.stages
      warnings += other.warnings
    }
  }

  /// Makes changes, each after those before it: checks it, plans it, runs the plan, and reads back what it did.
  ///
  /// A change that fails is undone by itself; those before it stay, and the failure says which they were. In a dry
  /// run every change is planned from the state as it is.
  ///
  /// - Throws: ``Failure``.
  @discardableResult
  public func perform(_ changes: [VolumeChange], options: Options = Options()) async throws -> Proposal {
    let lock = options.dryRun || options.isLocked ? nil : try await lock(limit: options.lockLimit)
    defer { lock?.release() }
    var done = Proposal()
    for change in changes {
      do {
        done.append(try await perform(change, options))
      } catch let failure as Failure {
        throw options.dryRun ? failure : failure.keeping(done.changes.map(\.description))
      }
    }
    return done
  }

  /// Takes the lock that whoever changes resources or pools holds.
  ///
  /// - Throws: ``Failure`` with code `locked`.
  public func lock(limit: Duration) async throws -> any HostLock {
    try await host.lock("volume", limit: limit)
  }

  /// What a change would do on a node in this state; nothing is touched.
  ///
  /// - Throws: ``Failure`` when the change cannot be made.
  public func propose(_ change: VolumeChange, in state: VolumeState) async throws -> Proposal {
    let planner = VolumePlanner(
      state: state, facts: try await facts(for: change, in: state), hasUdev: hasUdev,
      filter: change == .applyFilter ? try await filterFile() : nil,
      pending: try await pending(change, in: state))
    let (steps, warnings) = try planner.steps(for: change)
    let title = change.description
    let plan = Plan(
      stages: steps.isEmpty
        ? [] : [Stage(title: title, chains: [Chain(subject: title, steps: steps)])])
    return Proposal(changes: plan.isEmpty ? [] : [change], plan: plan, warnings: warnings)
  }

  private func perform(_ change: VolumeChange, _ options: Options) async throws -> Proposal {
    var proposal = try await propose(change, in: try await read())
    if !options.dryRun, !proposal.plan.isEmpty {
      try await execute(proposal.plan, for: change, options)
      let state = try await prove(change, limit: options.settleLimit)
      if case .resize(let name) = change { proposal.warnings += try await shortfalls(of: name, in: state) }
    }
    return proposal
  }

  /// Runs a plan; a failure lists the steps that were done, or may have been, and have no inverse.
  private func execute(_ plan: Plan, for change: VolumeChange, _ options: Options) async throws {
    let started = Mutex(0)
    let executor = Executor(judge: Self.judge) { event in
      if case .starting(_, let number, _) = event { started.withLock { $0 = number } }
      options.observe(event)
    }
    do {
      try await executor.run(plan, on: host)
    } catch var failure as Failure {
      let tried = plan.steps.prefix(started.withLock { $0 })
      if case .resize(let name) = change, case .wait = tried.last?.operation, failure.code == .timedOut {
        failure = (try? await disagreement(on: name, failure)) ?? failure
        // DRBD has the size that it had: where nothing but that was tried, nothing is left.
        if tried.count == 2 { throw failure }
      }
      for (index, step) in tried.enumerated() where step.undo.isEmpty {
        guard case .run = step.operation else { continue }
        if index < tried.count - 1 {
          failure.leftovers.append("\(step.operation.display) (was done, and has no inverse)")
        } else if failure.code.leavesOutcomeOpen {
          failure.leftovers.append("\(step.operation.display) (may have been done, and has no inverse)")
        }
      }
      throw failure
    }
  }

  /// Reads back until the change is seen; returns the state that shows it.
  private func prove(_ change: VolumeChange, limit: Duration) async throws -> VolumeState {
    var left = limit
    var interval = Duration.milliseconds(20)
    while true {
      let state = try await read()
      guard let missing = change.missing(in: state) else { return state }
      guard left > .zero else {
        throw Failure(
          .notTaken, change.description, "was reported as done, but reading back shows otherwise",
          answer: missing,
          remedy: "look for another program that changes it, then run the command again")
      }
      try await host.sleep(interval)
      left -= interval
      interval = min(interval * 2, .milliseconds(500))
    }
  }
}
