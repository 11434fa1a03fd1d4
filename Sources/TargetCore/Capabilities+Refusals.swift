import HostInterface

extension Capabilities {
  /// What a change asks for that cannot be expressed; empty when all of it can.
  public func refusals(of change: Change) -> [String] {
    switch change {
    case .createTarget(_, let id): return refusals(ofID: id)
    case .addUnit(_, let unit), .replaceUnit(_, let unit, _): return refusals(of: unit)
    case .setUnit(_, let unit): return refusals(of: unit) + refusalsInPlace(unit)
    case .setParameter(_, let parameter, let value): return refusals(of: parameter, value)
    case .setAttribute(_, let name, let value):
      if value.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value > 0x7e }) {
        return ["attribute \(name) of a target with a control character"]
      }
      return targetAttributes.contains(name) ? [] : ["attribute \(name) of a target"]
    case .allow(_, let initiator):
      return initiatorKinds.contains(initiator.kind)
        ? [] : ["access by \(initiator.kind.rawValue) (\(initiator))"]
    case .setAccount(nil, _, _, _) where !discoveryCHAP: return ["CHAP for discovery"]
    case .setAccount(_, .outgoing, _, _): return mutualCHAP ? [] : ["mutual CHAP"]
    case .addPortal(let name, let portal):
      var list: [String] = []
      if name != nil, portalScope == .implementation { list.append("portals of one target") }
      if portal.iser, !iser { list.append("iSER portals (\(portal))") }
      return list
    case .resizeUnit:
      return resizesUnits ? [] : ["a resize of a logical unit that exists (replace the logical unit)"]
    case .deleteTarget, .enableTarget, .disableTarget, .removeUnit, .deny, .clearAccount, .removePortal,
      .closeSession, .setAccount:
      return []
    }
  }

  /// What changes ask for together, on a state, that cannot be expressed although each alone can.
  public func refusals(ofAll changes: [Change], on live: LiveState) -> [String] {
    guard let limit = incomingAccountLimit else { return [] }
    var users: [TargetName: Set<CHAPUser>] = [:]
    for change in changes {
      guard let name = change.target else { continue }
      var now = users[name] ?? Set(live.targets[name]?.chap.incoming.map(\.user) ?? [])
      switch change {
      case .setAccount(_, .incoming, let account, _): now.insert(account.user)
      case .clearAccount(_, .incoming, let user): now.remove(user)
      default: continue
      }
      users[name] = now
    }
    return users.filter { $0.value.count > limit }.sorted { $0.key < $1.key }.map { name, now in
      "\(now.count) incoming CHAP accounts of \(name), at most \(limit) is allowed"
    }
  }

  private func refusals(ofID id: UInt32?) -> [String] {
    guard let id else { return [] }
    guard let targetIDs else { return ["a number for a target (\(id))"] }
    return targetIDs.contains(id)
      ? [] : ["target number \(id), \(targetIDs.lowerBound) to \(targetIDs.upperBound) are allowed"]
  }

  private func refusals(of parameter: SessionParameter, _ value: String) -> [String] {
    guard let domain = parameters[parameter] else {
      let note = parameterNotes[parameter].map { " (\($0))" } ?? ""
      return ["parameter \(parameter.rawValue)\(note)"]
    }
    if case .number(let range) = domain, let number = Int(value), !range.contains(number) {
      let bounds = "\(range.lowerBound) to \(range.upperBound) are allowed"
      return ["parameter \(parameter.rawValue) of \(value), \(bounds)"]
    }
    if case .only(let fixed) = domain, value != fixed {
      return ["parameter \(parameter.rawValue) of \(value), it is always \(fixed)"]
    }
    return []
  }

  private func refusals(of unit: LogicalUnit) -> [String] {
    var list: [String] = []
    if !luns.contains(Int(unit.lun.number)) {
      list.append("lun \(unit.lun), \(luns.lowerBound) to \(luns.upperBound) are allowed")
    }
    for field in UnitField.allCases {
      guard let value = unit[field] else { continue }
      guard let longest = unitFields[field] else {
        list.append("\(field.rawValue) of a logical unit")
        continue
      }
      if value.utf8.count > longest {
        list.append("\(field.rawValue) of \(value.utf8.count) bytes, at most \(longest) are allowed")
      }
    }
    if let type = unit.deviceType, !deviceTypes.contains(type) { list.append("device type \(type.rawValue)") }
    if let size = unit.blockSize, !blockSizes.contains(size) {
      let allowed = blockSizes.sorted().map(String.init).joined(separator: ", ")
      list.append("block size \(size), \(allowed) are allowed")
    }
    if let audience = unit.initiators, audience != [.all] {
      if !unitInitiators { list.append("a logical unit for some initiators only") }
      list += audience.filter { !initiatorKinds.contains($0.kind) }.map { "a logical unit for \($0)" }
    }
    for name in unit.attributes.keys.sorted() where !unitAttributes.contains(name) {
      list.append("attribute \(name) of a logical unit")
    }
    list += refusalsOfTexts(unit)
    return list
  }

  private func refusalsOfTexts(_ unit: LogicalUnit) -> [String] {
    var list: [String] = []
    let reserved = reservedCharacters.union(reservedPathCharacters)
    if case .path(let path) = unit.backing, let bad = path.first(where: reserved.contains) {
      list.append("a backing path with '\(bad)' (make a symbolic link to \(path) and use that)")
    }
    let texts =
      UnitField.allCases.compactMap { field in unit[field].map { (field.rawValue, $0) } }
      + unit.attributes.sorted { $0.key < $1.key }
    for (name, text) in texts {
      let control = text.unicodeScalars.contains { $0.value < 0x20 || $0.value > 0x7e }
      if control || text.contains(where: reservedCharacters.contains) {
        list.append("\(name) of a logical unit with a control character or one of its own syntax")
      }
    }
    return list
  }

  private func refusalsInPlace(_ unit: LogicalUnit) -> [String] {
    let fields = fixedUnitFields.filter { unit[$0] != nil }.map(\.rawValue)
    return (fields + fixedUnitAttributes.intersection(unit.attributes.keys)).sorted().map {
      "\($0) of a logical unit that exists (replace the logical unit)"
    }
  }
}
