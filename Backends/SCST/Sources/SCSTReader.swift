import HostInterface
import SystemPackage
import TargetCore

extension SCSTBackend {
  func read(_ host: any Host, detail: ReadDetail) async throws -> LiveState {
    var reader = SCSTReader(host: host, port: port, detail: detail)
    try await reader.checkRunning()
    try await reader.readDriver()
    let entries = try reader.entries(SCSTPaths.driver)
    for entry in entries where try reader.isDirectory(SCSTPaths.driver + "/" + entry) {
      // The tree writes an exclamation mark for a slash, and commands want the slash.
      guard let name = TargetName(asFound: entry), SCSTToken.isOne(entry), !entry.contains("!") else {
        reader.state.remarks.append("SCST has a target with a name that cannot be handled (\(entry))")
        continue
      }
      try await reader.readTarget(name)
    }
    reader.noteUses()
    if detail.shared { try await reader.readShared(driver: entries) }
    reader.remarkOnDriver()
    return reader.state
  }
}

/// Reads the tree into the model.
///
/// What an entry is made of may go away while it is read, so that a file that is missing is a value that is not told.
struct SCSTReader {
  let host: any Host
  /// The TCP port of iscsi-scstd, which the tree does not tell.
  let port: UInt16
  let detail: ReadDetail
  var state = LiveState()
  /// The settings of devices that several logical units show are read once.
  var devices: [String: LogicalUnit] = [:]
  /// How many maps of the model show a device.
  var uses: [String: Int] = [:]
  /// Targets that say that they are enabled.
  var enabled: [TargetName] = []
  /// What goes into the serials that SCST makes up.
  var setupID: UInt32 = 0
  /// What SCST calls itself: `3.11.0-pre`.
  var version = ""

  init(host: any Host, port: UInt16, detail: ReadDetail) {
    self.host = host
    self.port = port
    self.detail = detail
  }

  // MARK: Files

  /// The texts of files that were read already: a read asks for each once.
  private final class Texts { var known: [String: String] = [:] }
  private let texts = Texts()

  func text(_ path: String) throws -> String {
    if let text = texts.known[path] { return text }
    let text = try host.text(FilePath(path))
    texts.known[path] = text
    return text
  }

  /// The first line of a file, which is its value; nil when the file is not there or cannot be read.
  func value(_ path: String) async throws -> String? {
    var left = 50
    while true {
      do {
        return String(try text(path).prefix { $0 != "\n" && $0 != "\0" })
      } catch let failure as Failure where failure.errno == .resourceTemporarilyUnavailable {
        // The kernel serves some attributes by the same queue as commands.
        guard left > 0 else { throw failure }
        left -= 1
        try await host.sleep(.milliseconds(20))
      } catch let failure as Failure where failure.code != .permission && failure.code != .interrupted {
        return nil
      }
    }
  }

  func entries(_ path: String) throws -> [String] {
    do { return try host.list(FilePath(path)) } catch let failure as Failure where failure.code == .notFound {
      return []
    }
  }

  func isDirectory(_ path: String) throws -> Bool { try host.status(FilePath(path))?.kind == .directory }

  /// The last name of what a link leads to; nil when there is no link.
  func linkName(_ path: String) -> String? {
    (try? host.readLink(FilePath(path)))?.string.split(separator: "/").last.map(String.init)
  }

  // MARK: The driver

  func checkRunning() async throws {
    func unavailable(_ problem: String) -> Failure {
      Failure(.unavailable, "scst", problem, remedy: "run `quartet start -i scst`")
    }
    guard try host.status(FilePath(SCSTPaths.root)) != nil else {
      throw unavailable("does not answer, \(SCSTPaths.root) does not exist: its module scst is not loaded")
    }
    guard try host.status(FilePath(SCSTPaths.driver)) != nil else {
      throw unavailable("has no iSCSI driver, \(SCSTPaths.driver) does not exist: iscsi-scst is not loaded")
    }
    guard try await value(SCSTPaths.driver + "/open_state") == "open" else {
      throw unavailable("has no targets, since iscsi-scstd does not run (open_state is not open)")
    }
  }

