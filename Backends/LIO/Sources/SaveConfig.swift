import HostInterface
import TargetCore

/// `saveconfig.json`, which `targetctl restore` and targetcli's `restoreconfig` take (rtslib's `RTSRoot.restore`).
enum SaveConfig {
  static let format = ConfigurationFormat(
    summary: "what targetctl restores, /etc/rtslib-fb-target/saveconfig.json",
    read: { try SaveConfigReader.read($0) }, write: { write($0) })

  /// What rtslib calls a plug-in of the kernel.
  static let plugins = [
    "iblock": "block", "fileio": "fileio", "rd_mcp": "ramdisk", "pscsi": "pscsi", "user": "user",
  ]

  static func write(_ state: LiveState) -> String {
    var objects: [String: JSONValue] = [:]
    let targets = state.targets.values.sorted { $0.name < $1.name }.map { target -> JSONValue in
      .object([
        "fabric": .text("iscsi"), "wwn": .text("\(target.name)"),
        "tpgs": .list([group(of: target, state, &objects)]),
      ])
    }
    let root = JSONValue.object([
      "fabric_modules": .list(discovery(state.discovery).map { [$0] } ?? []),
      "storage_objects": .list(objects.sorted { $0.key < $1.key }.map(\.value)), "targets": .list(targets),
    ])
    return root.written() + "\n"
  }

  private static func discovery(_ accounts: CHAPAccounts) -> JSONValue? {
    guard let incoming = accounts.incoming.first else { return nil }
    var members = credentials(incoming, "discovery_userid", "discovery_password")
    if let outgoing = accounts.outgoing {
      members.merge(credentials(outgoing, "discovery_mutual_userid", "discovery_mutual_password")) { $1 }
    }
    members["name"] = .text("iscsi")
    members["discovery_enable_auth"] = .truth(true)
    return .object(members)
  }

  private static func credentials(_ account: CHAPAccount, _ user: String, _ secret: String) -> [String:
    JSONValue]
  {
    // Without its secret it would let in nobody, which is better than everybody.
    let text = account.secret?.withBytes { String(decoding: $0, as: UTF8.self) } ?? "the-secret-is-not-known"
    return [user: .text("\(account.user)"), secret: .text(text)]
  }

  private static func group(of target: Target, _ state: LiveState, _ objects: inout [String: JSONValue])
    -> JSONValue
  {
    var attributes = target.attributes.filter { $0.key != "TargetAlias" }.mapValues { JSONValue(plain: $0) }
    attributes["authentication"] = .number(target.chap.incoming.isEmpty ? 0 : 1)
    let isForAll = target.initiators.contains(.all)
    attributes["generate_node_acls"] = .number(isForAll ? 1 : 0)
    if isForAll {
      attributes["demo_mode_write_protect"] = .number(0)
      attributes["cache_dynamic_acls"] = .number(1)
    }
    var parameters: [String: JSONValue] = [:]
    for (parameter, value) in target.parameters { parameters[parameter.rawValue] = .text(value) }
    if let alias = target.attributes["TargetAlias"] { parameters["TargetAlias"] = .text(alias) }
    let units = target.units.values.filter { !$0.isRemnant }.sorted { $0.lun < $1.lun }
    let luns = units.map { unit -> JSONValue in
      let (path, object) = SaveConfigObject(unit, of: target.name, state).value
      objects[path] = object
      return .object(["index": JSONValue(unit.lun.number), "storage_object": .text(path)])
    }
    let nodes = target.initiators.sorted().compactMap { initiator -> JSONValue? in
      guard case .name(let node) = initiator else { return nil }
      return acl(of: node, target, units, state)
    }
    let portals = (target.portals ?? []).sorted().map { portal -> JSONValue in
      let host = portal.address.isIPv6 ? "[\(portal.address)]" : "\(portal.address)"
      return .object([
        "ip_address": .text(host), "port": JSONValue(portal.port), "iser": .truth(portal.iser),
        "offload": .truth(false),
      ])
    }
    var members: [String: JSONValue] = [
      "tag": .number(1), "enable": .truth(target.enabled), "attributes": .object(attributes),
      "parameters": .object(parameters), "luns": .list(luns), "node_acls": .list(nodes),
      "portals": .list(portals),
    ]
    members.merge(accounts(target.chap)) { $1 }
    return .object(members)
  }

