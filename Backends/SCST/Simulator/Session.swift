import SystemPackage

/// A session: an initiator logged in to a target.
struct Session: Sendable {
  /// The target's directory.
  var target: String
  /// The session's own directory.
  var path: String
  var initiator: String
  var address: String
  /// Which one it is since the module was loaded, from 1.
  var number: Int
  /// The directory of LUNs that it sees.
  var luns: String
  /// Whether the initiator comes back when the target closes the session.
  var returns: Bool
  /// Whether it is closed and waits for a command.
  var isClosing = false
}

extension Kernel {
  /// Logs an initiator in; returns the name of the session's directory.
  mutating func logIn(
    _ initiator: String, from address: String, to target: String, returns: Bool
  ) -> String {
    let directory = "targets/iscsi/" + target
    var name = initiator
    var copy = 0
    while tree["\(directory)/sessions/\(name)"] != nil {
      copy += 1
      name = "\(initiator)_\(copy)"
    }
    let session = Session(
      target: directory, path: "\(directory)/sessions/\(name)", initiator: initiator, address: address,
      number: nextSession, luns: luns(for: initiator, at: directory), returns: returns)
    nextSession += 1
    sessions.append(session)
    show(session)
    return name
  }

  /// Which directory of LUNs an initiator sees: that of the first group with a matching name, or the target's own.
  func luns(for initiator: String, at target: String) -> String {
    for group in tree.directories(in: target + "/ini_groups") {
      let path = "\(target)/ini_groups/\(group)"
      let names = tree.names(in: path + "/initiators").filter { $0 != "mgmt" }
      if names.contains(where: { matches(pattern: $0, initiator) }) { return path + "/luns" }
    }
    return target + "/luns"
  }

  private mutating func show(_ session: Session) {
    let path = session.path
    tree.put(path, .directory)
    let target = session.target
    for name in [
      "DataDigest", "FirstBurstLength", "HeaderDigest", "ImmediateData", "InitialR2T", "MaxBurstLength",
      "MaxRecvDataSegmentLength",
    ] {
      tree.putFile("\(path)/\(name)", (tree.line("\(target)/\(name)") ?? "") + "\n", mode: 0o444)
    }
    // What open-iscsi offers is less than the target would take.
    tree.putFile(path + "/MaxOutstandingR2T", "1\n", mode: 0o444)
    tree.putFile(path + "/MaxXmitDataSegmentLength", "262144\n", mode: 0o444)
    for (name, value) in [
      ("active_commands", "0"), ("commands", "0"), ("initiator_name", session.initiator),
      ("reinstating", "0"), ("sid", String(session.number, radix: 16) + "0100003d0200"),
      ("thread_pid", "126 127 128 129"),
    ] {
      tree.putFile("\(path)/\(name)", value + "\n", mode: 0o444)
    }
    for name in Self.counters { tree.putFile("\(path)/\(name)", "0\n") }
    tree.putFile(path + "/force_close", nil, mode: 0o200)
    showLatency(path)
    let connection = "\(path)/\(session.address)"
    tree.put(connection, .directory)
    for (name, value) in [
      ("cid", "0"), ("ip", session.address), ("state", "established idle "), ("target_ip", "127.0.0.1"),
      ("transport", "iSCSI-TCP\n"),
    ] {
      tree.putFile("\(connection)/\(name)", value, mode: 0o444)
    }
    showUnits(of: session)
  }

  /// Times by direction and size of commands; nothing is measured here.
  mutating func showLatency(_ path: String) {
    tree.put(path + "/latency", .directory)
    for direction in ["n", "r", "w", "b"] {
      for power in 9...19 {
        tree.putFile("\(path)/latency/\(direction)\(1 << power)", "state count min max avg stddev\n")
      }
    }
  }

  static let counters = [
    "unknown_cmd_count", "write_cmd_count", "read_cmd_count", "bidi_cmd_count", "none_cmd_count",
    "write_io_count_kb", "read_io_count_kb", "bidi_io_count_kb", "write_unaligned_cmd_count",
    "read_unaligned_cmd_count", "bidi_unaligned_cmd_count",
  ]

