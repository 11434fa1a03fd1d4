import HostInterface

/// When in a plan a change happens: what closes comes first, what opens comes last.
///
/// *Quiet before removal*: logins are refused and sessions closed before logical units and targets go. *Identity
/// before export* is each backend's own: one change's steps stand in one chain. *Closed before open*: accounts and
/// access stand before portals and the enabling that would let someone in.
enum Phase: Int, CaseIterable {
  case refuseLogins, removePortals, closeSessions, removeUnits, deleteTargets, createTargets, configure,
    units,
    clearAccounts, addPortals, enableClosed, access, enable

  /// - Parameters:
  ///   - created: The targets that the same plan creates; they can only be changed after that.
  ///   - closed: The targets that let nobody in before the plan does. They are enabled before they do: a run that
  ///     is killed leaves none behind that is whole and out of service, which nobody could tell from one that is
  ///     meant to be.
  init(_ change: Change, created: Set<TargetName>, closed: (TargetName) -> Bool) {
    switch change {
    case .disableTarget(let name) where created.contains(name): self = .configure
    case .disableTarget, .deny: self = .refuseLogins
    case .removePortal: self = .removePortals
    case .closeSession: self = .closeSessions
    case .removeUnit: self = .removeUnits
    case .deleteTarget: self = .deleteTargets
    case .createTarget: self = .createTargets
    case .setParameter, .setAttribute, .setAccount: self = .configure
    case .addUnit, .replaceUnit, .setUnit, .resizeUnit: self = .units
    case .clearAccount: self = .clearAccounts
    case .allow: self = .access
    case .addPortal: self = .addPortals
    case .enableTarget(let name): self = closed(name) ? .enableClosed : .enable
    }
  }

  var title: String {
    switch self {
    case .refuseLogins: "refuse logins"
    case .removePortals: "remove portals"
    case .closeSessions: "close sessions"
    case .removeUnits: "remove logical units"
    case .deleteTargets: "delete targets"
    case .createTargets: "create targets"
    case .configure: "set accounts, parameters and attributes"
    case .units: "add and change logical units"
    case .clearAccounts: "clear accounts"
    case .addPortals: "add portals"
    case .enableClosed: "enable targets that let nobody in yet"
    case .access: "allow initiators"
    case .enable: "enable targets"
    }
  }
}

/// Turns changes into a plan, in time linear in their number.
public struct Planner: Sendable {
  private let backend: any TargetBackend

  /// A planner for one backend.
  public init(backend: any TargetBackend) { self.backend = backend }

  /// The plan that makes all changes, from a state.
  ///
  /// - Throws: ``Failure`` when a change is about something that is not there, or that the backend refuses.
  public func plan(_ changes: [Change], from live: LiveState) throws -> Plan {
    var state = live
    var numbers = TargetNumbers(live)
    var byPhase = [[Change]](repeating: [], count: Phase.allCases.count)
    let created = Set(
      changes.compactMap { if case .createTarget(let name, _) = $0 { name } else { nil } })
    func isClosed(_ name: TargetName) -> Bool { live.targets[name]?.initiators.isEmpty ?? true }
    let preludes = preludes(to: changes, in: live, created: created)
    // A step says for which of the changes that were asked for it is.
    let reasons = Dictionary(preludes.map { ($0.part, $0.whole.description) }) { first, _ in first }
    for change in preludes.map(\.part) + changes {
      byPhase[Phase(change, created: created, closed: isClosed).rawValue].append(change)
    }
    byPhase[Phase.createTargets.rawValue].sortNumberedFirst()
    for case .allow(let name, let initiator) in changes {
      state.arriving[name, default: []].insert(initiator)
    }

    var stages: [Stage] = []
    for phase in Phase.allCases {
      var chains: [Chain] = []
      var places: [Place: Int] = [:]
      for change in byPhase[phase.rawValue] {
        let change = try numbered(change, &numbers)
        try checkExistence(change, in: state)
        var steps = try backend.steps(for: change, in: state)
        let whole = reasons[change]
        if let whole { for index in steps.indices { steps[index].reason = whole } }
        if case .deleteTarget(let name, _) = change { numbers.release(state.targets[name]?.id) }
        state.apply(change)
        if case .createTarget(let name, _) = change {
          state.targets[name]?.enabled = backend.capabilities.newTargetsAreEnabled
        }
        let place = Place(target: change.target, lun: change.lun)
        if let index = places[place] {
          chains[index].steps += steps
        } else if !steps.isEmpty {
          places[place] = chains.count
          // What goes with its target is brought back with it, or not at all.
          let subject = whole == nil ? place : Place(target: change.target)
          chains.append(Chain(subject: subject.description, steps: steps))
        }
      }
      let width = phase == .removeUnits ? backend.removalConcurrency : nil
      if !chains.isEmpty { stages.append(Stage(title: phase.title, chains: chains, width: width)) }
    }
    return Plan(stages: stages)
  }

  /// What the backend wants changed before, unless the changes say so themselves or make the target anew.
  private func preludes(
    to changes: [Change], in live: LiveState, created: Set<TargetName>
  ) -> [(part: Change, whole: Change)] {
    let parts = changes.flatMap { change -> [(part: Change, whole: Change)] in
      if let name = change.target, created.contains(name) { return [] }
      return backend.prelude(to: change, in: live).map { ($0, change) }
    }
    guard !parts.isEmpty else { return [] }
    let said = Set(changes)
    let removed = Set(
      changes.filter { $0.removes && $0.lun != nil }.map { Place(target: $0.target, lun: $0.lun) })
    return parts.filter {
      !said.contains($0.part) && !removed.contains(Place(target: $0.part.target, lun: $0.part.lun))
    }
  }

