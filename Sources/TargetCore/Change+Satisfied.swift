extension Change {
  /// What of this change is not to be seen in a state read back; nil when all is there that can be seen.
  ///
  /// Settings that the implementation does not tell (nil in `state`) cannot be missed.
  public func missing(in state: LiveState, _ capabilities: Capabilities) -> String? {
    switch self {
    case .createTarget(let name, let id):
      guard let target = state.targets[name] else { return "the target is not there" }
      return id == nil || target.id == nil || target.id == id ? nil : "the target has another number"
    case .deleteTarget(let name, _): return state.targets[name] == nil ? nil : "the target is still there"
    case .enableTarget(let name):
      return state.targets[name]?.enabled == true ? nil : "the target is not enabled"
    case .disableTarget(let name):
      return state.targets[name]?.enabled == false ? nil : "the target is still enabled"
    case .addUnit(let name, let unit), .replaceUnit(let name, let unit, _):
      guard let now = state.targets[name]?.units[unit.lun] else { return "the logical unit is not there" }
      if unit.backing != now.backing, now.backing != .unread { return "its backing is \(now.backing)" }
      return missing(unit, in: now)
    case .setUnit(let name, let unit):
      guard let now = state.targets[name]?.units[unit.lun] else { return "the logical unit is not there" }
      return missing(unit, in: now)
    case .resizeUnit(let name, let lun, let size):
      guard let now = state.targets[name]?.units[lun] else { return "the logical unit is not there" }
      guard let size, let shown = now.size, shown != size else { return nil }
      return "its size is \(shown) bytes, not \(size)"
    case .removeUnit(let name, let lun, _):
      return state.targets[name]?.units[lun] == nil ? nil : "the logical unit is still there"
    case .setParameter(let name, let parameter, let value):
      guard let now = state.targets[name]?.parameters[parameter] else { return nil }
      let wanted = capabilities.parameterReadsAs[parameter]?[value] ?? value
      return now == wanted ? nil : "it is \(now)"
    case .setAttribute(let name, let attribute, let value):
      guard let now = state.targets[name]?.attributes[attribute] else { return nil }
      return now == value ? nil : "it is \(now)"
    case .allow(let name, let initiator):
      return state.targets[name]?.initiators.contains(initiator) == true ? nil : "it is not in the list"
    case .deny(let name, let initiator):
      return state.targets[name]?.initiators.contains(initiator) == true ? "it is still in the list" : nil
    case .setAccount(let name, let direction, let account, _):
      return accounts(of: name, in: state)?.contains(account.user, direction) == true
        ? nil : "the account is not there"
    case .clearAccount(let name, let direction, let user):
      return accounts(of: name, in: state)?.contains(user, direction) == true
        ? "the account is still there" : nil
    case .addPortal(let name, let portal):
      return portals(of: name, in: state).contains(portal) ? nil : "the portal is not there"
    case .removePortal(let name, let portal):
      return portals(of: name, in: state).contains(portal) ? "the portal is still there" : nil
    case .closeSession(let name, let id):
      let open = state.targets[name]?.sessions.contains { $0.id == id } == true
      return open ? "the session is still open" : nil
    }
  }

  private func missing(_ unit: LogicalUnit, in now: LogicalUnit) -> String? {
    for field in unit.differences(from: now) {
      return "its \(field.rawValue) is \(now[field] ?? "not set")"
    }
    for (name, value) in unit.attributes.sorted(by: { $0.key < $1.key }) {
      if let found = now.attributes[name], found != value { return "its \(name) is \(found)" }
    }
    return nil
  }

  private func accounts(of name: TargetName?, in state: LiveState) -> CHAPAccounts? {
    guard let name else { return state.discovery }
    return state.targets[name]?.chap
  }

  private func portals(of name: TargetName?, in state: LiveState) -> Set<Portal> {
    guard let name else { return state.portals }
    return state.targets[name]?.portals ?? []
  }
}
