import HostInterface

/// Finds the changes between what is and what should be; pure, and linear in their sizes.
public struct Reconciler: Sendable {
  /// How far a reconciliation may go.
  public struct Options: Sendable, Hashable {
    /// Whether targets that are not named are deleted.
    public var prune: Bool
    /// Whether logical units and targets go although initiators are logged in.
    public var force: Bool
    /// Whether accounts that are there get their secrets anew, since no implementation lets one compare them.
    public var rewriteSecrets: Bool
    /// Targets that are not deleted although they are not named.
    public var spared: Set<TargetName> = []

    /// Options; by default none is taken.
    public init(prune: Bool = false, force: Bool = false, rewriteSecrets: Bool = false) {
      self.prune = prune
      self.force = force
      self.rewriteSecrets = rewriteSecrets
    }
  }

  private let capabilities: Capabilities
  private let options: Options

  /// A reconciler for an implementation.
  public init(capabilities: Capabilities, options: Options = Options()) {
    self.capabilities = capabilities
    self.options = options
  }

  /// The changes that turn `live` into `desired`; empty when it is so already.
  ///
  /// - Throws: ``Failure`` with code `invalid` for a desired state that contradicts itself.
  public func changes(to desired: DesiredState, from live: LiveState) throws -> [Change] {
    try checkConsistency(desired)
    var changes: [Change] = []
    if options.prune {
      let named = Set(desired.targets.map(\.name))
      for name in live.targets.keys.sorted() where !named.contains(name) && !options.spared.contains(name) {
        changes.append(.deleteTarget(name, force: options.force))
      }
    }
    if let discovery = desired.discovery {
      changes += accountChanges(of: nil, to: discovery, from: live.discovery)
    }
    for spec in desired.targets { changes += try self.changes(to: spec, from: live.targets[spec.name]) }
    return changes + sharedPortalChanges(desired, live)
  }

  private func changes(to spec: TargetSpec, from found: Target?) throws -> [Change] {
    let name = spec.name
    let live = found?.isUnfinished == true ? nil : found
    var changes: [Change] = []
    if let live {
      if let id = spec.id, let now = live.id, id != now {
        throw Failure(
          .exists, "target \(name)", "has number \(now), not \(id), which cannot be changed",
          remedy: "delete it first, or leave the number out")
      }
    } else {
      changes.append(.createTarget(name, id: spec.id))
    }
    for (parameter, value) in spec.parameters.sorted(by: { $0.key < $1.key }) {
      let reads = capabilities.parameterReadsAs[parameter]?[value] ?? value
      if live?.parameters[parameter] != reads { changes.append(.setParameter(name, parameter, value)) }
    }
    for (attribute, value) in spec.attributes.sorted(by: { $0.key < $1.key })
    where live?.attributes[attribute] != value {
      changes.append(.setAttribute(name, attribute, value))
    }
    if let chap = spec.chap {
      changes += accountChanges(of: name, to: chap, from: live?.chap ?? CHAPAccounts())
    }
    if let units = spec.units { changes += unitChanges(of: spec, to: units, from: live) }
    if let initiators = spec.initiators {
      let remnants = live?.unfinishedInitiators.subtracting(initiators) ?? []
      changes += remnants.sorted().map { .deny(name, $0) }
      changes += setChanges(Set(initiators), live?.initiators ?? [], add: { .allow(name, $0) }) {
        .deny(name, $0)
      }
    }
    if let portals = spec.portals, capabilities.portalScope == .target {
      changes += setChanges(Set(portals), live?.portals ?? [], add: { .addPortal(name, $0) }) {
        .removePortal(name, $0)
      }
    }
    switch (spec.enabled, live?.enabled) {
    case (false?, true?): changes.append(.disableTarget(name))
    case (false?, nil): if capabilities.newTargetsAreEnabled { changes.append(.disableTarget(name)) }
    case (_, nil): if !capabilities.newTargetsAreEnabled { changes.append(.enableTarget(name)) }
    case (true?, false?): changes.append(.enableTarget(name))
    case (nil, false?):
      // What lets nobody in may be what a run left behind that was killed; to serve nobody changes nothing.
      if live?.initiators.isEmpty == true, !capabilities.newTargetsAreEnabled {
        changes.append(.enableTarget(name))
      }
    default: break
    }
    return changes
  }