  mutating func readDriver() async throws {
    version = try await value(SCSTPaths.root + "/version")?.split(separator: " ").last.map(String.init) ?? ""
    setupID = try await value(SCSTPaths.root + "/setup_id").flatMap { UInt32(asFound: $0) } ?? 0
    state.facts[SCSTFact.driver] = try await value(SCSTPaths.driver + "/enabled") ?? "1"
    let nodes = try entries("/sys/devices/system/node").filter { $0.isNumbered("node") }.map {
      $0.dropFirst(4)
    }
    state.facts[SCSTFact.nodes] = nodes.joined(separator: ",")
  }

  /// What is enabled at a driver that is not will serve as soon as that one is.
  mutating func remarkOnDriver() {
    guard state.facts[SCSTFact.driver] == "0", !enabled.isEmpty else { return }
    let names = enabled.sorted().map(\.description).joined(separator: ", ")
    state.remarks.append(
      "the iSCSI driver of SCST is disabled; enabling a target enables it, and with it \(names)")
  }

  // MARK: Targets

  mutating func readTarget(_ name: TargetName) async throws {
    let path = SCSTPaths.target(name)
    let files = try entries(path)
    var target = Target(name: name)
    if try await value(path + "/enabled") == "1" {
      target.enabled = state.facts[SCSTFact.driver] == "1"
      enabled.append(name)
      state.facts[SCSTFact.enabled(name)] = "1"
    }
    if let id = try await value(path + "/rel_tgt_id").flatMap({ UInt32($0) }), id > 0 { target.id = id }
    target.chap = try await readAccounts(path, of: name, files)
    target.portals = try await readPortals(of: name, files)
    try await readPlaces(into: &target)
    try await readSessions(into: &target)
    if detail.parameters.contains(name) { try await readSettings(into: &target, files) }
    // add_target came through, and nothing behind it: not even the relative id.
    target.isUnfinished =
      target.id == nil && target.units.isEmpty && target.initiators.isEmpty && target.chap.isEmpty
      && target.sessions.isEmpty && state.facts[SCSTFact.portals(name)] == nil && enabled.last != name
    state.targets[name] = target
  }

  /// Accounts in `IncomingUser`, `IncomingUser1` and so on: `NAME SECRET`.
  mutating func readAccounts(_ folder: String, of name: TargetName?, _ files: [String]) async throws
    -> CHAPAccounts
  {
    var accounts = CHAPAccounts()
    var numbered: [String] = []
    let place = name.map { "target \($0)" } ?? "discovery"
    for (direction, kind) in [(CHAPDirection.incoming, "IncomingUser"), (.outgoing, "OutgoingUser")] {
      for file in files where file.isNumbered(kind) {
        guard let line = try await value("\(folder)/\(file)") else {
          state.remarks.append(
            "\(place) has an \(kind) that SCST has lost; only deleting the target and making it anew helps")
          continue
        }
        let words = line.split(separator: " ", maxSplits: 1)
        guard let word = words.first, let user = CHAPUser(asFound: word) else {
          state.remarks.append("\(place) has a CHAP account with a name that cannot be handled")
          continue
        }
        if direction == .incoming { numbered.append(file) }
        let secret = words.count == 2 ? Secret(words[1].utf8) : nil
        let account = secret.flatMap { try? CHAPAccount(user: user, secret: $0) } ?? CHAPAccount(user: user)
        if direction == .incoming { accounts.incoming.append(account) } else { accounts.outgoing = account }
      }
    }
    if !numbered.isEmpty { state.facts[SCSTFact.accounts(name)] = numbered.joined(separator: "\n") }
    return accounts
  }

