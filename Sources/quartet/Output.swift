import FoundationEssentials
import Glibc
import HostInterface
import Quartet
import TargetCore

/// What goes to standard output.
enum Output {
  /// Prints text.
  static func text(_ text: String) { Report.write(text, to: STDOUT_FILENO) }

  /// Prints a document as JSON, keys sorted.
  static func json(_ document: some Encodable) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    if let data = try? encoder.encode(document) { text(String(decoding: data, as: UTF8.self) + "\n") }
  }

  /// Prints rows in aligned columns; nothing when there are none.
  static func table(_ heading: [String], _ rows: [[String]]) {
    guard !rows.isEmpty else { return }
    let all = [heading] + rows
    let widths = heading.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    text(
      all.map { row in
        let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
        return cells.joined(separator: "  ").trimmedEnd + "\n"
      }.joined())
  }

  /// The targets that a command is about.
  static func chosen(_ name: String?, in state: LiveState) throws -> [Target] {
    guard let name else { return state.targets.values.sorted { $0.name < $1.name } }
    let wanted = try targetName(name)
    guard let target = state.targets[wanted] else {
      throw Failure(.notFound, "target \(wanted)", "does not exist", remedy: "see `quartet target list`")
    }
    return [target]
  }

  /// Prints what was done, or would be.
  static func print(_ proposal: Proposal, dryRun: Bool, json asJSON: Bool, implementation: String) {
    if asJSON { return json(ProposalDocument(proposal, dryRun: dryRun, implementation: implementation)) }
    if dryRun {
      steps(proposal.plan)
    } else {
      list(proposal.changes)
    }
    if proposal.changes.isEmpty { Report.message("quartet: nothing to do") }
  }

  /// Prints changes, one a line: `+` adds, `-` takes away, `~` sets.
  static func list(_ changes: [Change]) {
    text(changes.map { "\(mark($0)) \($0)\n" }.joined())
  }

  static func mark(_ change: Change) -> String {
    if change.removes { return "-" }
    switch change {
    case .createTarget, .addUnit, .allow, .addPortal, .setAccount: return "+"
    default: return "~"
    }
  }

  /// Who may log in, in a few words.
  static func access(_ target: Target) -> String {
    if target.initiators.isEmpty { return "nobody" }
    let who = target.initiators.sorted().map(\.description).joined(separator: ",")
    return target.chap.incoming.isEmpty ? who : who + " with CHAP"
  }

  static func size(_ unit: LogicalUnit) -> String {
    unit.size.map { "\($0 >> 20) MiB" } ?? unit.printedSize ?? "-"
  }

  /// Prints everything of a target.
  static func show(_ target: Target, sharedPortals: Set<Portal>) {
    var lines = ["target \(target.name)"]
    if let id = target.id { lines.append("  id: \(id)") }
    lines.append("  state: \(target.enabled ? "enabled" : "disabled")")
    let portals = (target.portals ?? sharedPortals).sorted().map(\.description)
    lines.append(
      "  portals\(target.portals == nil ? " (of all targets)" : ""): \(portals.joined(separator: " "))")
    lines.append("  access: \(access(target))")
    for account in target.chap.incoming { lines.append("  chap incoming: \(account.user)") }
    if let account = target.chap.outgoing { lines.append("  chap outgoing: \(account.user)") }
    for unit in target.units.values.sorted(by: { $0.lun < $1.lun }) {
      lines.append("  lun \(unit.lun): \(unit.backing) (\(size(unit)))")
      let fields = UnitField.allCases.compactMap { field in unit[field].map { "\(field.rawValue)=\($0)" } }
      let own = unit.attributes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
      lines.append("    " + (fields + own).joined(separator: " "))
      if let reservation = unit.reservation { lines.append("    reservation: \(reservation)") }
    }
    for session in target.sessions {
      let from = session.connections.compactMap { $0.address?.description }.joined(separator: ",")
      lines.append("  session \(session.id): \(session.initiator) from \(from)")
    }
    for (parameter, value) in target.parameters.sorted(by: { $0.key < $1.key }) {
      lines.append("  \(parameter.rawValue): \(value)")
    }
    for (name, value) in target.attributes.sorted(by: { $0.key < $1.key }) {
      lines.append("  \(name): \(value)")
    }
    text(lines.joined(separator: "\n") + "\n")
  }
}

extension String {
  fileprivate var trimmedEnd: String {
    var text = self
    while text.last == " " { text.removeLast() }
    return text
  }
}