  private func setChanges<Member: Hashable & Comparable>(
    _ wanted: Set<Member>, _ live: Set<Member>, add: (Member) -> Change, remove: (Member) -> Change
  ) -> [Change] {
    live.subtracting(wanted).sorted().map(remove) + wanted.subtracting(live).sorted().map(add)
  }

  private func accountChanges(of name: TargetName?, to spec: CHAPSpec, from live: CHAPAccounts) -> [Change] {
    var changes: [Change] = []
    // An account of the target has no meaning without one of initiators, so that it goes before the last of those.
    if case .some(.none) = spec.outgoing, let old = live.outgoing {
      changes.append(.clearAccount(name, .outgoing, old.user))
    }
    if let incoming = spec.incoming {
      let wanted = Set(incoming.map(\.user))
      for account in live.incoming where !wanted.contains(account.user) {
        changes.append(.clearAccount(name, .incoming, account.user))
      }
      for account in incoming {
        let now = live.incoming.first { $0.user == account.user }
        if let change = accountChange(of: name, .incoming, to: account, from: now) { changes.append(change) }
      }
    }
    if case .some(.some(let account)) = spec.outgoing {
      let now = live.outgoing?.user == account.user ? live.outgoing : nil
      if let change = accountChange(of: name, .outgoing, to: account, from: now) { changes.append(change) }
    }
    return changes
  }

  /// An account that is there gets its secret anew when that is asked for, or is seen to differ.
  private func accountChange(
    of name: TargetName?, _ direction: CHAPDirection, to account: CHAPAccount, from live: CHAPAccount?
  ) -> Change? {
    let differs = live?.secret.map { $0 != account.secret } ?? false
    guard live == nil || differs || options.rewriteSecrets else { return nil }
    return .setAccount(name, direction, account, rewrite: live != nil || options.rewriteSecrets)
  }

  private func unitChanges(of spec: TargetSpec, to wanted: [LogicalUnit], from target: Target?) -> [Change] {
    let name = spec.name
    let live = target?.units ?? [:]
    let numbers = Set(wanted.map(\.lun))
    var changes = live.keys.filter { !numbers.contains($0) }.sorted().map {
      Change.removeUnit(name, $0, force: options.force)
    }
    for unit in wanted {
      guard let now = live[unit.lun] else {
        changes.append(.addUnit(name, completed(unit, of: name)))
        continue
      }
      let different = unit.differences(from: now)
      let moved = unit.backing != now.backing && now.backing != .unread
      let attributes = unit.attributes.filter { now.attributes[$0.key] != $0.value }
      if moved || different.contains(where: capabilities.fixedUnitFields.contains)
        || attributes.keys.contains(where: capabilities.fixedUnitAttributes.contains)
      {
        changes.append(.replaceUnit(name, completed(unit, of: name), force: options.force))
        continue
      }
      let audience = newAudience(of: unit, Set(spec.initiators ?? Array(target?.initiators ?? [])), spec, now)
      if !different.isEmpty || !attributes.isEmpty || audience != nil {
        var patch = LogicalUnit(lun: unit.lun, backing: unit.backing)
        for field in different { patch[field] = unit[field] }
        patch.attributes = attributes
        patch.initiators = audience
        changes.append(.setUnit(name, patch))
      }
    }
    return changes
  }

  /// Who should see a logical unit, when others do now; nil when it is so, or when nothing is said.
  ///
  /// A unit without a list of its own is for everyone whom the target's list names. Whom that does not let in cannot
  /// be seen to see it.
  ///
  /// - Parameter allowed: Who may log in.
  private func newAudience(
    of unit: LogicalUnit, _ allowed: Set<Initiator>, _ spec: TargetSpec, _ now: LogicalUnit
  ) -> [Initiator]? {
    guard let wanted = unit.initiators ?? (now.initiators == nil ? nil : spec.initiators) else { return nil }
    guard let seen = now.initiators else {
      let isForAll = wanted == [.all] || (!allowed.isEmpty && allowed.isSubset(of: wanted))
      return isForAll ? nil : wanted
    }
    let seeing = wanted == [.all] ? allowed : allowed.intersection(wanted)
    let isSo = Set(seen) == Set(wanted) || (!allowed.isEmpty && allowed.intersection(seen) == seeing)
    return isSo ? nil : wanted
  }