  /// Makes the session's `luns` and `lunN` be what its directory of LUNs has.
  private mutating func showUnits(of session: Session) {
    let isGroup = session.luns.contains("/ini_groups/")
    let inside = session.luns.dropFirst(session.target.count + 1)
    tree.put(session.path + "/luns", .link("../../" + (isGroup ? inside : "luns")))
    showUnits(from: session.luns, in: session.path, index: session.number)
  }

  private mutating func showUnits(from luns: String, in path: String, index: Int) {
    let wanted = Set(tree.directories(in: luns).map { "lun\($0)" })
    let shown = tree.directories(in: path).filter { $0.hasPrefix("lun") }
    for name in shown where !wanted.contains(name) { tree.remove("\(path)/\(name)") }
    for name in wanted {
      tree.put("\(path)/\(name)", .directory)
      let device = tree.linkName("\(luns)/\(name.dropFirst(3))/device") ?? ""
      let pool = tree.line("devices/\(device)/threads_pool_type")
      for (file, value) in [
        ("active_commands", "0"), ("thread_index", pool == "per_initiator" ? String(index) : "-1"),
        ("thread_pid", "1221"),
      ] {
        tree.putFile("\(path)/\(name)/\(file)", value + "\n", mode: 0o444)
      }
    }
  }

  /// Shows sessions what became of a directory of LUNs.
  mutating func refreshSessions(at luns: String) {
    if luns == Self.copyManager + "/luns" {
      showUnits(from: luns, in: Self.copyManager + "/sessions/copy_manager_sess", index: 0)
    }
    for session in sessions where session.luns == luns { showUnits(of: session) }
  }

  /// Shows sessions with units of a device how its threads are now.
  mutating func refreshSessions(with device: String) {
    for path in exports(of: device) {
      refreshSessions(at: path.split(separator: "/").dropLast().joined(separator: "/"))
    }
  }

  /// Gives the sessions of a target the LUNs of the groups that their initiators are in now.
  mutating func reassignSessions(of target: String) {
    for index in sessions.indices where sessions[index].target == target {
      let luns = luns(for: sessions[index].initiator, at: target)
      guard luns != sessions[index].luns else { continue }
      sessions[index].luns = luns
      showUnits(of: sessions[index])
    }
  }

  mutating func writeSessionFile(_ name: String, session path: String) throws(Errno) {
    guard name == "force_close" else {
      guard Self.counters.contains(name) else { throw .invalidArgument }
      // Whatever is written begins all counts of that direction anew.
      let direction = name.prefix { $0 != "_" } + "_"
      for counter in Self.counters where counter.hasPrefix(direction) {
        tree.set("\(path)/\(counter)", "0\n")
      }
      return
    }
    guard let index = sessions.firstIndex(where: { $0.path == path }) else { return }
    let session = sessions[index]
    let target = session.target
    if session.returns, tree.line("targets/iscsi/enabled") == "1", tree.line(target + "/enabled") == "1",
      let name = target.split(separator: "/").last
    {
      _ = logIn(session.initiator, from: session.address, to: String(name), returns: true)
    }
    let isStuck = tree.directories(in: session.luns).contains { lun in
      tree.linkName("\(session.luns)/\(lun)/device").map(frozen.contains) ?? false
    }
    if isStuck { sessions[index].isClosing = true } else { end(session) }
  }

  mutating func end(_ session: Session) {
    sessions.removeAll { $0.path == session.path }
    tree.remove(session.path)
  }
}

/// Whether a name matches a pattern of SCST's: `*`, `?`, and `!` before what must not match; case does not count.
func matches(pattern: String, _ name: String) -> Bool {
  func matches(_ pattern: Substring, _ name: Substring) -> Bool {
    guard let first = pattern.first else { return name.isEmpty }
    let rest = pattern.dropFirst()
    switch first {
    case "*": return matches(rest, name) || (!name.isEmpty && matches(pattern, name.dropFirst()))
    case "?": return !name.isEmpty && matches(rest, name.dropFirst())
    default: return name.first == first && matches(rest, name.dropFirst())
    }
  }
  if pattern.hasPrefix("!") { return !matches(pattern.lowercased().dropFirst(), name.lowercased()[...]) }
  return matches(pattern.lowercased()[...], name.lowercased()[...])
}
