import HostInterface
import TargetCore

/// Reads `saveconfig.json` into a desired state; what has no place in it is told.
struct SaveConfigReader {
  private static let name = "saveconfig.json"
  private var state = DesiredState()
  private var warnings: [String] = []
  private var objects: [String: JSONValue] = [:]
  private var used: Set<String> = []

  static func read(_ text: String) throws -> ConfigurationText {
    let root = try JSONValue(parsing: text, as: name)
    guard case .object = root else {
      throw Failure(.invalid, name, "is no object", remedy: "see whether it is what targetctl saved")
    }
    var reader = SaveConfigReader()
    for object in root["storage_objects"]?.list ?? [] {
      guard let plugin = object["plugin"]?.text, let title = object["name"]?.text else {
        throw Failure(.invalid, name, "has a storage object without a name or a plugin")
      }
      reader.objects["/backstores/\(plugin)/\(title)"] = object
    }
    for module in root["fabric_modules"]?.list ?? [] { try reader.readDiscovery(module) }
    for target in root["targets"]?.list ?? [] { try reader.readTarget(target) }
    for path in reader.objects.keys.sorted() where !reader.used.contains(path) {
      reader.warnings.append("storage object \(path) is shown by no LUN; it is left out")
    }
    return ConfigurationText(state: reader.state, warnings: reader.warnings)
  }

  private mutating func readDiscovery(_ module: JSONValue) throws {
    guard module["name"]?.text == "iscsi" else { return }
    guard module["discovery_enable_auth"]?.isTrue == true else { return }
    var chap = CHAPSpec()
    chap.incoming = try account(module, "discovery_userid", "discovery_password").map { [$0] }
    if let outgoing = try account(module, "discovery_mutual_userid", "discovery_mutual_password") {
      chap.outgoing = .some(outgoing)
    }
    state.discovery = chap
  }

  private func account(_ value: JSONValue, _ user: String, _ secret: String) throws -> CHAPAccount? {
    guard let name = value[user]?.text, !name.isEmpty, let text = value[secret]?.text, !text.isEmpty else {
      return nil
    }
    return try CHAPAccount(user: CHAPUser(name), secret: Secret(text.utf8))
  }

  private mutating func readTarget(_ value: JSONValue) throws {
    guard let text = value["wwn"]?.text else {
      throw Failure(.invalid, Self.name, "has a target without a wwn")
    }
    guard value["fabric"]?.text ?? "iscsi" == "iscsi" else {
      warnings.append("target \(ISCSIName.printable(text)) is not of iSCSI; it is left out")
      return
    }
    var spec = TargetSpec(name: try TargetName(text))
    spec.implementation = "lio"
    let groups = value["tpgs"]?.list ?? []
    for group in groups where group["tag"]?.number ?? 1 != 1 {
      warnings.append("target \(spec.name) has the portal group \(group["tag"]?.plain ?? ""); it is left out")
    }
    if let group = groups.first(where: { $0["tag"]?.number ?? 1 == 1 }) { try readGroup(group, into: &spec) }
    state.targets.append(spec)
  }

  private mutating func readGroup(_ group: JSONValue, into spec: inout TargetSpec) throws {
    spec.enabled = group["enable"].map(\.isTrue) ?? true
    let attributes = (group["attributes"]?.members ?? [:]).compactMapValues(\.plain)
    for (key, value) in attributes where Capabilities.lio.targetAttributes.contains(key) {
      spec.attributes[key] = value
    }
    for (key, value) in group["parameters"]?.members ?? [:] {
      guard let text = value.plain else { continue }
      if key == "TargetAlias" {
        spec.attributes[key] = text
      } else if let parameter = SessionParameter(rawValue: key) {
        spec.parameters[parameter] = try parameter.normalized(text)
      }
    }
    spec.portals = try (group["portals"]?.list ?? []).map { value in
      let address = value["ip_address"]?.text ?? ""
      return try Portal(
        "\(address):\(value["port"]?.plain ?? "3260")\(value["iser"]?.isTrue == true ? ",iser" : "")")
    }
    let nodes = try readNodes(group, isAsked: attributes["authentication"] != "0", into: &spec)
    if attributes["generate_node_acls"] == "1" { spec.initiators?.append(.all) }
    spec.units = try (group["luns"]?.list ?? []).map { try readUnit($0, nodes, spec) }
  }