  private static func accounts(_ chap: CHAPAccounts) -> [String: JSONValue] {
    var members: [String: JSONValue] = [:]
    if let account = chap.incoming.last {
      members.merge(credentials(account, "chap_userid", "chap_password")) { $1 }
    }
    if let account = chap.outgoing {
      members.merge(credentials(account, "chap_mutual_userid", "chap_mutual_password")) { $1 }
    }
    return members
  }

  private static func acl(of node: ISCSIName, _ target: Target, _ units: [LogicalUnit], _ state: LiveState)
    -> JSONValue
  {
    let mapped = units.flatMap { unit -> [JSONValue] in
      let lines = state.facts[LIOFacts.mapped(target.name, node, unit.lun)] ?? ""
      return lines.split(separator: "\n").compactMap { MappedLUN(line: $0) }.compactMap { mapped in
        guard let index = Int(mapped.directory.dropFirst("lun_".count)) else { return nil }
        return .object([
          "index": JSONValue(index), "tpg_lun": JSONValue(unit.lun.number),
          "write_protect": .truth(mapped.isProtected),
        ])
      }
    }
    var members: [String: JSONValue] = ["node_wwn": .text("\(node)"), "mapped_luns": .list(mapped)]
    members.merge(accounts(target.chap)) { $1 }
    return .object(members)
  }
}

/// A storage object: what Quartet calls the backing of a logical unit.
struct SaveConfigObject {
  private let unit: LogicalUnit
  private let name: String
  private let isReadOnlyDevice: Bool

  init(_ unit: LogicalUnit, of target: TargetName, _ state: LiveState) {
    self.unit = unit
    name = unit.scsiID ?? Identity.derived(target: target, lun: unit.lun)
    let device = state.facts[LIOFacts.device(target, unit.lun)] ?? ""
    isReadOnlyDevice = state.facts[LIOFacts.readOnlyDevice(device)] != nil
  }

  /// Its path in targetcli, and what is saved of it.
  var value: (path: String, object: JSONValue) {
    let plugin = SaveConfig.plugins[unit.store ?? "fileio"] ?? "fileio"
    var members: [String: JSONValue] = ["name": .text(name), "plugin": .text(plugin)]
    if case .path(let path) = unit.backing, plugin != "ramdisk", plugin != "user" {
      members["dev"] = .text(path)
    }
    if plugin != "pscsi", let serial = unit.serial { members["wwn"] = .text(serial) }
    switch plugin {
    case "fileio":
      members["write_back"] = .truth(unit.cache == .back)
      members["aio"] = .truth(unit.attributes["fd_async_io"] == "1")
      members["size"] = unit.size.map { JSONValue($0) }
    case "block":
      members["write_back"] = .truth(false)
      members["readonly"] = .truth(isReadOnlyDevice)
    case "ramdisk":
      members["size"] = unit.size.map { JSONValue($0) }
      if unit.attributes["rd_nullio"] == "1" { members["nullio"] = .truth(true) }
    case "user":
      members["size"] = unit.size.map { JSONValue($0) }
      if let configuration = unit.attributes["dev_config"] {
        members["config"] = .text(configuration)
      } else if case .path(let path) = unit.backing {
        members["config"] = .text("file/\(path)")
      }
    default: break
    }
    members["attributes"] = .object(attributes)
    if let group = portGroup { members["alua_tpgs"] = .list([group]) }
    return ("/backstores/\(plugin)/\(name)", .object(members))
  }

  private var attributes: [String: JSONValue] {
    var all = unit.attributes.filter { key, _ in
      !LIOInfo.attributes.contains(key) && !LIOPaths.aluaAttributes.contains(key) && key != "company_id"
    }.mapValues { JSONValue(plain: $0) }
    if let size = unit.blockSize, unit.store != "user" { all["block_size"] = JSONValue(size) }
    return all
  }

  private var portGroup: JSONValue? {
    let own = unit.attributes.filter { LIOPaths.aluaAttributes.contains($0.key) }
    guard !own.isEmpty else { return nil }
    var members = own.mapValues { JSONValue(plain: $0) }
    members["name"] = .text("default_tg_pt_gp")
    members["tg_pt_gp_id"] = .number(0)
    return .object(members)
  }
}
