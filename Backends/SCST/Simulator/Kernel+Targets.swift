import SystemPackage

extension Kernel {
  static let driver = "targets/iscsi"

  /// The commands of `targets/iscsi/mgmt`.
  mutating func manageTargets(_ text: String) throws(Errno) {
    var command = CommandText(text)
    switch command.word().lowercased() {
    case "add_target": try addTarget(&command)
    case "del_target":
      let name = command.word()
      guard !name.isEmpty, command.isAtEnd else { throw .invalidArgument }
      guard let target = directory(of: name) else { throw .noSuchFileOrDirectory }
      if sessions.contains(where: { $0.target == target }) { throw .resourceBusy }
      removeTarget(target)
    case "add_target_attribute":
      guard let target = directory(of: command.word()) else { throw .noSuchFileOrDirectory }
      try addAttribute(&command, at: target, allowed: ["IncomingUser", "OutgoingUser", "allowed_portal"])
    case "del_target_attribute":
      guard let target = directory(of: command.word()) else { throw .noSuchFileOrDirectory }
      try removeAttribute(&command, at: target, allowed: ["IncomingUser", "OutgoingUser", "allowed_portal"])
    case "add_attribute":
      try addAttribute(&command, at: Self.driver, allowed: ["IncomingUser", "OutgoingUser"])
    case "del_attribute":
      try removeAttribute(&command, at: Self.driver, allowed: ["IncomingUser", "OutgoingUser"])
    default: throw .invalidArgument
    }
  }

  /// A target's directory; nil where there is none of the name.
  func directory(of name: String) -> String? {
    let path = "\(Self.driver)/\(name.replacingSlashes)"
    return !name.isEmpty && tree[path] == .directory ? path : nil
  }

  private mutating func addTarget(_ command: inout CommandText) throws(Errno) {
    // No daemon, no targets.
    guard daemonRuns else { throw .notPermitted }
    let name = String(decoding: command.word().utf8.prefix(255), as: UTF8.self)
    guard !name.isEmpty else { throw .invalidArgument }
    let path = "\(Self.driver)/\(name.replacingSlashes)"
    let others = tree.directories(in: Self.driver)
    if others.contains(where: { $0.lowercased() == name.replacingSlashes.lowercased() }) { throw .fileExists }
    if tree[path] != nil { throw .resourceBusy }
    var values: [String: String] = [:]
    var users: [(kind: String, value: String)] = []
    while let (name, words) = command.wordyParameter() {
      if let (name, parameter) = DaemonParameter.named(name) {
        guard words.count == 1 else { throw .invalidArgument }
        values[name] = try parameter.value(of: words[0])
      } else if let kind = Self.kind(name, among: ["IncomingUser", "OutgoingUser"]) {
        let account = try Self.account(words)
        let isTaken = users.contains { other in
          other.kind == kind && (kind == "OutgoingUser" || other.value.hasPrefix(words[0] + " "))
        }
        guard !isTaken else { throw .invalidArgument }
        users.append((kind, account))
      } else if let fixed = DaemonParameter.hidden[name.lowercased()] {
        guard words == [String(fixed)] else { throw .invalidArgument }
      } else {
        throw .invalidArgument
      }
    }
    makeTarget(path, values)
    for (kind, value) in users { put(kind, at: path, value, mode: 0o600) }
  }

  private mutating func makeTarget(_ path: String, _ values: [String: String]) {
    tree.put(path, .directory)
    for directory in ["ini_groups", "luns", "sessions"] { tree.put("\(path)/\(directory)", .directory) }
    for directory in ["ini_groups", "luns"] { tree.putFile("\(path)/\(directory)/mgmt", Self.help) }
    for (name, parameter) in DaemonParameter.all {
      let value = values[name] ?? parameter.standard
      tree.putFile(
        "\(path)/\(name)", DaemonParameter.content(value, isKey: value != parameter.standard))
    }
    for (name, value) in [
      ("addr_method", "PERIPHERAL"), ("aen_disabled", "0"), ("alias", ""), ("black_hole", "0"),
      ("cpu_mask", "1"), ("enabled", "0"), ("forward_dst", "0"), ("forward_src", "0"), ("forwarding", "0"),
      ("io_grouping_type", "auto"), ("per_portal_acl", "0\n"), ("redirect", ""), ("rel_tgt_id", "0"),
    ] {
      tree.putFile("\(path)/\(name)", value + "\n")
    }
    tree.putFile(path + "/comment", "")
    tree.putFile(path + "/sg_tablesize", "65535\n", mode: 0o444)
    tree.putFile(path + "/tid", "\(nextTargetID)\n", mode: 0o444)
    for counter in Self.counters { tree.putFile("\(path)/\(counter)", "0\n", mode: 0o444) }
    nextTargetID += 1
  }

