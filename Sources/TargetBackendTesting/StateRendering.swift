import TargetCore

extension LiveState {
  /// Everything that was read, a line each, secrets too: for tests, never for a log.
  public var rendering: String {
    var lines = remarks.map { "remark \($0)" }
    lines += stores.keys.sorted().map { "store \($0)" } + discovery.rendering("discovery")
    for target in targets.values.sorted(by: { $0.name < $1.name }) { lines += target.rendering }
    return lines.map { $0 + "\n" }.joined()
  }
}

extension CHAPAccounts {
  fileprivate func rendering(_ place: String) -> [String] {
    func line(_ account: CHAPAccount, _ direction: String) -> String {
      let secret = account.secret.map { $0.withBytes { String(decoding: $0, as: UTF8.self) } } ?? "unknown"
      return "\(place) \(direction) \(account.user) secret \(secret)"
    }
    return incoming.map { line($0, "incoming") } + (outgoing.map { [line($0, "outgoing")] } ?? [])
  }
}

extension Target {
  fileprivate var rendering: [String] {
    var lines = ["target \(name) id \(id.map(String.init) ?? "none")\(enabled ? "" : " disabled")"]
    lines += initiators.sorted().map { "  allows \($0)" }
    lines += (portals ?? []).sorted().map { "  portal \($0)" }
    lines += chap.rendering(" ")
    lines += parameters.sorted { $0.key < $1.key }.map { "  \($0.key.rawValue)=\($0.value)" }
    lines += attributes.sorted { $0.key < $1.key }.map { "  \($0.key)=\($0.value)" }
    for unit in units.values.sorted(by: { $0.lun < $1.lun }) {
      let fields = UnitField.allCases.compactMap { field in unit[field].map { "\(field.rawValue)=\($0)" } }
      let size = unit.size.map { " size=\($0)" } ?? ""
      let attributes = unit.attributes.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
      lines.append("  lun \(unit.lun) \(unit.backing) \(fields.joined(separator: " "))\(size)\(attributes)")
      if let reservation = unit.reservation { lines.append("    reserved: \(reservation)") }
    }
    for session in sessions {
      let connections = session.connections.map { "\($0.id)@\($0.address?.description ?? "?")" }
      let counts = session.statistics.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
      lines.append(
        "  session \(session.id) \(session.initiator) \(connections.joined(separator: " "))" + counts.joined()
      )
    }
    return lines
  }
}
