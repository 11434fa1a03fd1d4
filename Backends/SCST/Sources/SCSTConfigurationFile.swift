import HostInterface
import TargetCore

/// scst.conf, from which `scstadmin -config` makes everything when the machine starts.
enum SCSTConfigurationFile {
  static let format = ConfigurationFormat(
    summary: "what scstadmin makes when the machine starts, /etc/scst.conf",
    read: { try SCSTConfigurationReader.read($0) }, write: { write($0) })

  /// What is written is what SCST marks as to be saved, as it reads: else `scstadmin` reports differences.
  private static func write(_ state: LiveState) -> String {
    var lines = ["# Written by Quartet."]
    for remark in state.remarks { lines.append("# " + remark.filter { !$0.isNewline }) }
    lines += saved(SCSTPaths.root, state, indent: 0)
    lines += handlers(state)
    var driver = state.facts[SCSTFact.driver] == "1" ? ["\tenabled 1"] : []
    driver += saved(SCSTPaths.driver, state, indent: 1) + accounts(state.discovery, indent: 1)
    for (_, target) in state.targets.sorted(by: { $0.key < $1.key }) { driver += section(of: target, state) }
    lines += SCSTConfigurationText.section("TARGET_DRIVER", "iscsi", indent: 0, body: driver)
    lines += state.facts[SCSTFact.deviceGroups].map { [$0] } ?? []
    return lines.joined(separator: "\n") + "\n"
  }

  /// The saved values of a folder, as lines.
  private static func saved(_ folder: String, _ state: LiveState, indent: Int, but left: Set<String> = [])
    -> [String]
  {
    list(state.facts[SCSTFact.saved(folder)]).compactMap { entry in
      let words = entry.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard words.count == 2, !left.contains(words[0]) else { return nil }
      return SCSTConfigurationText.line(words[0], words[1], indent: indent)
    }
  }

  private static func list(_ fact: String?) -> [String] {
    (fact ?? "").split(separator: "\n").map(String.init)
  }

  // MARK: Devices

  /// All devices of handlers, whether a target shows them or not.
  private static func handlers(_ state: LiveState) -> [String] {
    var sections: [String: [String]] = [:]
    let start = SCSTFact.backing("")
    for (key, backing) in state.facts.sorted(by: { $0.key < $1.key }) where key.hasPrefix(start) {
      let device = String(key.dropFirst(start.count))
      let handler = String(backing.prefix { $0 != " " })
      // The size of a file or a block device is its own.
      let left: Set = handler == SCSTHandler.nullio.rawValue ? [] : ["size"]
      sections[handler, default: []] += SCSTConfigurationText.section(
        "DEVICE", device, indent: 1, body: saved(SCSTPaths.device(device), state, indent: 2, but: left))
    }
    return sections.sorted { $0.key < $1.key }.flatMap {
      SCSTConfigurationText.section("HANDLER", $0.key, indent: 0, body: $0.value)
    }
  }

  // MARK: Targets

  private static func section(of target: Target, _ state: LiveState) -> [String] {
    let name = target.name
    var lines = saved(SCSTPaths.target(name), state, indent: 2) + accounts(target.chap, indent: 2)
    // Without one of its accounts a target may ask nobody for a proof.
    let isWhole = target.chap.incoming.allSatisfy { $0.secret != nil }
    if state.facts[SCSTFact.enabled(name)] != nil, isWhole { lines.append("\t\tenabled 1") }
    lines += luns(.everyone, name, state, indent: 2)
    var groups = list(state.facts[SCSTFact.groups(name)])
    if state.facts[SCSTFact.members(name, Place.marker)] != nil { groups.append(Place.marker) }
    for group in groups {
      var body = saved(SCSTPaths.group(name, group), state, indent: 3)
      body += luns(.group(group), name, state, indent: 3)
      body += list(state.facts[SCSTFact.members(name, group)]).map {
        SCSTConfigurationText.line("INITIATOR", $0, indent: 3)
      }
      lines += SCSTConfigurationText.section("GROUP", group, indent: 2, body: body)
    }
    return SCSTConfigurationText.section("TARGET", name.description, indent: 1, body: lines)
  }

  private static func luns(_ place: Place, _ name: TargetName, _ state: LiveState, indent: Int) -> [String] {
    list(state.facts[SCSTFact.map(name, place)]).flatMap { entry -> [String] in
      let words = entry.split(separator: " ").map(String.init)
      guard words.count > 1 else { return [] }
      if words.count == 2 { return [SCSTConfigurationText.line("LUN", words[0], words[1], indent: indent)] }
      let body = [SCSTConfigurationText.line("read_only", "1", indent: indent + 1)]
      return SCSTConfigurationText.section("LUN", words[0], words[1], indent: indent, body: body)
    }
  }

  private static func accounts(_ chap: CHAPAccounts, indent: Int) -> [String] {
    let outgoing = chap.outgoing.map { [("OutgoingUser", $0)] } ?? []
    return (chap.incoming.map { ("IncomingUser", $0) } + outgoing).map { kind, account in
      guard let secret = account.secret else {
        let tabs = String(repeating: "\t", count: indent)
        return tabs + "# \(kind) \(account.user) is left out: its secret is not known"
      }
      let words = secret.withBytes { "\(account.user) " + String(decoding: $0, as: UTF8.self) }
      return SCSTConfigurationText.line(kind, words, indent: indent)
    }
  }
}