  private struct Place: Hashable {
    var target: TargetName?
    var lun: LUN?
    var description: String {
      let name = target?.description ?? "the implementation"
      return lun.map { "lun \($0) of \(name)" } ?? name
    }
  }

  private func numbered(_ change: Change, _ numbers: inout TargetNumbers) throws -> Change {
    guard case .createTarget(let name, let id) = change, let range = backend.capabilities.targetIDs else {
      return change
    }
    return .createTarget(name, id: try numbers.take(id, for: name, in: range))
  }

  private func checkExistence(_ change: Change, in state: LiveState) throws {
    if case .createTarget(let name, _) = change {
      if state.targets[name]?.isUnfinished == false {
        throw Failure(.exists, "target \(name)", "is already there", remedy: "change it, or delete it first")
      }
      return
    }
    guard let name = change.target else { return try checkEntry(change, in: state, of: nil) }
    guard let target = state.targets[name] else {
      throw Failure(
        .notFound, "target \(name)", "does not exist", remedy: "see `quartet target list`")
    }
    try checkQuiet(change, target)
    try checkEntry(change, in: state, of: target)
    guard let lun = change.lun else { return }
    if case .addUnit = change {
      if let unit = target.units[lun] {
        throw Failure(.exists, "lun \(lun) of \(name)", "is already there (\(unit.backing))")
      }
    } else if target.units[lun] == nil {
      throw Failure(.notFound, "lun \(lun) of \(name)", "does not exist")
    }
  }
}

extension Planner {
  /// An entry of a list comes when it is not there, and goes when it is.
  private func checkEntry(_ change: Change, in state: LiveState, of target: Target?) throws {
    let isThere: Bool
    let (entry, remedy): (String, String)
    switch change {
    case .allow(let name, let initiator), .deny(let name, let initiator):
      let isUnfinished = change.removes && target?.unfinishedInitiators.contains(initiator) == true
      isThere = isUnfinished || target?.initiators.contains(initiator) == true
      (entry, remedy) = ("initiator \(initiator) of \(name)", "see `quartet access list`")
    case .addPortal(let name, let portal), .removePortal(let name, let portal):
      isThere = (name == nil ? state.portals : target?.portals ?? []).contains(portal)
      (entry, remedy) = ("portal \(portal)", "see `quartet portal list`")
    default: return
    }
    if change.removes {
      if !isThere { throw Failure(.notFound, entry, "does not exist", remedy: remedy) }
    } else if isThere {
      throw Failure(.exists, entry, "is already there")
    }
  }

  /// What initiators use goes only when the caller said so.
  private func checkQuiet(_ change: Change, _ target: Target) throws {
    switch change {
    case .deleteTarget(_, force: false), .removeUnit(_, _, force: false), .replaceUnit(_, _, force: false):
      guard !target.sessions.isEmpty else { return }
      // Nobody uses a logical unit without a medium, such as what is left of a run that was killed.
      if case .replaceUnit = change, let lun = change.lun, target.units[lun]?.backing == Backing.none {
        return
      }
      let who = Set(target.sessions.map(\.initiator)).sorted().joined(separator: ", ")
      throw Failure(
        .inUse, "target \(target.name)", "cannot \(change) while initiators are logged in: \(who)",
        remedy: "log them out, or use --force to close their connections first")
    default: return
    }
  }
}

extension [Change] {
  /// Puts the targets that ask for a number before those that take any, which could take it from them.
  fileprivate mutating func sortNumberedFirst() {
    func asks(_ change: Change) -> Bool { if case .createTarget(_, .some) = change { true } else { false } }
    self = filter(asks) + filter { !asks($0) }
  }
}

/// The numbers of targets, for giving new ones out.
private struct TargetNumbers {
  private var owners: [UInt32: TargetName]
  private var highest: UInt32

  init(_ state: LiveState) {
    owners = [:]
    for target in state.targets.values { if let id = target.id { owners[id] = target.name } }
    highest = owners.keys.max() ?? 0
  }

  /// Makes a number free for a target that asks for it.
  mutating func release(_ id: UInt32?) {
    if let id { owners[id] = nil }
  }

  /// Counts on from the highest, so that a number is not given again while anything may still know it; takes the
  /// lowest free one when the range is used up.
  mutating func take(_ wanted: UInt32?, for name: TargetName, in range: ClosedRange<UInt32>) throws -> UInt32
  {
    let id: UInt32
    if let wanted {
      if let owner = owners[wanted] {
        throw Failure(.exists, "target \(name)", "cannot have number \(wanted), \(owner) has it")
      }
      id = wanted
    } else if highest < range.upperBound {
      id = max(highest + 1, range.lowerBound)
    } else if let free = range.first(where: { owners[$0] == nil }) {
      id = free
    } else {
      throw Failure(.refused, "target \(name)", "cannot be created, all \(range.count) numbers are taken")
    }
    owners[id] = name
    highest = max(highest, id)
    return id
  }
}
