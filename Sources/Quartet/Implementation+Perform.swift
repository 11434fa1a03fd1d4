import HostInterface
import ReplicatedVolume
import TargetCore

/// How changes are made.
public struct PerformOptions: Sendable {
  /// How long to wait for another Quartet that is changing the same implementation.
  public var lockLimit: Duration
  /// How long to wait until the implementation shows what was done.
  public var settleLimit: Duration
  /// Whether a backing may be exported although a logical unit exports it already.
  public var sharedBacking: Bool
  /// Whether to stop before anything is touched.
  public var dryRun: Bool
  /// Called when the plan stands, before the first step.
  public var announce: @Sendable (Proposal) -> Void
  /// Called before each step.
  public var observe: @Sendable (ExecutionEvent) -> Void

  /// Options; by default the changes are made, and at most 30 s are spent on the lock.
  public init() {
    lockLimit = .seconds(30)
    settleLimit = .seconds(5)
    sharedBacking = false
    dryRun = false
    announce = { _ in }
    observe = { _ in }
  }
}

/// What would be done.
public struct Proposal: Sendable {
  /// The changes.
  public var changes: [Change]
  /// The steps that make them.
  public var plan: Plan
  /// What the reader should know before.
  public var warnings: [String]
}

extension Implementation {
  /// Makes changes: checks them, plans them, runs the plan, and reads back whether the implementation took them.
  ///
  /// Nothing is touched unless every change can be made; a step that fails undoes those before it.
  ///
  /// - Returns: What was done, or with ``PerformOptions/dryRun`` what would be.
  /// - Throws: ``Failure``.
  @discardableResult
  public func perform(_ changes: [Change], options: PerformOptions = PerformOptions()) async throws
    -> Proposal
  {
    try await perform(options: options, detail: Self.detail(for: changes)) { _ in changes }
  }

  /// Makes the live state what the document says.
  ///
  /// - Returns: What was done; without changes when all was so already.
  /// - Throws: ``Failure``.
  @discardableResult
  public func apply(
    _ desired: DesiredState, reconciling: Reconciler.Options = Reconciler.Options(),
    options: PerformOptions = PerformOptions()
  ) async throws -> Proposal {
    let named = desired.targets.filter { target in
      !target.parameters.isEmpty || !target.attributes.isEmpty
        || target.units?.contains { !$0.attributes.isEmpty } == true
    }.map(\.name)
    let detail = ReadDetail(parameters: .some(Set(named)), shared: true)
    let reconciler = Reconciler(capabilities: backend.capabilities, options: reconciling)
    let sized = Set(desired.targets.filter { $0.units != nil }.map(\.name))
    return try await perform(options: options, detail: detail, sized: sized) { live in
      try reconciler.changes(to: desired, from: live)
    }
  }

  /// The changes that ``apply(_:reconciling:options:)`` would make.
  public func difference(
    _ desired: DesiredState, reconciling: Reconciler.Options = Reconciler.Options()
  ) async throws -> [Change] {
    var options = PerformOptions()
    options.dryRun = true
    return try await apply(desired, reconciling: reconciling, options: options).changes
  }