  /// Who gets in, and what each is shown.
  ///
  /// One account is for all: an initiator that is asked for another one, or for one
  /// that it does not have, is left out rather than let in by this one.
  private mutating func readNodes(_ group: JSONValue, isAsked: Bool, into spec: inout TargetSpec) throws
    -> [(node: ISCSIName, mapped: [JSONValue])]
  {
    let acls = try (group["node_acls"]?.list ?? []).map { value in
      (
        node: try ISCSIName(value["node_wwn"]?.text ?? ""), value: value,
        account: try account(value, "chap_userid", "chap_password")
      )
    }
    let own = try account(group, "chap_userid", "chap_password")
    let incoming = acls.compactMap(\.account).first ?? own
    let outgoing = try (acls.map(\.value) + [group]).lazy.compactMap {
      try account($0, "chap_mutual_userid", "chap_mutual_password")
    }.first
    spec.chap = CHAPSpec(incoming: isAsked ? incoming.map { [$0] } ?? [] : [], outgoing: .some(outgoing))
    if !isAsked, incoming != nil {
      warnings.append("target \(spec.name) has a CHAP account and does not ask for it; it is left out")
    }
    var nodes: [(node: ISCSIName, mapped: [JSONValue])] = []
    for acl in acls {
      if isAsked, acl.account != incoming || incoming == nil {
        warnings.append(
          "\(acl.node) has \(acl.account == nil ? "no" : "another") CHAP account at \(spec.name); it is left out"
        )
        continue
      }
      nodes.append((acl.node, acl.value["mapped_luns"]?.list ?? []))
    }
    spec.initiators = nodes.map { .name($0.node) }
    return nodes
  }

  private mutating func readUnit(
    _ value: JSONValue, _ nodes: [(node: ISCSIName, mapped: [JSONValue])], _ spec: TargetSpec
  ) throws -> LogicalUnit {
    guard let number = value["index"]?.number, let path = value["storage_object"]?.text,
      let object = objects[path]
    else { throw Failure(.invalid, Self.name, "has a LUN of \(spec.name) without its storage object") }
    used.insert(path)
    let lun = try LUN(number)
    var unit = try readObject(object, lun)
    var seeing: [Initiator] = []
    var protections: [Bool] = []
    for (node, mapped) in nodes {
      let mine = mapped.filter { $0["tpg_lun"]?.number == number }
      if !mine.isEmpty { seeing.append(.name(node)) }
      protections += mine.map { $0["write_protect"]?.isTrue == true }
      for one in mine where one["index"]?.number != number {
        warnings.append("lun \(lun) of \(spec.name) is shown to \(node) as \(one["index"]?.plain ?? "")")
      }
    }
    if seeing.count != nodes.count { unit.initiators = seeing }
    if unit.readOnly != true, !protections.isEmpty { unit.readOnly = protections.allSatisfy { $0 } }
    return unit
  }

  private mutating func readObject(_ object: JSONValue, _ lun: LUN) throws -> LogicalUnit {
    let plugin = object["plugin"]?.text ?? ""
    guard let store = SaveConfig.plugins.first(where: { $0.value == plugin })?.key else {
      throw Failure(
        .invalid, Self.name, "has a storage object of an unknown plugin (\(ISCSIName.printable(plugin)))")
    }
    var unit = LogicalUnit(lun: lun, backing: .none)
    if let path = object["dev"]?.text { unit.backing = try Backing(path: path) }
    unit.store = store
    unit.scsiID = object["name"]?.text
    unit.serial = object["wwn"]?.text
    if store == "pscsi" { unit.deviceType = .passthrough }
    if store == "fileio" { unit.cache = object["write_back"]?.isTrue == true ? .back : .through }
    if object["readonly"]?.isTrue == true { unit.readOnly = true }
    if store == "fileio", object["aio"]?.isTrue == true { unit.attributes["fd_async_io"] = "1" }
    if store == "rd_mcp", let size = object["size"]?.number { unit.attributes["rd_pages"] = "\(size / 4096)" }
    if object["nullio"]?.isTrue == true { unit.attributes["rd_nullio"] = "1" }
    if store == "user" {
      unit.attributes["dev_config"] = object["config"]?.text
      unit.attributes["dev_size"] = object["size"]?.plain
    }
    for (key, value) in object["attributes"]?.members ?? [:] {
      guard let text = value.plain else { continue }
      if key == "block_size" {
        unit.blockSize = UInt32(text)
      } else if Capabilities.lio.unitAttributes.contains(key) {
        unit.attributes[key] = text
      }
    }
    for group in object["alua_tpgs"]?.list ?? [] {
      guard group["name"]?.text == "default_tg_pt_gp" else {
        warnings.append(
          "\(unit.scsiID ?? "") has the port group \(group["name"]?.text ?? ""); it is left out")
        continue
      }
      for key in LIOPaths.aluaAttributes { unit.attributes[key] = group[key]?.plain }
    }
    return unit
  }
}
