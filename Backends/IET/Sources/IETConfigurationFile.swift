import HostInterface
import TargetCore

/// ietd.conf(5), from which ietd makes its targets when it starts.
///
/// ietd passes over what it does not know, and turns a number out of its range into the smallest one; here both are told.
enum IETConfigurationFile {
  static let format = ConfigurationFormat(
    summary: "what ietd makes when it starts, /etc/iet/ietd.conf or /etc/ietd.conf",
    read: { try IETConfigurationReader.read($0) }, write: { write($0) })

  /// Writes the targets in the order of their numbers, since ietd numbers them in the order of the file.
  private static func write(_ state: LiveState) -> String {
    var lines = [
      "# Written by Quartet. IET does not tell ScsiId and ScsiSN of logical units, nor Alias and MaxSessions: the first",
      "# two are those that Quartet gives, the others are left out. Who may log in is in the access files.",
    ]
    for remark in state.remarks { lines.append("# \(oneLine(remark))") }
    lines += accountLines(state.discovery, "")
    let targets = state.targets.values.sorted { ($0.id ?? .max, $0.name) < ($1.id ?? .max, $1.name) }
    for target in targets {
      guard let name = try? TargetName(target.name.description) else {
        lines += ["", "# Target \(target.name) has a name that no target should have; it is left out."]
        continue
      }
      lines += ["", "Target \(name)"]
      lines += accountLines(target.chap, "\t")
      for unit in target.units.values.sorted(by: { $0.lun < $1.lun }) { lines.append(unitLine(unit, name)) }
      for (parameter, value) in target.parameters.sorted(by: { $0.key < $1.key }) {
        lines.append("\t\(parameter.rawValue) \(value)")
      }
      for (attribute, value) in target.attributes.sorted(by: { $0.key < $1.key })
      where IETPlanner.attributeRanges[attribute] != nil {
        lines.append("\t\(attribute) \(value)")
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func unitLine(_ unit: LogicalUnit, _ name: TargetName) -> String {
    let planner = IETPlanner(
      port: Portal.standardPort, state: LiveState(), reason: "write lun \(unit.lun) of \(name)")
    do {
      return "\tLun \(unit.lun) \(try planner.parameters(of: unit, name))"
    } catch {
      return "\t# Lun \(unit.lun) is left out: \(oneLine("\(error)"))"
    }
  }

  /// An account whose secret is not known is written with none: then nobody logs in, instead of everybody.
  private static func accountLines(_ chap: CHAPAccounts, _ indent: String) -> [String] {
    let incoming = chap.incoming.map { (CHAPDirection.incoming, $0) }
    // ietd puts each account in front of those before it.
    return (incoming.reversed() + (chap.outgoing.map { [(.outgoing, $0)] } ?? [])).map { direction, account in
      let secret = account.secret.map { $0.withBytes { String(decoding: $0, as: UTF8.self) } }
      return "\(indent)\(Ietadm.key(direction)) \(account.user) \(secret ?? "<the-secret-is-not-known>")"
    }
  }

  private static func oneLine(_ text: String) -> String {
    String(text.map { $0.isNewline ? " " : $0 })
  }
}
