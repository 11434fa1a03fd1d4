import HostInterface
import TargetCore

/// Who may log in, and who sees what.
extension SCSTPlanner {
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
      let text = node.description
      guard SCSTToken.isOne(text), text != "mgmt", Place.group(text) != .nobody, text != Place.marker
      else {
        throw Failure(
          .unsupported, "initiator \(node)", "cannot be named to SCST, to which that is syntax or a word")
      }
      // What another implementation reads as a regular expression would match something else here.
      guard text.utf8.allSatisfy({ !#"\[](){}|^$+"#.utf8.contains($0) }) else {
        throw Failure(
          .unsupported, "initiator \(node)", "is no pattern of SCST's, which has '*' and '?'",
          remedy: "name the initiators, or use '*' and '?'")
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
