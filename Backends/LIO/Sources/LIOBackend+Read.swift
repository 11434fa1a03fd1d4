import HostInterface
import SystemPackage
import TargetCore

extension LIOBackend {
  func read(_ host: any Host, detail: ReadDetail) async throws -> LiveState {
    guard try host.status(FilePath(LIOPaths.fabric)) != nil else {
      throw Failure(
        .unavailable, "lio", "the kernel's target does not answer, \(LIOPaths.fabric) does not exist",
        remedy: "run `quartet start -i lio`, or load the module iscsi_target_mod")
    }
    var reader = LIOReader(host: host)
    for entry in try host.list(FilePath(LIOPaths.fabric)) {
      guard LIOReader.isTargetName(entry) else { continue }
      guard let name = TargetName(asFound: entry) else {
        reader.state.remarks.append("LIO has a target with a name that cannot be handled (\(entry))")
        continue
      }
      try reader.readTarget(name, detail: detail)
    }
    if detail.shared {
      try reader.readBackstores()
      try reader.readStoredReservations()
      try reader.readDiscovery()
    }
    return reader.state
  }
}

/// Reads configfs into the model.
///
/// What an entry is made of may go away while it is read, so that a file that is missing is a value that is not
/// told.
struct LIOReader {
  let host: any Host
  var state = LiveState()
  /// How many LUNs show a device.
  private var uses: [String: Int] = [:]
  /// The settings of devices that several LUNs show are read once.
  private var devices: [String: LogicalUnit] = [:]

  init(host: any Host) { self.host = host }

  static func isTargetName(_ entry: String) -> Bool {
    ["iqn.", "eui.", "naa."].contains { entry.lowercased().hasPrefix($0) }
  }

  // MARK: Files

  /// A file's first line; nil when the file is not there or cannot be read.
  private func value(_ path: String) throws -> String? {
    do {
      let text = try host.text(FilePath(path))
      return String(text.prefix { $0 != "\n" })
    } catch let failure as Failure where failure.code != .permission {
      return nil
    }
  }

  private func entries(_ path: String) throws -> [String] {
    do { return try host.list(FilePath(path)) } catch let failure as Failure where failure.code == .notFound {
      return []
    }
  }

  // MARK: Targets

  mutating func readTarget(_ name: TargetName, detail: ReadDetail) throws {
    let groups = try entries(LIOPaths.target(name)).filter { $0.hasPrefix("tpgt_") }
    for group in groups where group != "tpgt_1" {
      state.remarks.append("target \(name) has the portal group \(group), which is left alone")
    }
    var target = Target(name: name)
    target.portals = []
    guard groups.contains("tpgt_1") else {
      // mkdir of the name stands, the portal group does not: a run was killed in between.
      state.facts["half-built \(name)"] = "true"
      state.targets[name] = target
      return
    }
    let group = LIOPaths.group(name)
    target.enabled = try value(group + "/enable") == "1"
    if try value(group + "/attrib/generate_node_acls") == "1" { target.initiators.insert(.all) }
    target.chap = try readAccounts(group + "/auth", enforced: value(group + "/attrib/authentication") == "1")
    try readPortals(into: &target)
    for entry in try entries(group + "/lun") where entry.hasPrefix("lun_") {
      guard let number = Int(entry.dropFirst(4)), let lun = try? LUN(number) else { continue }
      try readUnit(lun, settings: detail.units.contains(name), into: &target)
      if detail.parameters.contains(name) { try readUnitAttributes(lun, into: &target) }
    }
    var nodes: [ISCSIName] = []
    for entry in try entries(group + "/acls") {
      guard let node = ISCSIName(asFound: entry) else {
        state.remarks.append("target \(name) has a node ACL with a name that cannot be handled (\(entry))")
        continue
      }
      nodes.append(node)
      try readNode(node, into: &target)
    }
    readAudiences(nodes, into: &target)
    try readDynamicSessions(into: &target)
    if detail.parameters.contains(name) { try readParameters(into: &target) }
    state.targets[name] = target
  }

  private func readAccounts(_ folder: String, enforced: Bool) throws -> CHAPAccounts {
    func account(_ suffix: String) throws -> CHAPAccount? {
      guard let name = try value("\(folder)/userid\(suffix)"), name != "NULL",
        let user = CHAPUser(asFound: name)
      else { return nil }
      let secret = try value("\(folder)/password\(suffix)").map { Secret(Array($0.utf8)) }
      guard let secret, let whole = try? CHAPAccount(user: user, secret: secret) else {
        return CHAPAccount(user: user)
      }
      return whole
    }
    return CHAPAccounts(
      incoming: enforced ? try account("").map { [$0] } ?? [] : [], outgoing: try account("_mutual"))
  }

