/// What a directory of the target's part of configfs is.
enum Kind: Sendable, Hashable {
  case root, core, portGroupRoot, unitGroups, unitGroup
  case hba(Plugin), device(Plugin), deviceAttributes(Plugin), identity(Plugin), reservations(Plugin)
  case portGroups(Plugin), portGroup(Plugin), actions(Plugin)
  /// Counters, which are not modelled but for those of a session.
  case statistics
  case fabric, discovery
  case target, targetParameters, targetStatistics, instance
  case group, groupAttributes, accounts, parameters
  case units, unit, portals, portal, nodes
  case node, nodeAttributes, nodeParameters, nodeStatistics, sessionStatistics, mapped

  /// A backstore's way to its blocks.
  enum Plugin: String, Sendable, Hashable, CaseIterable {
    case iblock, fileio, ramdisk = "rd_mcp", pscsi, user

    /// The module that has it; RAM disks are in the core itself.
    var module: String? {
      switch self {
      case .iblock: "target_core_iblock"
      case .fileio: "target_core_file"
      case .ramdisk: nil
      case .pscsi: "target_core_pscsi"
      case .user: "target_core_user"
      }
    }
  }

  /// The directories that come with it and cannot be removed.
  var groups: [(name: String, kind: Kind)] {
    switch self {
    case .root: [("core", .core)]
    case .core: [("alua", .portGroupRoot)]
    case .portGroupRoot: [("lu_gps", .unitGroups)]
    case .unitGroups: [("default_lu_gp", .unitGroup)]
    case .device(let plugin):
      [
        ("action", .actions(plugin)), ("alua", .portGroups(plugin)), ("attrib", .deviceAttributes(plugin)),
        ("pr", .reservations(plugin)), ("statistics", .statistics), ("wwn", .identity(plugin)),
      ]
    case .portGroups(let plugin): [("default_tg_pt_gp", .portGroup(plugin))]
    case .fabric: [("discovery_auth", .discovery)]
    case .target: [("fabric_statistics", .targetStatistics), ("param", .targetParameters)]
    case .targetStatistics: [("iscsi_instance", .instance)]
    case .group:
      [
        ("acls", .nodes), ("attrib", .groupAttributes), ("auth", .accounts), ("lun", .units),
        ("np", .portals),
        ("param", .parameters),
      ]
    case .unit, .mapped: [("statistics", .statistics)]
    case .node:
      [
        ("attrib", .nodeAttributes), ("auth", .accounts), ("fabric_statistics", .nodeStatistics),
        ("param", .nodeParameters),
      ]
    case .nodeStatistics: [("iscsi_sess_stats", .sessionStatistics)]
    default: []
    }
  }

  /// The files in it.
  var attributes: [Attribute] {
    switch self {
    case .root: [.init("dbroot", "/var/target", .text), .init("version", "", .readOnly)]
    case .unitGroup: [.init("lu_gp_id", "", .text), .init("members", "", .readOnly)]
    case .hba: [.init("hba_info", "", .readOnly), .init("hba_mode", "0", .text)]
    case .device: DeviceTables.device
    case .deviceAttributes(let plugin): DeviceTables.attributes(of: plugin)
    case .identity(let plugin): DeviceTables.identity(of: plugin)
    case .reservations: DeviceTables.reservations
    case .portGroup: DeviceTables.portGroup
    case .actions(.user):
      [
        .init("block_dev", "unblocked", .text), .init("free_kept_buf", "", .writeOnly),
        .init("reset_ring", "", .writeOnly),
      ]
    case .fabric:
      [
        .init("cpus_allowed_list", "0-1", .text),
        .init("lio_version", "Datera Inc. iSCSI Target v4.1.0", .readOnly),
      ]
    case .discovery: FabricTables.accounts + [.init("enforce_discovery_auth", "0", .number(0...1))]
    case .targetParameters: [.init("cmd_completion_affinity", "-1", .text)]
    case .instance: [.init("sessions", "0", .readOnly)]
    case .group: [.init("dynamic_sessions", "", .readOnly), .init("enable", "0", .number(0...1))]
    case .groupAttributes: FabricTables.groupAttributes
    case .accounts: FabricTables.accounts
    case .parameters: FabricTables.parameters
    case .unit: FabricTables.unit
    case .portal: [.init("cxgbit", "0", .number(0...1)), .init("iser", "0", .number(0...1))]
    case .node: FabricTables.node
    case .nodeAttributes: FabricTables.nodeAttributes
    case .nodeParameters: FabricTables.negotiated.map { .init($0.name, "", .readOnly) }
    case .sessionStatistics: FabricTables.counters.map { .init($0, "", .readOnly) }
    case .mapped: [.init("write_protect", "", .number(0...1))]
    default: []
    }
  }
}
