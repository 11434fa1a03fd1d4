import HostInterface
import TargetCore

/// Where logical units are shown, as they were found and as the plan has it so far.
extension SCSTPlanner {
  // MARK: What was found

  /// The target's own map and those of its groups, as far as they were found.
  func foundPlaces(of name: TargetName) -> [Place] {
    let groups = state.facts[SCSTFact.groups(name)]?.split(separator: "\n").map(String.init) ?? []
    return [.everyone] + groups.map(Place.group)
  }

  /// The initiators of a group that was found.
  func members(of group: String, _ name: TargetName) -> [ISCSIName] {
    (state.facts[SCSTFact.members(name, group)] ?? "").split(separator: "\n").compactMap(
      ISCSIName.init(asFound:))
  }

  /// The groups that an initiator is in; one that the plan lets in gets a group of its own name.
  func groups(of initiator: ISCSIName, _ name: TargetName) -> [String] {
    state.facts[SCSTFact.groups(name, of: initiator)]?.split(separator: "\n").map(String.init)
      ?? [initiator.description]
  }

  /// Whether a group is one that Quartet made for one initiator.
  func isOwn(_ group: String, _ name: TargetName) -> Bool {
    members(of: group, name).map(\.description) == [group]
  }

  /// Whether a place that was found is still there: the group of an initiator goes with it.
  private func stands(_ place: Place, _ target: Target) -> Bool {
    switch place {
    case .everyone: return target.initiators.contains(.all)
    case .group(let group):
      guard isOwn(group, target.name) else { return true }
      return target.initiators.contains { $0.description == group }
    }
  }

  // MARK: What is meant

  func isForAll(_ unit: LogicalUnit) -> Bool { unit.initiators?.contains(.all) ?? true }

  func isShown(_ unit: LogicalUnit, to initiator: ISCSIName) -> Bool {
    unit.initiators.map { $0.contains(.name(initiator)) || $0.contains(.all) } ?? true
  }

  /// The places at which a logical unit is to be shown.
  func places(of unit: LogicalUnit, _ target: Target) -> Set<Place> {
    var places: Set<Place> = target.initiators.contains(.all) && isForAll(unit) ? [.everyone] : []
    for case .name(let initiator) in target.initiators where isShown(unit, to: initiator) {
      places.formUnion(groups(of: initiator, target.name).map(Place.group))
    }
    return places
  }

  /// Whether the plan will let somebody in who sees a logical unit.
  private func isAwaited(_ unit: LogicalUnit, at name: TargetName) -> Bool {
    (state.arriving[name] ?? []).contains { initiator in
      switch initiator {
      case .all: isForAll(unit)
      case .name(let initiator): isShown(unit, to: initiator)
      case .address, .network: false
      }
    }
  }

  /// The places that show a logical unit now.
  func mapped(_ unit: LogicalUnit, _ target: Target) -> [Place] {
    let name = target.name
    guard state.facts[SCSTFact.device(name, unit.lun)] != nil else {
      let places = places(of: unit, target)
      return places.isEmpty && !isAwaited(unit, at: name) ? [.nobody] : places.sorted()
    }
    let found = foundPlaces(of: name).filter { place in
      state.facts[SCSTFact.mapped(name, place, unit.lun)] != nil && stands(place, target)
    }
    // Who was the last to see it was denied by this plan.
    return found.isEmpty ? [.nobody] : found
  }

  // MARK: Steps

  /// Maps a device: `DEVICE`, or `DEVICE read_only`.
  func mapping(_ shown: String, at lun: LUN, _ place: Place, of name: TargetName, verb: String = "add")
    -> Operation
  {
    let words = shown.split(separator: " ")
    let options = words.count > 1 ? " read_only=1" : ""
    return command(
      place.luns(of: name) + "/mgmt", "\(verb) \(words.first ?? "") \(lun)\(options)",
      .exists(path: Text(place.unit(lun, of: name))))
  }

  private func unmapping(_ lun: LUN, _ place: Place, of name: TargetName) -> Operation {
    command(place.luns(of: name) + "/mgmt", "del \(lun)", .absent(path: Text(place.unit(lun, of: name))))
  }

  /// What a map says of a logical unit: as it was found there, or as it is meant.
  func shown(_ unit: LogicalUnit, at place: Place, of name: TargetName) throws -> String {
    if let found = state.facts[SCSTFact.mapped(name, place, unit.lun)] { return found }
    let device = try state.facts[SCSTFact.device(name, unit.lun)] ?? device(for: unit, of: name).name
    return device + (unit.readOnly == true ? " read_only" : "")
  }