  /// Without a restriction a target is reached at every address; a pattern that no address matches closes it.
  private mutating func readPortals(of name: TargetName, _ files: [String]) async throws -> Set<Portal> {
    var portals: Set<Portal> = []
    var patterns: [String] = []
    for file in files where file.isNumbered("allowed_portal") {
      guard let pattern = try await value("\(SCSTPaths.target(name))/\(file)") else { continue }
      patterns.append(pattern)
      state.facts[SCSTFact.portalFile(name)] = patterns.count == 1 ? file : nil
      guard let found = PortalPattern(asFound: pattern) else {
        state.remarks.append("target \(name) has a portal pattern that cannot be handled (\(pattern))")
        continue
      }
      portals.formUnion(found.portals(port: port))
    }
    state.facts[SCSTFact.portals(name)] = patterns.isEmpty ? nil : patterns.sorted().joined(separator: "\n")
    return patterns.isEmpty ? PortalPattern.any.portals(port: port) : portals
  }

  private mutating func readSessions(into target: inout Target) async throws {
    let folder = SCSTPaths.target(target.name) + "/sessions"
    for id in try entries(folder) {
      // The directory is named after the initiator, with a number where an older session still has the name.
      let initiator = try await value("\(folder)/\(id)/initiator_name") ?? id
      var session = Session(id: id, initiator: initiator, connections: [])
      if detail.parameters.contains(target.name) || detail.statistics.contains(target.name) {
        let files = try entries("\(folder)/\(id)")
        for file in files {
          try await readSessionEntry(file, in: "\(folder)/\(id)", of: target.name, into: &session)
        }
      }
      target.sessions.append(session)
    }
  }

  private func readSessionEntry(
    _ file: String, in folder: String, of name: TargetName, into session: inout Session
  ) async throws {
    if file.isCounter || file == "active_commands" {
      guard detail.statistics.contains(name) else { return }
      session.statistics[file] = try await value("\(folder)/\(file)").flatMap { UInt64($0) }
    } else if detail.parameters.contains(name), let address = IPAddress(connection: file) {
      let id = try await value("\(folder)/\(file)/cid").flatMap { UInt32($0) }
      session.connections.append(Session.Connection(id: id ?? 0, address: address))
    }
  }

  /// Session parameters, and every other file of the target that is a setting.
  private func readSettings(into target: inout Target, _ files: [String]) async throws {
    let path = SCSTPaths.target(target.name)
    for parameter in Capabilities.scst.parameters.keys {
      target.parameters[parameter] = try await value("\(path)/\(parameter.rawValue)")
    }
    let known = Set(SessionParameter.allCases.map(\.rawValue)).union(Self.noSettings)
    for file in files where !known.contains(file) && !file.isCounter {
      if ["IncomingUser", "OutgoingUser", "allowed_portal"].contains(where: file.isNumbered) { continue }
      target.attributes[file] = try await value("\(path)/\(file)")
    }
  }

  private static let noSettings: Set = [
    "enabled", "rel_tgt_id", "luns", "ini_groups", "sessions", "tid", "sg_tablesize", "dif_capabilities",
    "dif_checks_failed",
  ]
}

extension String {
  /// Whether it is the file of a statistic.
  var isCounter: Bool { hasSuffix("_count") || hasSuffix("_kb") }

  /// Whether it is a kind, or the kind and a number behind it: `IncomingUser`, `IncomingUser1`.
  func isNumbered(_ kind: String) -> Bool {
    hasPrefix(kind) && dropFirst(kind.count).allSatisfy { $0.isASCII && $0.isNumber }
  }
}

extension ISCSIName {
  /// Whether a text is the name of an initiator, as Quartet calls the groups that it makes.
  static func isInitiator(_ text: String) -> Bool {
    ["iqn.", "eui.", "naa."].contains(where: text.hasPrefix)
  }
}

extension IPAddress {
  /// The address of a connection's directory: `192.168.0.1`, `[fe80::1]`, each with `_1` behind it for another one.
  fileprivate init?(connection name: String) {
    let parts = name.split(separator: "_", omittingEmptySubsequences: false)
    guard parts.count <= 2, parts.count == 1 || parts[1].allSatisfy(\.isNumber) else { return nil }
    self.init(parts[0].filter { $0 != "[" && $0 != "]" })
  }
}