  private func perform(
    options: PerformOptions, detail: ReadDetail, sized: Set<TargetName> = [],
    changes find: (LiveState) throws -> [Change]
  ) async throws -> Proposal {
    let lock = options.dryRun ? nil : try await host.lock(backend.lockName, limit: options.lockLimit)
    defer { lock?.release() }
    var live = try await read(detail)
    var changes = try find(live)
    let others = Self.targetsToReadFully(changes, live)
    let whole = others.isEmpty ? detail : detail.with(others)
    if !others.isEmpty { live = try await read(whole) }
    try refuseUnsupported(changes, live)
    try await refuseSecondaries(changes)
    var check = BackingCheck(host: host, capabilities: backend.capabilities, live: live)
    check.allowShared = options.sharedBacking
    changes = try check.checked(changes)
    let plan = try Planner(backend: backend).plan(changes, from: live)
    let proposal = Proposal(
      changes: changes, plan: plan,
      warnings: live.remarks + warnings(changes, live) + otherSizes(in: sized, of: live, before: changes))
    options.announce(proposal)
    if options.dryRun || plan.isEmpty { return proposal }
    do {
      try await executor(options.observe).run(plan, on: host)
    } catch var failure as Failure where !failure.leftovers.isEmpty {
      // A later undoing may have taken with it what an earlier one could not, as a target its logical units. A
      // secret that was written anew is not seen.
      let isSeen = !changes.contains {
        if case .setAccount(_, _, _, rewrite: true) = $0 { true } else { false }
      }
      if isSeen, let now = try? await read(whole), now.isAlike(live) { failure.leftovers = [] }
      throw failure
    }
    try await prove(changes, detail: detail, limit: options.settleLimit)
    return proposal
  }

  /// Reads back until every change is seen, since some take effect a moment after they were accepted.
  private func prove(_ changes: [Change], detail: ReadDetail, limit: Duration) async throws {
    var detail = detail
    if backend.answersAreProof {
      detail.units = .none
      // What belongs to no target, such as an account of discovery, is told by nothing else.
      detail.shared = changes.contains { $0.target == nil }
    }
    var left = limit
    var interval = Duration.milliseconds(10)
    while true {
      let state = try await read(detail)
      let missing = changes.compactMap { change in
        change.missing(in: state, backend.capabilities).map { "\(change): \($0)" }
      }
      if missing.isEmpty { return }
      guard left > .zero else {
        throw Failure(
          .notTaken, descriptor.name, "reported success, but reading back shows otherwise",
          answer: missing.joined(separator: "; "),
          remedy: "look for another program that changes it, then run the command again")
      }
      try await host.sleep(interval)
      left -= interval
      interval = min(interval * 2, .milliseconds(500))
    }
  }

  /// A volume that is not primary here must not reach an initiator, whatever exports it.
  private func refuseSecondaries(_ changes: [Change]) async throws {
    let volumes = VolumeDriver(on: host)
    let backings = changes.compactMap { change -> (subject: String, path: String)? in
      switch change {
      case .addUnit(let name, let unit), .replaceUnit(let name, let unit, _):
        if case .path(let path) = unit.backing { ("lun \(unit.lun) of \(name)", path) } else { nil }
      default: nil
      }
    }
    guard !backings.isEmpty, volumes.hasResources else { return }
    let state = try await volumes.read()
    for backing in backings {
      try volumes.refuseUnlessPrimary(backing.path, for: backing.subject, in: state)
    }
  }

  private func refuseUnsupported(_ changes: [Change], _ live: LiveState) throws {
    let capabilities = backend.capabilities
    var problems: [String] = []
    for change in changes {
      for refusal in capabilities.refusals(of: change) {
        let able = others { $0.refusals(of: change).isEmpty }
        problems.append("\(change): \(descriptor.name) cannot express \(refusal)\(able)")
      }
    }
    for refusal in capabilities.refusals(ofAll: changes, on: live) {
      let able = others { $0.refusals(ofAll: changes, on: live).isEmpty }
      problems.append("\(descriptor.name) cannot express \(refusal)\(able)")
    }
    guard !problems.isEmpty else { return }
    throw Failure(
      .unsupported, descriptor.name,
      "cannot do what is asked, nothing was changed: " + problems.joined(separator: "; "))
  }

  /// Which other implementations can do something, as the end of a sentence.
  private func others(that can: (Capabilities) -> Bool) -> String {
    let names = ImplementationChoice.all.filter { other in
      guard other.name != descriptor.name, let backend = try? other.make([:]) else { return false }
      return can(backend.capabilities)
    }.map(\.name)
    return names.isEmpty ? "" : ", \(names.joined(separator: " and ")) can"
  }
}

