import HostInterface
import SystemPackage
import TargetCore

extension LIOReader {
  mutating func readNodes(into target: inout Target, statistics: Bool) throws -> [ISCSIName] {
    var nodes: [ISCSIName] = []
    for entry in try entries(LIOPaths.group(target.name) + "/acls") {
      guard let node = ISCSIName(asFound: entry) else {
        state.remarks.append(
          "target \(target.name) has a node ACL with a name that cannot be handled (\(entry))")
        continue
      }
      nodes.append(node)
      try readNode(node, into: &target, statistics: statistics)
    }
    return nodes
  }

  private mutating func readNode(_ node: ISCSIName, into target: inout Target, statistics: Bool) throws {
    let name = target.name
    let folder = LIOPaths.acl(name, node)
    target.initiators.insert(.name(node))
    state.facts[LIOFacts.acl(name, node)] = "true"
    state.facts[LIOFacts.depth(name, node)] = try value(folder + "/cmdsn_depth")
    for entry in try entries(folder) where entry.hasPrefix("lun_") {
      try readMapped(entry, of: node, in: target)
    }
    if var session = try LIOSession.parse(host.text(FilePath(folder + "/info"))) {
      if statistics { session.statistics = try counters(folder) }
      target.sessions.append(session)
    }
  }

  /// A mapped LUN may have another number than the LUN that it shows.
  private mutating func readMapped(_ entry: String, of node: ISCSIName, in target: Target) throws {
    let name = target.name
    let folder = "\(LIOPaths.acl(name, node))/\(entry)"
    guard let (link, destination) = try link(in: folder),
      let number = destination.split(separator: "/").last.flatMap({ Int($0.dropFirst(4)) }),
      let lun = try? LUN(number), target.units[lun] != nil
    else {
      note(entry, under: LIOFacts.bare(name, node))
      return
    }
    if entry != "lun_\(lun)" {
      state.remarks.append("target \(name) shows lun \(lun) to \(node) as \(entry.dropFirst(4))")
    }
    let isProtected = try value(folder + "/write_protect") == "1"
    let mapped = MappedLUN(directory: entry, isProtected: isProtected, link: link)
    note(mapped.line, under: LIOFacts.mapped(name, node, lun))
  }

  private func counters(_ folder: String) throws -> [String: UInt64] {
    var counters: [String: UInt64] = [:]
    for name in [
      "cmd_pdus", "rsp_pdus", "txdata_octs", "rxdata_octs", "conn_digest_errors", "conn_timeout_errors",
    ] {
      let path = "\(folder)/fabric_statistics/iscsi_sess_stats/\(name)"
      counters[name] = try value(path).flatMap { UInt64($0) }
    }
    return counters
  }

  // MARK: CHAP

  /// The accounts of a target stand in its portal group, for initiators without an ACL, and in every ACL.
  mutating func readAccounts(of nodes: [ISCSIName], into target: inout Target) throws {
    let group = LIOPaths.group(target.name)
    let isAsked = try value(group + "/attrib/authentication") == "1"
    var places = [(folder: group + "/auth", isAsked: isAsked)]
    for node in nodes {
      let folder = LIOPaths.acl(target.name, node)
      // Kernels before 5.20 have no setting of an ACL's own.
      let own = try value(folder + "/attrib/authentication") ?? "-1"
      places.append((folder + "/auth", own == "-1" ? isAsked : own == "1"))
    }
    for place in places {
      if place.isAsked, let account = try account(.incoming, in: place.folder) {
        target.chap.take(account, .incoming)
      }
      if let account = try account(.outgoing, in: place.folder) { target.chap.take(account, .outgoing) }
    }
    let users = places.map { state.facts[LIOFacts.user($0.folder, .incoming)] }
    for (node, index) in zip(nodes, 1...) where places[index].isAsked && users[index] == nil {
      target.initiators.remove(.name(node))
      // A run that is killed makes the account first.
      let mapsUnits = target.units.keys.contains {
        state.facts[LIOFacts.mapped(target.name, node, $0)] != nil
      }
      if mapsUnits {
        note("\(node)", under: LIOFacts.closed(target.name))
      } else {
        target.unfinishedInitiators.insert(.name(node))
      }
      state.remarks.append(
        "\(node) does not get in to \(target.name), which asks it for CHAP and has no account of it")
    }
    if !nodes.isEmpty, Set(users.dropFirst()).count > 1 || places.contains(where: { $0.isAsked != isAsked }) {
      state.remarks.append("target \(target.name) asks its initiators for different CHAP accounts")
    }
  }

  private mutating func account(_ direction: CHAPDirection, in folder: String) throws -> CHAPAccount? {
    let suffix = direction == .outgoing ? "_mutual" : ""
    guard let name = try value("\(folder)/userid\(suffix)"), !name.isEmpty, name != "NULL",
      let user = CHAPUser(asFound: name), let secret = try value("\(folder)/password\(suffix)"),
      // A name without a secret is none to the kernel either.
      !secret.isEmpty, secret != "NULL"
    else { return nil }
    state.facts[LIOFacts.user(folder, direction)] = name
    return (try? CHAPAccount(user: user, secret: Secret(Array(secret.utf8)))) ?? CHAPAccount(user: user)
  }

  mutating func readDiscovery() throws {
    let isAsked = try value(LIOPaths.discovery + "/enforce_discovery_auth") == "1"
    if isAsked, let account = try account(.incoming, in: LIOPaths.discovery) {
      state.discovery.take(account, .incoming)
    }
    if let account = try account(.outgoing, in: LIOPaths.discovery) {
      state.discovery.take(account, .outgoing)
    }
  }

  // MARK: Sessions

  /// Initiators that were let in without an ACL of their own, by name; names are separated by NUL.
  mutating func readDynamicSessions(into target: inout Target) throws {
    let path = FilePath(LIOPaths.group(target.name) + "/dynamic_sessions")
    guard let bytes = try? host.read(path) else { return }
    for name in bytes.split(whereSeparator: { $0 == 0 || $0 == UInt8(ascii: "\n") }) {
      let initiator = String(decoding: name, as: UTF8.self)
      target.sessions.append(
        Session(id: LIOSession.dynamicPrefix + initiator, initiator: initiator, connections: []))
    }
  }
}

extension CHAPAccounts {
  /// Adds an account that was found, unless it was found before.
  fileprivate mutating func take(_ account: CHAPAccount, _ direction: CHAPDirection) {
    guard !contains(account.user, direction) else { return }
    switch direction {
    case .incoming: incoming.append(account)
    case .outgoing: if outgoing == nil { outgoing = account }
    }
  }
}