  /// A new logical unit with what every one has: an identity, and a cache that a power failure cannot empty.
  public func completed(_ unit: LogicalUnit, of name: TargetName) -> LogicalUnit {
    var unit = unit
    let identity = Identity.derived(target: name, lun: unit.lun)
    if unit.serial == nil, capabilities.unitFields[.serial] != nil { unit.serial = identity }
    if unit.scsiID == nil, capabilities.unitFields[.scsiID] != nil { unit.scsiID = identity }
    let isDisk = unit.deviceType ?? .disk == .disk
    if unit.cache == nil, capabilities.unitFields[.cache] != nil, isDisk, unit.backing != .none {
      unit.cache = .through
    }
    return unit
  }

  /// Portals that all targets share: those named are added; the others go only when the document speaks for
  /// every target that is there, since the others may be reached through them.
  private func sharedPortalChanges(_ desired: DesiredState, _ live: LiveState) -> [Change] {
    guard capabilities.portalScope == .implementation else { return [] }
    let named = desired.targets.compactMap(\.portals)
    guard !named.isEmpty else { return [] }
    let wanted = Set(named.joined())
    let covered = Set(desired.targets.map(\.name)).isSuperset(of: live.targets.keys) || options.prune
    let speaksForAll = covered && desired.targets.allSatisfy { $0.portals != nil }
    let gone = speaksForAll ? live.portals.subtracting(wanted).sorted() : []
    return gone.map { .removePortal(nil, $0) }
      + wanted.subtracting(live.portals).sorted().map { .addPortal(nil, $0) }
  }
}

extension Reconciler {
  /// Finds what no implementation could do.
  private func checkConsistency(_ desired: DesiredState) throws {
    var names: Set<TargetName> = []
    for spec in desired.targets {
      let place = "target \(spec.name)"
      guard names.insert(spec.name).inserted else { throw Failure(.invalid, place, "is named twice") }
      var luns: Set<LUN> = []
      for unit in spec.units ?? [] where !luns.insert(unit.lun).inserted {
        throw Failure(.invalid, place, "names lun \(unit.lun) twice")
      }
      if let users = spec.chap?.incoming?.map(\.user), Set(users).count != users.count {
        throw Failure(.invalid, place, "names an incoming CHAP account twice")
      }
      if let first = spec.parameters[.firstBurstLength].flatMap({ Int($0) }),
        let whole = spec.parameters[.maxBurstLength].flatMap({ Int($0) }), first > whole
      {
        throw Failure(
          .invalid, place,
          "has a FirstBurstLength (\(first)) over its MaxBurstLength (\(whole)) (RFC 7143 section 13.14)")
      }
    }
    if capabilities.portalScope == .implementation {
      let lists = Set(desired.targets.compactMap { $0.portals.map(Set.init) })
      if lists.count > 1 {
        throw Failure(
          .unsupported, "portals", "differ between targets, but here all targets share them",
          remedy: "name the same portals for all, or use an implementation whose targets have their own (lio)"
        )
      }
    }
    if capabilities.sharedAccounts { try checkSharedAccounts(desired) }
  }

  private func checkSharedAccounts(_ desired: DesiredState) throws {
    var secrets: [CHAPUser: Secret] = [:]
    let specs = desired.targets.compactMap(\.chap) + (desired.discovery.map { [$0] } ?? [])
    for account in specs.flatMap({ ($0.incoming ?? []) + [($0.outgoing ?? nil)].compactMap { $0 } }) {
      guard let secret = account.secret else { continue }
      if let other = secrets.updateValue(secret, forKey: account.user), other != secret {
        throw Failure(
          .unsupported, "CHAP name \(account.user)",
          "has two different secrets, but here one name has one secret for all targets",
          remedy:
            "use another name, or an implementation whose targets have their own accounts (lio, scst, iet)")
      }
    }
  }
}