  private mutating func readPortals(into target: inout Target) throws {
    let folder = LIOPaths.group(target.name) + "/np"
    for entry in try entries(folder) {
      guard var portal = try? Portal(entry) else {
        state.remarks.append("target \(target.name) has a portal that cannot be handled (\(entry))")
        continue
      }
      portal.iser = try value("\(folder)/\(entry)/iser") == "1"
      target.portals?.insert(portal)
    }
  }

  private func readParameters(into target: inout Target) throws {
    let group = LIOPaths.group(target.name)
    for parameter in SessionParameter.allCases {
      target.parameters[parameter] = try value("\(group)/param/\(parameter.rawValue)")
    }
    for attribute in Capabilities.lio.targetAttributes {
      let folder = attribute == "TargetAlias" ? "param" : "attrib"
      if let text = try value("\(group)/\(folder)/\(attribute)") { target.attributes[attribute] = text }
    }
  }

  // MARK: Logical units

  /// The name and destination of the link in a directory; the name that Quartet gives is tried first.
  private func link(in folder: String) throws -> (name: String, destination: String)? {
    let ours = FilePath("\(folder)/\(LIOPaths.link)")
    if let destination = try? host.readLink(ours) { return (LIOPaths.link, destination.string) }
    for entry in try entries(folder) {
      if let destination = try? host.readLink(FilePath("\(folder)/\(entry)")) {
        return (entry, destination.string)
      }
    }
    return nil
  }

  private mutating func readUnit(_ lun: LUN, settings: Bool, into target: inout Target) throws {
    let name = target.name
    let path = LIOPaths.unit(name, lun)
    guard let (link, destination) = try link(in: path), let backstore = Backstore(link: destination) else {
      // A LUN that shows nothing is what a killed run left.
      state.facts["empty \(name) \(lun)"] = "true"
      return
    }
    state.facts["link \(name) \(lun)"] = link
    state.facts["device \(name) \(lun)"] = backstore.device
    uses[backstore.device, default: 0] += 1
    if uses[backstore.device, default: 0] > 1 { state.facts["shared \(backstore.device)"] = "true" }
    var unit = try devices[backstore.device] ?? readDevice(backstore, settings: settings)
    devices[backstore.device] = unit
    unit.lun = lun
    target.units[lun] = unit
  }

  private func readDevice(_ backstore: Backstore, settings: Bool) throws -> LogicalUnit {
    let device = backstore.device
    var unit = LogicalUnit(lun: try LUN(0), backing: settings ? .none : .unread)
    unit.store = backstore.plugin
    unit.scsiID = backstore.name
    guard settings else { return unit }
    unit.deviceType = backstore.plugin == "pscsi" ? .passthrough : .disk
    let info = (try? host.text(FilePath(device + "/info"))) ?? ""
    if let path = try value(device + "/udev_path"), !path.isEmpty { unit.backing = .path(path) }
    let words = info.split(whereSeparator: \.isWhitespace)
    func word(after key: Substring) -> Substring? {
      words.firstIndex(of: key).flatMap { $0 + 1 < words.count ? words[$0 + 1] : nil }
    }
    switch backstore.plugin {
    case "fileio":
      // TCM FILEIO ID: 0        File: /srv/disk1  Size: 67108864  Mode: O_DSYNC Async: 0
      if unit.backing == .none, let path = word(after: "File:") { unit.backing = .path(String(path)) }
      unit.size = word(after: "Size:").flatMap { UInt64($0) }
      unit.cache = word(after: "Mode:") == "Buffered-WCE" ? .back : .through
    case "rd_mcp":
      // TCM RamDisk ID: 0  RamDisk Makeup: rd_mcp / PAGES/PAGE_SIZE: 1024*4096  SG_table_count: 1
      if let makeup = word(after: "PAGES/PAGE_SIZE:")?.split(separator: "*"), makeup.count == 2 {
        unit.attributes["rd_pages"] = String(makeup[0])
        unit.size = UInt64(makeup[0]).map { $0 &* 4096 }
      }
    case "iblock":
      // iBlock device: vda  UDEV PATH: /dev/vda  readonly: 0
      unit.readOnly = word(after: "readonly:").map { $0 == "1" }
      unit.cache = .through
    default: break
    }
    unit.blockSize = try value(device + "/attrib/block_size").flatMap { UInt32($0) }
    unit.thin = try value(device + "/attrib/emulate_tpu").map { $0 == "1" }
    // T10 VPD Unit Serial Number: 8ac9b2e1
    unit.serial = try value(device + "/wwn/vpd_unit_serial").map(Self.behindColon)
    unit.vendor = try value(device + "/wwn/vendor_id").map(Self.behindColon)
    unit.product = try value(device + "/wwn/product_id").map(Self.behindColon)
    unit.revision = try value(device + "/wwn/revision").map(Self.behindColon)
    return unit
  }

