import HostInterface
import SystemPackage
import TargetCore

/// A node ACL with its settings and accounts.
struct FoundNode {
  var node: ISCSIName
  var values: LIOValues
}

extension LIOReader {
  static let accountFiles = ["userid", "password", "userid_mutual", "password_mutual"]
  private static let nodeFiles =
    ["cmdsn_depth", "info", "attrib/authentication"] + accountFiles.map { "auth/" + $0 }
  private static let counterFolder = "fabric_statistics/iscsi_sess_stats/"
  private static let counters = [
    "cmd_pdus", "rsp_pdus", "txdata_octs", "rxdata_octs", "conn_digest_errors", "conn_timeout_errors",
  ]

  mutating func readNodes(into target: inout Target, statistics: Bool) throws -> [FoundNode] {
    var nodes: [FoundNode] = []
    for entry in try entries(LIOPaths.group(target.name) + "/acls") {
      guard let node = ISCSIName(asFound: entry) else {
        state.remarks.append(
          "target \(target.name) has a node ACL with a name that cannot be handled (\(entry))")
        continue
      }
      nodes.append(try readNode(node, into: &target, statistics: statistics))
    }
    return nodes
  }

  private mutating func readNode(_ node: ISCSIName, into target: inout Target, statistics: Bool) throws
    -> FoundNode
  {
    let name = target.name
    let folder = LIOPaths.acl(name, node)
    target.initiators.insert(.name(node))
    state.facts[LIOFacts.acl(name, node)] = "true"
    let mapped = try entries(folder).filter { $0.hasPrefix("lun_") }
    let counters = statistics ? Self.counters.map { Self.counterFolder + $0 } : []
    let values = try values(
      Self.nodeFiles + counters + mapped.map { $0 + "/write_protect" }, in: folder)
    state.facts[LIOFacts.depth(name, node)] = values["cmdsn_depth"]
    for entry in mapped {
      try readMapped(entry, isProtected: values[entry + "/write_protect"] == "1", of: node, in: target)
    }
    if var session = LIOSession.parse(values.text("info") ?? "") {
      for counter in counters {
        session.statistics[String(counter.dropFirst(Self.counterFolder.count))] = values[counter].flatMap {
          UInt64($0)
        }
      }
      target.sessions.append(session)
    }
    return FoundNode(node: node, values: values)
  }

  /// A mapped LUN may have another number than the LUN that it shows.
  private mutating func readMapped(
    _ entry: String, isProtected: Bool, of node: ISCSIName, in target: Target
  ) throws {
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
    let mapped = MappedLUN(directory: entry, isProtected: isProtected, link: link)
    note(mapped.line, under: LIOFacts.mapped(name, node, lun))
  }

  // MARK: CHAP

  /// The accounts of a target stand in its portal group, for initiators without an ACL, and in every ACL.
  mutating func readAccounts(of found: [FoundNode], group values: LIOValues, into target: inout Target) {
    let isAsked = values["attrib/authentication"] == "1"
    var places = [(folder: LIOPaths.group(target.name) + "/auth", values: values, isAsked: isAsked)]
    for one in found {
      // Kernels before 5.20 have no setting of an ACL's own.
      let own = one.values["attrib/authentication"] ?? "-1"
      places.append(
        (LIOPaths.acl(target.name, one.node) + "/auth", one.values, own == "-1" ? isAsked : own == "1"))
    }
    for place in places {
      if place.isAsked, let account = account(.incoming, place.values, "auth/", in: place.folder) {
        target.chap.take(account, .incoming)
      }
      if let account = account(.outgoing, place.values, "auth/", in: place.folder) {
        target.chap.take(account, .outgoing)
      }
    }
    let nodes = found.map(\.node)
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

  private mutating func account(
    _ direction: CHAPDirection, _ values: LIOValues, _ prefix: String, in folder: String
  ) -> CHAPAccount? {
    let suffix = direction == .outgoing ? "_mutual" : ""
    guard let name = values["\(prefix)userid\(suffix)"], !name.isEmpty, name != "NULL",
      let user = CHAPUser(asFound: name), let secret = values["\(prefix)password\(suffix)"],
      // A name without a secret is none to the kernel either.
      !secret.isEmpty, secret != "NULL"
    else { return nil }
    state.facts[LIOFacts.user(folder, direction)] = name
    return (try? CHAPAccount(user: user, secret: Secret(Array(secret.utf8)))) ?? CHAPAccount(user: user)
  }

  mutating func readDiscovery() throws {
    let folder = LIOPaths.discovery
    let values = try values(Self.accountFiles + ["enforce_discovery_auth"], in: folder)
    if values["enforce_discovery_auth"] == "1", let account = account(.incoming, values, "", in: folder) {
      state.discovery.take(account, .incoming)
    }
    if let account = account(.outgoing, values, "", in: folder) {
      state.discovery.take(account, .outgoing)
    }
  }

  // MARK: Sessions

  /// Initiators that were let in without an ACL of their own, by name; names are separated by NUL.
  func readDynamicSessions(_ values: LIOValues, into target: inout Target) {
    let names = values.text("dynamic_sessions") ?? ""
    for initiator in names.split(whereSeparator: { $0 == "\0" || $0 == "\n" }).map(String.init) {
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