  func map(
    _ unit: LogicalUnit, at place: Place, of name: TargetName, verb: String = "add", as text: String? = nil
  )
    throws -> Step
  {
    step(
      mapping(try text ?? shown(unit, at: place, of: name), at: unit.lun, place, of: name, verb: verb),
      undo: [unmapping(unit.lun, place, of: name)])
  }

  func unmap(_ unit: LogicalUnit, from place: Place, of name: TargetName) throws -> Step {
    step(
      unmapping(unit.lun, place, of: name),
      undo: [mapping(try shown(unit, at: place, of: name), at: unit.lun, place, of: name)])
  }

  func groupCreation(_ group: String, of name: TargetName) -> Operation {
    command(
      SCSTPaths.target(name) + "/ini_groups/mgmt", "create \(group)",
      .exists(path: Text(SCSTPaths.group(name, group))))
  }

  private func groupDeletion(_ group: String, of name: TargetName) -> Operation {
    command(
      SCSTPaths.target(name) + "/ini_groups/mgmt", "del \(group)",
      .absent(path: Text(SCSTPaths.group(name, group))))
  }

  func makeGroup(_ group: String, of name: TargetName) -> Step {
    step(groupCreation(group, of: name), undo: [groupDeletion(group, of: name)])
  }

  /// Deletes a group with its map.
  private func deleteGroup(_ group: String, of target: Target, showing units: [LogicalUnit]) throws -> Step {
    let name = target.name
    let maps = try units.map { unit in
      mapping(try shown(unit, at: .group(group), of: name), at: unit.lun, .group(group), of: name)
    }
    return step(groupDeletion(group, of: name), undo: [groupCreation(group, of: name)] + maps)
  }

  func addition(of initiator: ISCSIName, to group: String, of name: TargetName) -> Operation {
    let folder = SCSTPaths.group(name, group) + "/initiators"
    return command(folder + "/mgmt", "add \(initiator)", .exists(path: Text("\(folder)/\(initiator)")))
  }

  private func removal(of initiator: ISCSIName, from group: String, of name: TargetName) -> Operation {
    let folder = SCSTPaths.group(name, group) + "/initiators"
    return command(folder + "/mgmt", "del \(initiator)", .absent(path: Text("\(folder)/\(initiator)")))
  }

  // MARK: Nobody

  /// Puts a logical unit where nobody sees it; it may be there still from a run that was killed.
  func park(_ unit: LogicalUnit, of name: TargetName, as text: String? = nil) throws -> [Step] {
    guard case .group(let room) = Place.nobody else { return [] }
    let isThere = state.facts[SCSTFact.members(name, room)] != nil
    return (isThere ? [] : [makeGroup(room, of: name)])
      + [try map(unit, at: .nobody, of: name, verb: "replace", as: text)]
  }

  /// Takes logical units that others see now from where nobody sees them.
  func unpark(at target: Target, seenBy sees: (LogicalUnit) -> Bool) throws -> [Step] {
    guard case .group(let room) = Place.nobody else { return [] }
    let name = target.name
    let parked = target.units.values.filter { mapped($0, target).contains(.nobody) }.sorted {
      $0.lun < $1.lun
    }
    let seen = parked.filter(sees)
    guard !seen.isEmpty else { return [] }
    if seen.count == parked.count { return [try deleteGroup(room, of: target, showing: seen)] }
    return try seen.map { try unmap($0, from: .nobody, of: name) }
  }

  // MARK: Initiators

  func allow(_ initiator: Initiator, at name: TargetName) throws -> [Step] {
    let target = try target(name)
    guard !target.initiators.contains(initiator) else {
      throw Failure(.exists, "initiator \(initiator) of \(name)", "may log in already")
    }
    let units = target.units.values.sorted { $0.lun < $1.lun }
    switch initiator {
    case .all:
      let shown = units.filter(isForAll)
      let steps = try shown.map { try map($0, at: .everyone, of: name) }
      return steps + (shown.isEmpty ? [makeGroup(Place.marker, of: name)] : [])
        + (try unpark(at: target, seenBy: isForAll))
    case .name(let node):
      guard SCSTToken.isOne(node.description) else {
        throw Failure(.unsupported, "initiator \(node)", "has an '=' or ';', which SCST reads as syntax")
      }
      return try allow(node, at: target, units)
    case .address, .network: return []
    }
  }