extension LiveState {
  /// Whether two states are the same but for sessions, which end and begin by themselves.
  fileprivate func isAlike(_ other: LiveState) -> Bool {
    var (mine, theirs) = (self, other)
    for name in mine.targets.keys { mine.targets[name]?.sessions = [] }
    for name in theirs.targets.keys { theirs.targets[name]?.sessions = [] }
    return mine == theirs
  }
}

extension ReadDetail {
  /// The same and the parameters of some targets, with what all targets share.
  fileprivate func with(_ names: Set<TargetName>) -> ReadDetail {
    var detail = self
    if case .some(let already) = parameters {
      detail.parameters = .some(already.union(names))
    } else if parameters == .none {
      detail.parameters = .some(names)
    }
    detail.shared = true
    return detail
  }
}

extension Implementation {
  /// What must be read to plan some changes and to see their effect.
  private static func detail(for changes: [Change]) -> ReadDetail {
    var names: Set<TargetName> = []
    var shared = false
    for change in changes {
      switch change {
      case .setParameter(let name, _, _), .setAttribute(let name, _, _), .closeSession(let name, _),
        .deleteTarget(let name, _):
        names.insert(name)
      case .removeUnit(let name, _, _), .replaceUnit(let name, _, _): names.insert(name)
      default: break
      }
      switch change {
      // What is removed may have been shared, or left apart from its target by a killed run.
      case .setAccount, .clearAccount, .addPortal, .removePortal, .addUnit, .replaceUnit, .removeUnit,
        .deleteTarget:
        shared = true
      default: break
      }
    }
    return ReadDetail(parameters: .some(names), shared: shared)
  }

  /// Targets whose connections or parameters a plan needs, and that the first read did not bring: with initiators
  /// logged in, or about to be deleted.
  private static func targetsToReadFully(_ changes: [Change], _ live: LiveState) -> Set<TargetName> {
    var names: Set<TargetName> = []
    for change in changes {
      guard let name = change.target, let target = live.targets[name], target.parameters.isEmpty else {
        continue
      }
      switch change {
      case .deleteTarget, .removeUnit, .replaceUnit: names.insert(name)
      default: break
      }
    }
    return names
  }

  /// What is allowed and yet worth a word.
  private func warnings(_ changes: [Change], _ live: LiveState) -> [String] {
    var list = targetsWithoutUnitZero(changes, live)
    for change in changes {
      if case .setAccount(let name, let direction, let account, let rewrite) = change {
        if let warning = account.warning { list.append(warning) }
        if !rewrite, keepsSecret(account, direction, of: name, live) {
          list.append(
            "account \(account.user) is there already and keeps its secret; "
              + "`quartet chap set` or `apply --rewrite-secrets` sets it anew")
        }
      }
    }
    return list
  }

  /// Whether an account is there with a secret that is, or may be, another one.
  private func keepsSecret(
    _ account: CHAPAccount, _ direction: CHAPDirection, of name: TargetName?, _ live: LiveState
  ) -> Bool {
    if live.accounts.contains(account.user) { return true }
    let chap = name.map { live.targets[$0]?.chap ?? CHAPAccounts() } ?? live.discovery
    let known = (direction == .incoming ? chap.incoming : [chap.outgoing].compactMap { $0 })
      .first { $0.user == account.user }
    return known.map { $0.secret == nil || $0.secret != account.secret } ?? false
  }

  private func targetsWithoutUnitZero(_ changes: [Change], _ live: LiveState) -> [String] {
    guard let consequence = backend.capabilities.withoutUnitZero else { return [] }
    var after = live
    for change in changes { after.apply(change) }
    let touched = Set(changes.filter { $0.lun != nil }.compactMap(\.target))
    return touched.sorted().compactMap { name in
      guard let units = after.targets[name]?.units, !units.isEmpty,
        !units.keys.contains(where: { $0.number == 0 })
      else { return nil }
      return "target \(name) has no lun 0: \(consequence)"
    }
  }
}
