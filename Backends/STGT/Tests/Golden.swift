import FoundationEssentials
import SystemPackage
import TargetCore
import Testing

/// Expects a text to be the one in a file; with `GOLDEN_UPDATE` in the environment the file is written.
func expectGolden(_ text: String, _ path: FilePath) throws {
  if ProcessInfo.processInfo.environment["GOLDEN_UPDATE"] != nil {
    try text.write(toFile: path.string, atomically: true, encoding: .utf8)
    return
  }
  let golden = try String(contentsOfFile: path.string, encoding: .utf8)
  let (now, before) = (text.split(separator: "\n"), golden.split(separator: "\n"))
  if let line = (0..<max(now.count, before.count)).first(where: {
    $0 >= now.count || $0 >= before.count || now[$0] != before[$0]
  }) {
    let (found, wanted) = (
      line < now.count ? now[line] : "the end", line < before.count ? before[line] : "the end"
    )
    Issue.record("line \(line + 1) of \(path.lastComponent?.string ?? ""): found \(found), not \(wanted)")
  }
}

extension LiveState {
  /// The state as a short text, what is nil left out.
  var dump: String {
    var lines = targets.values.sorted { $0.name < $1.name }.flatMap(\.dump)
    lines += portals.sorted().map { "portal \($0)" }
    if !accounts.isEmpty {
      lines.append("accounts " + accounts.sorted().map(\.description).joined(separator: " "))
    }
    if !discovery.isEmpty { lines.append("discovery" + discovery.dump) }
    if !stores.isEmpty {
      let list = stores.sorted { $0.key < $1.key }.map { store in
        store.value.isEmpty ? store.key : "\(store.key)(\(store.value.sorted().joined(separator: ":")))"
      }
      lines.append("stores " + list.joined(separator: " "))
    }
    lines += remarks.map { "remark: " + $0 }
    lines += facts.filter { $0.key != "transport" }.sorted { $0.key < $1.key }.map {
      "\($0.key) is \($0.value)"
    }
    return lines.map { $0 + "\n" }.joined()
  }
}

extension Target {
  fileprivate var dump: [String] {
    var lines = ["target \(id ?? 0) \(name)" + (enabled ? "" : " disabled")]
    lines += units.values.sorted { $0.lun < $1.lun }.map { "  lun \($0.lun)" + $0.dump }
    if !initiators.isEmpty {
      lines.append("  allows " + initiators.sorted().map(\.description).joined(separator: " "))
    }
    if !chap.isEmpty { lines.append("  chap" + chap.dump) }
    for session in sessions {
      let connections = session.connections.map { "\($0.id)@\($0.address?.description ?? "?")" }
      lines.append("  session \(session.id) \(session.initiator) \(connections.joined(separator: " "))")
      let counts = session.statistics.filter { $0.value > 0 }.sorted { $0.key < $1.key }
      if !counts.isEmpty {
        lines.append("    " + counts.map { "\($0.key)=\($0.value)" }.joined(separator: " "))
      }
    }
    let settings = parameters.map { ($0.key.rawValue, $0.value) } + attributes.map { ($0.key, $0.value) }
    if !settings.isEmpty {
      lines.append("  " + settings.sorted { $0.0 < $1.0 }.map { "\($0.0)=\($0.1)" }.joined(separator: " "))
    }
    return lines
  }
}

extension CHAPAccounts {
  fileprivate var dump: String {
    incoming.map { " " + $0.user.description }.joined() + (outgoing.map { " outgoing:\($0.user)" } ?? "")
  }
}

extension LogicalUnit {
  fileprivate var dump: String {
    let fields = UnitField.allCases.compactMap { field in self[field].map { "\(field.rawValue)=\($0)" } }
    return " \(backing) [\(printedSize ?? "no size")] " + fields.joined(separator: " ")
      + attributes.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
  }
}