  /// Gives an initiator a group of its own name, and comes in behind its map: a session that is open sees all of it
  /// at once.
  private func allow(_ node: ISCSIName, at target: Target, _ units: [LogicalUnit]) throws -> [Step] {
    let name = target.name
    let (group, place) = (node.description, Place.group(node.description))
    let isThere = state.facts[SCSTFact.members(name, group)] != nil
    var steps = isThere ? [] : [makeGroup(group, of: name)]
    for unit in units {
      switch (isShown(unit, to: node), isThere && state.facts[SCSTFact.mapped(name, place, unit.lun)] != nil)
      {
      // What a group shows that stands already may be another device.
      case (true, false): steps.append(try map(unit, at: place, of: name, verb: isThere ? "replace" : "add"))
      case (false, true): steps.append(try unmap(unit, from: place, of: name))
      default: break
      }
    }
    steps += try unpark(at: target) { isShown($0, to: node) }
    steps.append(
      step(addition(of: node, to: group, of: name), undo: [removal(of: node, from: group, of: name)]))
    return steps
  }

  func deny(_ initiator: Initiator, at name: TargetName) throws -> [Step] {
    var target = try target(name)
    guard target.initiators.contains(initiator) else {
      throw Failure(.notFound, "initiator \(initiator) of \(name)", "is not among those who may log in")
    }
    let before = target
    target.initiators.remove(initiator)
    var steps: [Step] = []
    // What nobody will see any more gets its room before it loses its place.
    for unit in target.units.values.sorted(by: { $0.lun < $1.lun })
    where !mapped(unit, before).contains(.nobody) && mapped(unit, target) == [.nobody] {
      steps += try park(unit, of: name)
    }
    switch initiator {
    case .all:
      let shown = before.units.values.filter { mapped($0, before).contains(.everyone) }.sorted {
        $0.lun < $1.lun
      }
      if let first = shown.first {
        let maps = try shown.map { unit in
          mapping(try self.shown(unit, at: .everyone, of: name), at: unit.lun, .everyone, of: name)
        }
        let clearing = command(
          Place.everyone.luns(of: name) + "/mgmt", "clear",
          .absent(path: Text(Place.everyone.unit(first.lun, of: name))))
        steps.append(step(clearing, undo: maps))
      }
      if state.facts[SCSTFact.members(name, Place.marker)] != nil {
        steps.append(
          step(groupDeletion(Place.marker, of: name), undo: [groupCreation(Place.marker, of: name)]))
      }
    case .name(let node):
      // SCST deletes no group with a session in it; taking the initiator out takes its sessions out.
      let isLoggedIn = target.sessions.contains { $0.initiator == node.description }
      for group in groups(of: node, name) {
        let taking = step(
          removal(of: node, from: group, of: name), undo: [addition(of: node, to: group, of: name)])
        guard isOwn(group, name) else {
          steps.append(taking)
          continue
        }
        let shown = before.units.values.filter { mapped($0, before).contains(.group(group)) }
        var deletion = try deleteGroup(group, of: target, showing: shown.sorted { $0.lun < $1.lun })
        // Undone, the initiator comes before the map: what stops in between leaves a group that shows nothing.
        if isLoggedIn { steps.append(taking) } else { deletion.undo.insert(contentsOf: taking.undo, at: 1) }
        steps.append(deletion)
      }
    case .address, .network: break
    }
    return steps
  }

  /// Shows a logical unit to others than before.
  func setAudience(_ unit: LogicalUnit, _ now: LogicalUnit, _ target: Target) throws -> [Step] {
    guard let audience = unit.initiators else { return [] }
    let name = target.name
    var wanted = now
    wanted.initiators = audience
    let old = Set(mapped(now, target))
    var new = places(of: wanted, target)
    // A group that somebody else made, without initiators, is none of theirs.
    new.formUnion(old.filter { $0 != .nobody && isWithoutInitiators($0, name) })
    try checkGroups(wanted, target)
    var steps = try new.subtracting(old).sorted().map { try map(now, at: $0, of: name) }
    if new.isEmpty { steps += old.contains(.nobody) ? [] : try park(now, of: name) }
    if !new.isEmpty || !old.contains(.nobody) {
      steps += try old.subtracting(new).sorted().map { try unmap(now, from: $0, of: name) }
    }
    return steps
  }

  private func isWithoutInitiators(_ place: Place, _ name: TargetName) -> Bool {
    guard case .group(let group) = place else { return false }
    return state.facts[SCSTFact.members(name, group)]?.isEmpty == true
  }

  /// The initiators of one group see the same.
  private func checkGroups(_ unit: LogicalUnit, _ target: Target) throws {
    for case .group(let group) in foundPlaces(of: target.name) {
      let members = members(of: group, target.name).filter { target.initiators.contains(.name($0)) }
      let seeing = members.filter { isShown(unit, to: $0) }
      guard !seeing.isEmpty, seeing.count < members.count else { continue }
      throw Failure(
        .unsupported, "lun \(unit.lun) of \(target.name)",
        "cannot be shown to \(seeing[0]) alone, since the group \(group) has other initiators, too",
        remedy: "deny and allow \(seeing[0]), which gives it a group of its own")
    }
  }
}