  mutating func removeTarget(_ path: String) {
    for group in tree.directories(in: path + "/ini_groups") {
      let luns = "\(path)/ini_groups/\(group)/luns"
      for lun in tree.directories(in: luns) { removeUnit(at: "\(luns)/\(lun)") }
    }
    for lun in tree.directories(in: path + "/luns") { removeUnit(at: "\(path)/luns/\(lun)") }
    let name = path.split(separator: "/").last ?? ""
    for group in tree.directories(in: "device_groups") {
      for part in tree.directories(in: "device_groups/\(group)/target_groups") {
        let link = "device_groups/\(group)/target_groups/\(part)/\(name)"
        if case .link = tree[link] { tree.remove(link) }
      }
    }
    unlistable = unlistable.filter { !$0.hasPrefix(path + "/") }
    brokenTargets.remove(path)
    tree.remove(path)
  }

  // MARK: Accounts and portals

  /// The name of a file that a word means: case does not count.
  private static func kind(_ word: String, among allowed: Set<String>) -> String? {
    allowed.first { $0.lowercased() == word.lowercased() }
  }

  /// `NAME SECRET`, as it is checked where an account is added.
  private static func account(_ words: [String]) throws(Errno) -> String {
    guard words.count == 2, words[1].utf8.count >= 12 else { throw .invalidArgument }
    return "\(words[0]) \(words[1])"
  }

  private mutating func addAttribute(
    _ command: inout CommandText, at path: String, allowed: Set<String>
  ) throws(Errno) {
    let name = command.word()
    var words: [String] = []
    while !command.isAtEnd { words.append(command.word()) }
    // Not among the recordings without the daemon; as add_target answers.
    guard daemonRuns else { throw .notPermitted }
    guard let kind = Self.kind(name, among: allowed) else { throw .invalidArgument }
    switch kind {
    case "allowed_portal":
      guard let portal = words.first, file(kind, at: path, with: portal) == nil else {
        throw .invalidArgument
      }
      put(kind, at: path, portal, mode: 0o644)
    case "OutgoingUser":
      if tree["\(path)/\(kind)"] != nil {
        // The daemon forgets the first before it refuses the second.
        tree.put("\(path)/\(kind)", .broken(mode: 0o600, .invalidArgument))
        brokenTargets.insert(path)
        throw .fileExists
      }
      put(kind, at: path, try Self.account(words), mode: 0o600)
    default:
      let account = try Self.account(words)
      guard file(kind, at: path, with: words[0]) == nil else { throw .invalidArgument }
      put(kind, at: path, account, mode: 0o600)
    }
  }

  private mutating func put(_ kind: String, at path: String, _ value: String, mode: UInt16) {
    var name = kind
    var number = 0
    while tree["\(path)/\(name)"] != nil {
      number += 1
      name = "\(kind)\(number)"
    }
    tree.putFile("\(path)/\(name)", value + "\n[key]\n\n", mode: mode)
  }

  private mutating func removeAttribute(
    _ command: inout CommandText, at path: String, allowed: Set<String>
  ) throws(Errno) {
    let name = command.word()
    let key = command.word()
    // Not among the recordings without the daemon; as add_target answers.
    guard daemonRuns else { throw .notPermitted }
    guard let kind = Self.kind(name, among: allowed) else { throw .invalidArgument }
    guard !key.isEmpty, let name = file(kind, at: path, with: key) else {
      throw kind == "allowed_portal" ? .invalidArgument : .noSuchFileOrDirectory
    }
    tree.remove("\(path)/\(name)")
  }

  /// The file of a kind that has this account or portal.
  private func file(_ kind: String, at path: String, with key: String) -> String? {
    tree.names(in: path).first { name in
      name.hasPrefix(kind) && name.dropFirst(kind.count).allSatisfy(\.isNumber)
        && tree.line("\(path)/\(name)")?.split(separator: " ").first.map(String.init) == key
    }
  }

  /// Writing an account's file replaces it and checks nothing.
  mutating func rewriteAccount(at path: String, to text: String) throws(Errno) {
    if case .broken = tree[path] { throw .invalidArgument }
    var command = CommandText(text)
    let user = command.word()
    let secret = command.word()
    tree.set(path, "\(user) \(secret.isEmpty ? "(null)" : secret)\n[key]\n\n")
  }
}
