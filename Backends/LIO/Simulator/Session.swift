import SystemPackage

/// A session of an initiator with a portal group.
struct Session: Sendable {
  var id: Int
  var initiator: String
  var group: Kernel.Number
  /// The node ACL; nil when the kernel made one by itself.
  var node: Kernel.Number?
  var isid: Int
  var depth: Int
  var address: String
  /// Whether every LUN may only be read.
  var isReadOnly: Bool
}

/// Why an initiator does not get in: the status class and detail of the login response (RFC 7143 section 11.13.5), or
/// that the connection ended.
public enum LoginRefusal: String, Error, Sendable {
  case refused
  case closed
  case notAuthenticated = "0201"
  case notAuthorized = "0202"
  case unavailable = "0301"
}

extension Kernel {
  func session(of node: Number) -> Session? {
    sessions.values.filter { $0.node == node }.max { $0.id < $1.id }
  }

  mutating func closeSessions(_ isMeant: (Session) -> Bool) {
    for session in sessions.values where isMeant(session) {
      sessions[session.id] = nil
      forgetDynamicNode(of: session)
    }
  }

  /// An ACL that the kernel made goes with its last session, unless such ACLs are kept.
  private mutating func forgetDynamicNode(of session: Session) {
    guard session.node == nil, value("cache_dynamic_acls", of: child("attrib", of: session.group)) == "0"
    else {
      return
    }
    let others = sessions.values.contains { $0.group == session.group && $0.initiator == session.initiator }
    if !others { dynamicNodes[session.group]?[session.initiator] = nil }
  }

  /// A session of an ACL that the kernel made becomes one of the ACL that is made for it now.
  mutating func adoptSession(by node: Number) {
    let group = above(above(node))
    let name = self[node].name
    guard dynamicNodes[group]?.removeValue(forKey: name) != nil else { return }
    for id in sessions.keys where sessions[id]?.group == group && sessions[id]?.initiator == name {
      sessions[id]?.node = node
    }
  }

  mutating func logIn(
    _ initiator: String, to target: String, user: String?, secret: String?, address: String, port: Int?,
    isid: Int
  ) throws(LoginRefusal) -> Int {
    let fabric = child("iscsi", of: Self.root)
    let groups = items.filter { $0.value.kind == .group }.keys.sorted()
    let reached = groups.filter { isReachable($0, port) }
    guard !reached.isEmpty else { throw .refused }
    guard let name = self[fabric].children[target],
      let group = reached.first(where: { above($0) == name && value("enable", of: $0) == "1" })
    else { throw .unavailable }
    let node = self[child("acls", of: group)].children[initiator]
    let attributes = child("attrib", of: group)
    let isKnown = dynamicNodes[group]?[initiator] != nil
    guard node != nil || isKnown || value("generate_node_acls", of: attributes) == "1" else {
      throw .notAuthorized
    }
    try checkProof(user, secret, node, group)
    if node == nil, !isKnown {
      dynamicNodes[group, default: [:]][initiator] = value("demo_mode_write_protect", of: attributes) == "1"
    }
    closeSessions { $0.group == group && $0.initiator == initiator && $0.isid == isid }
    sessionCount += 1
    sessions[sessionCount] = Session(
      id: sessionCount, initiator: initiator, group: group, node: node, isid: isid,
      depth: Int(value(node == nil ? "default_cmdsn_depth" : "cmdsn_depth", of: node ?? attributes)) ?? 64,
      address: address, isReadOnly: dynamicNodes[group]?[initiator] ?? false)
    return sessionCount
  }

  private func isReachable(_ group: Number, _ port: Int?) -> Bool {
    guard let port else { return true }
    return self[child("np", of: group)].children.keys.contains { $0.hasSuffix(":\(port)") }
  }

  private func checkProof(_ user: String?, _ secret: String?, _ node: Number?, _ group: Number)
    throws(LoginRefusal)
  {
    let whole = value("authentication", of: child("attrib", of: group)) == "1"
    let own = node.map { value("authentication", of: child("attrib", of: $0)) } ?? "-1"
    guard own == "1" || (own == "-1" && whole) else { return }
    guard let user, let secret else { throw whole ? .closed : .notAuthenticated }
    let accounts = child("auth", of: node ?? group)
    let wanted = ["userid", "password"].map { value($0, of: accounts) }
    guard wanted.allSatisfy(Self.isSet), wanted == [user, secret] else { throw .notAuthenticated }
  }

  /// Whether a session may write to a LUN; nil when it does not see it.
  func mayWrite(_ id: Int, lun: Int) -> Bool? {
    guard let session = sessions[id] else { return nil }
    if let device = seenDevice(session, lun), isReserved(device, from: session.initiator) { return false }
    guard let node = session.node else {
      guard let unit = self[child("lun", of: session.group)].children["lun_\(lun)"] else { return nil }
      return device(of: unit) == nil ? nil : !session.isReadOnly
    }
    guard let mapped = self[node].children["lun_\(lun)"], let unit = self[mapped].links.values.first,
      let device = device(of: unit)
    else { return nil }
    return value("write_protect", of: mapped) != "1" && backstores[device]?.settings["readonly"] != "1"
  }

  func infoText(of node: Number) -> String {
    guard let session = session(of: node) else {
      return "No active iSCSI Session for Initiator Endpoint: \(self[node].name)\n"
    }
    let depth = hexadecimal(session.depth)
    return "InitiatorName: \(session.initiator)\nInitiatorAlias: \nLIO Session ID: \(session.id)   "
      + "ISID: 0x40 00 00 00 00 \(String(hexadecimal(session.isid).suffix(2)))  TSIH: \(session.id)  "
      + "SessionType: Normal\nSession State: TARG_SESS_STATE_LOGGED_IN\n"
      + "---------------------[iSCSI Session Values]-----------------------\n"
      + "  CmdSN/WR  :  CmdSN/WC  :  ExpCmdSN  :  MaxCmdSN  :     ITT    :     TTT\n"
      + " \(depth)   \(depth)   0x00000001   \(depth)   0x01000000   0x00000000\n"
      + "----------------------[iSCSI Connections]-------------------------\n"
      + "CID: 0  Connection State: TARG_CONN_STATE_LOGGED_IN\n   Address \(session.address) TCP  StatSN: *\n"
  }

  func counterText(_ name: String, of node: Number) -> String {
    if name == "inst" { return "0\n" }
    guard let session = session(of: node) else { return "" }
    return name == "node" ? "1\n" : name == "indx" ? "\(session.id - 1)\n" : "0\n"
  }

  private func hexadecimal(_ number: Int) -> String {
    let digits = String(number, radix: 16)
    return "0x" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
  }
}
