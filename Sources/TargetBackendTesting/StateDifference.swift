import TargetCore

extension LiveState {
  /// What one state has and the other has not, a line each; sessions are left out, and so is the order of accounts.
  func differences(from other: LiveState, ignoringAccounts: Bool = false) -> [String] {
    let (mine, theirs) = (normalized(ignoringAccounts), other.normalized(ignoringAccounts))
    guard mine != theirs else { return [] }
    let (left, right) = (Set(mine.lines), Set(theirs.lines))
    let lines =
      left.subtracting(right).sorted().map { "expected: \($0)" }
      + right.subtracting(left).sorted().map { "found: \($0)" }
    return lines.isEmpty ? ["they differ in what no line shows"] : lines
  }

  private func normalized(_ ignoringAccounts: Bool) -> LiveState {
    var state = self
    state.discovery.incoming.sort { $0.user < $1.user }
    for name in targets.keys {
      state.targets[name]?.sessions = []
      state.targets[name]?.chap.incoming.sort { $0.user < $1.user }
    }
    if ignoringAccounts { state.accounts = [] }
    return state
  }

  private var lines: [String] {
    let shared =
      portals.map { "portal \($0)" } + discovery.lines("discovery") + accounts.map { "account \($0)" }
      + stores.map { "store \($0.key) \($0.value.sorted())" } + remarks
      + facts.map { "\($0.key): \($0.value)" }
    return shared + targets.values.flatMap(\.lines)
  }
}

extension Target {
  fileprivate var lines: [String] {
    var lines = ["\(name): number \(id.map(String.init) ?? "none"), \(enabled ? "enabled" : "disabled")"]
    lines += (portals ?? []).map { "\(name): portal \($0)" }
    lines += initiators.map { "\(name): allows \($0)" }
    lines += chap.lines("\(name)")
    lines += parameters.map { "\(name): \($0.key.rawValue)=\($0.value)" }
    lines += attributes.map { "\(name): \($0.key)=\($0.value)" }
    return lines + units.values.flatMap { unit in unit.lines.map { "\(name): lun \(unit.lun): \($0)" } }
  }
}

extension CHAPAccounts {
  fileprivate func lines(_ place: String) -> [String] {
    incoming.map { "\(place): incoming account \($0.user)" }
      + (outgoing.map { ["\(place): outgoing account \($0.user)"] } ?? [])
  }
}

extension LogicalUnit {
  fileprivate var lines: [String] {
    let fields = UnitField.allCases.compactMap { field in self[field].map { "\(field.rawValue)=\($0)" } }
    let audience = initiators.map { ["seen by \($0.sorted())"] } ?? []
    return ["backing \(backing)", "size \(size.map(String.init) ?? "-") \(printedSize ?? "-")"] + fields
      + attributes.map { "\($0.key)=\($0.value)" } + audience
  }
}
