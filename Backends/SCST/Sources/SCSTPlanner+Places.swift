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

  func groupDeletion(_ group: String, of name: TargetName) -> Operation {
    command(
      SCSTPaths.target(name) + "/ini_groups/mgmt", "del \(group)",
      .absent(path: Text(SCSTPaths.group(name, group))))
  }

  func makeGroup(_ group: String, of name: TargetName) -> Step {
    step(groupCreation(group, of: name), undo: [groupDeletion(group, of: name)])
  }

  /// Deletes a group with its map.
  func deleteGroup(_ group: String, of target: Target, showing units: [LogicalUnit]) throws -> Step {
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

  func removal(of initiator: ISCSIName, from group: String, of name: TargetName) -> Operation {
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
}
