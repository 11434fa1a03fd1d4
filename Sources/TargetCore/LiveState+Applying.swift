extension LiveState {
  /// Takes a change into the model, as if an implementation had done it.
  ///
  /// The planner plans later changes on the result; what depends on the implementation (such as which sessions a
  /// closed target keeps) is left to the next read.
  public mutating func apply(_ change: Change) {
    switch change {
    case .createTarget(let name, let id): targets[name] = Target(name: name, id: id)
    case .deleteTarget(let name, _): targets[name] = nil
    case .enableTarget(let name): targets[name]?.enabled = true
    case .disableTarget(let name): targets[name]?.enabled = false
    case .addUnit(let name, let unit), .replaceUnit(let name, let unit, _):
      targets[name]?.units[unit.lun] = unit
    case .setUnit(let name, let unit): targets[name]?.units[unit.lun]?.take(unit)
    case .resizeUnit(let name, let lun, let size): targets[name]?.units[lun]?.size = size
    case .removeUnit(let name, let lun, _): targets[name]?.units[lun] = nil
    case .setParameter(let name, let parameter, let value): targets[name]?.parameters[parameter] = value
    case .setAttribute(let name, let attribute, let value): targets[name]?.attributes[attribute] = value
    case .allow(let name, let initiator):
      targets[name]?.initiators.insert(initiator)
      targets[name]?.unfinishedInitiators.remove(initiator)
    case .deny(let name, let initiator):
      targets[name]?.initiators.remove(initiator)
      targets[name]?.unfinishedInitiators.remove(initiator)
    case .setAccount(let name, let direction, let account, _):
      accounts.insert(account.user)
      withAccounts(of: name) { $0.set(account, direction) }
    case .clearAccount(let name, let direction, let user):
      withAccounts(of: name) { $0.clear(user, direction) }
    case .addPortal(let name, let portal):
      guard let name else { return _ = portals.insert(portal) }
      // A new target has no set of portals yet.
      if let now = targets[name] { targets[name]?.portals = (now.portals ?? []).union([portal]) }
    case .removePortal(let name, let portal):
      if let name { targets[name]?.portals?.remove(portal) } else { portals.remove(portal) }
    case .closeSession(let name, let id): targets[name]?.sessions.removeAll { $0.id == id }
    }
  }

  private mutating func withAccounts(of name: TargetName?, _ body: (inout CHAPAccounts) -> Void) {
    guard let name else { return body(&discovery) }
    if var chap = targets[name]?.chap {
      body(&chap)
      targets[name]?.chap = chap
    }
  }
}

extension CHAPAccounts {
  mutating func set(_ account: CHAPAccount, _ direction: CHAPDirection) {
    switch direction {
    case .incoming:
      if let index = incoming.firstIndex(where: { $0.user == account.user }) {
        incoming[index] = account
      } else {
        incoming.append(account)
      }
    case .outgoing: outgoing = account
    }
  }

  mutating func clear(_ user: CHAPUser, _ direction: CHAPDirection) {
    switch direction {
    case .incoming: incoming.removeAll { $0.user == user }
    case .outgoing: if outgoing?.user == user { outgoing = nil }
    }
  }

  /// Whether the account is there.
  public func contains(_ user: CHAPUser, _ direction: CHAPDirection) -> Bool {
    switch direction {
    case .incoming: incoming.contains { $0.user == user }
    case .outgoing: outgoing?.user == user
    }
  }
}

extension LogicalUnit {
  /// Takes over every setting that `other` names.
  mutating func take(_ other: LogicalUnit) {
    for field in UnitField.allCases { if let value = other[field] { self[field] = value } }
    attributes.merge(other.attributes) { $1 }
    if let audience = other.initiators { initiators = audience }
  }
}