  /// The kernel's settings of a device, its port group and its reservation: 120 system calls, so not for a summary.
  private func readUnitAttributes(_ lun: LUN, into target: inout Target) throws {
    guard let device = state.facts["device \(target.name) \(lun)"] else { return }
    for attribute in Capabilities.lio.unitAttributes where attribute != "rd_pages" {
      target.units[lun]?.attributes[attribute] = try value("\(device)/\(LIOPaths.attribute(attribute))")
    }
    if let holder = try value(device + "/pr/res_holder"), !holder.hasPrefix("No SPC-3 Reservation holder") {
      let type = try value(device + "/pr/res_pr_type").map { "; " + $0 } ?? ""
      target.units[lun]?.reservation = holder + type
    }
  }

  private static func behindColon(_ text: String) -> String {
    guard let colon = text.firstIndex(of: ":") else { return text.trimmed }
    return text[text.index(after: colon)...].trimmed
  }

  // MARK: Initiators and sessions

  private mutating func readNode(_ node: ISCSIName, into target: inout Target) throws {
    let name = target.name
    let folder = LIOPaths.acl(name, node)
    target.initiators.insert(.name(node))
    state.facts["acl \(name) \(node)"] = "true"
    state.facts["depth \(name) \(node)"] = try value(folder + "/cmdsn_depth")
    for entry in try entries(folder) where entry.hasPrefix("lun_") {
      guard let number = Int(entry.dropFirst(4)), let lun = try? LUN(number) else { continue }
      guard let (link, _) = try link(in: "\(folder)/\(entry)") else { continue }
      state.facts["mapped \(name) \(node) \(lun)"] = link
      if try value("\(folder)/\(entry)/write_protect") == "1" { target.units[lun]?.readOnly = true }
    }
    if target.chap.incoming.isEmpty, target.enabled {
      let authenticated = try value(LIOPaths.group(name) + "/attrib/authentication") == "1"
      target.chap = try readAccounts(folder + "/auth", enforced: authenticated)
    }
    if let session = try LIOSession.parse(host.text(FilePath(folder + "/info"))) {
      target.sessions.append(session)
    }
  }

  /// A logical unit that every node sees has no list of its own.
  private func readAudiences(_ nodes: [ISCSIName], into target: inout Target) {
    for lun in target.units.keys {
      let seeing = nodes.filter { state.facts["mapped \(target.name) \($0) \(lun)"] != nil }
      if seeing.count != nodes.count { target.units[lun]?.initiators = seeing.map(Initiator.name) }
    }
  }

  /// Initiators that were let in without an ACL of their own, by name; names are separated by NUL.
  private func readDynamicSessions(into target: inout Target) throws {
    let path = FilePath(LIOPaths.group(target.name) + "/dynamic_sessions")
    guard let bytes = try? host.read(path) else { return }
    for name in bytes.split(whereSeparator: { $0 == 0 || $0 == UInt8(ascii: "\n") }) {
      let initiator = String(decoding: name, as: UTF8.self)
      target.sessions.append(Session(id: "dynamic:" + initiator, initiator: initiator, connections: []))
    }
  }

  // MARK: What is not of one target

  mutating func readBackstores() throws {
    for hba in try entries(LIOPaths.core) where hba != "alua" {
      let folder = "\(LIOPaths.core)/\(hba)"
      let names = try entries(folder).filter { $0 != "hba_info" && $0 != "hba_mode" }
      if names.count > 1 { state.facts["crowded \(folder)"] = "true" }
      for name in names {
        let device = "\(folder)/\(name)"
        state.facts["backstore \(device)"] = uses[device] == nil ? "unused" : "used"
      }
    }
  }

  /// What the kernel stored of persistent reservations, below the folder that it says.
  mutating func readStoredReservations() throws {
    guard let root = try value(LIOPaths.root + "/dbroot"), root.hasPrefix("/") else { return }
    let folder = root + "/pr"
    if try host.status(FilePath(root)) == nil { state.facts["missing dbroot"] = root }
    if try host.status(FilePath(folder)) == nil { state.facts["missing pr"] = folder }
    for name in try entries(folder) where name.hasPrefix("aptpl_") {
      guard let text = try? host.text(FilePath(folder + "/" + name)) else { continue }
      state.facts["aptpl \(name.dropFirst("aptpl_".count))"] = text
    }
  }

  mutating func readDiscovery() throws {
    let enforced = try value(LIOPaths.discovery + "/enforce_discovery_auth") == "1"
    state.discovery = try readAccounts(LIOPaths.discovery, enforced: enforced)
  }
}
