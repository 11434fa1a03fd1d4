import SystemPackage

/// What a file tells.
extension Kernel {
  func text(of attribute: Attribute, _ number: Number, _ machine: Machine) throws(Errno) -> String {
    let name = attribute.name
    let value = value(name, of: number)
    switch self[number].kind {
    case .root where name == "version":
      return
        "Target Engine Core ConfigFS Infrastructure v5.0 on Linux/x86_64 on \(SimulatedLIO.kernelRelease)\n"
    case .unitGroup: return unitGroupText(name, number)
    case .hba(let plugin) where name == "hba_info":
      return "HBA Index: \(self[number].values["index"] ?? "0") plugin: \(plugin.rawValue) version: v5.0\n"
    case .device(let plugin): return deviceText(name, value, number, plugin)
    case .identity where name == "vpd_unit_serial": return "T10 VPD Unit Serial Number: \(value)\n"
    case .identity(let plugin) where name.hasPrefix("vpd_"):
      return plugin == .pscsi ? "" : value
    case .reservations(let plugin): return reservationText(name, above(number), plugin)
    case .portGroup: return portGroupText(name, value, number)
    case .discovery, .accounts: return accountText(name, value, number)
    case .group where name == "dynamic_sessions":
      let open = sessions.sorted { $0.key < $1.key }.map(\.value)
      return open.filter { $0.group == number && $0.node == nil }.map { $0.initiator + "\n\0" }.joined()
    case .instance: return "\(sessions.values.count { above($0.group) == above(above(number)) })\n"
    case .unit: return try unitText(name, value, number)
    case .node where name == "info": return infoText(of: number)
    case .nodeParameters:
      guard session(of: above(number)) != nil else { return "No Active iSCSI Session\n" }
      return (FabricTables.negotiated.first { $0.name == name }?.value ?? "") + "\n"
    case .sessionStatistics: return counterText(name, of: above(above(number)))
    case .mapped: return value.isEmpty ? "" : value + "\n"
    default: return name == "tag" && value.isEmpty ? "" : value + "\n"
    }
  }

  private func unitGroupText(_ name: String, _ number: Number) -> String {
    if name == "lu_gp_id" {
      let id = self[number].isDefault ? "0" : value(name, of: number)
      return id.isEmpty ? "" : id + "\n"
    }
    guard self[number].isDefault else { return "" }
    let devices = backstores.filter { $0.value.isConfigured && $0.value.plugin != .pscsi }.keys.sorted()
    return devices.map { "\(self[above($0)].name)/\(self[$0].name)\n" }.joined()
  }

  private func deviceText(_ name: String, _ value: String, _ number: Number, _ plugin: Kind.Plugin) -> String
  {
    let backstore = backstores[number] ?? Backstore(plugin: plugin)
    switch name {
    case "info":
      let attributes = child("attrib", of: number)
      let isKnown = backstore.isConfigured
      let sectorSize = self.value(
        plugin == .pscsi || plugin == .user ? "hw_block_size" : "block_size", of: attributes)
      return "Status: \(exports(of: number) > 0 ? "ACTIVATED" : "DEACTIVATED")  "
        + "Max Queue Depth: \(backstore.shownDepth)  SectorSize: \(isKnown ? sectorSize : "0")  "
        + "HwMaxSectors: \(isKnown ? self.value("hw_max_sectors", of: attributes) : "0")\n"
        + backstore.info(number: backstore.number)
    case "enable": return backstore.isConfigured ? "1\n" : "0\n"
    case "alua_lu_gp": return plugin == .pscsi ? "" : "LU Group Alias: default_lu_gp\nLU Group ID: 0\n"
    default: return value.isEmpty ? "" : value + "\n"
    }
  }

  private func portGroupText(_ name: String, _ value: String, _ number: Number) -> String {
    switch name {
    case "alua_access_type":
      return ["None", "Implicit", "Explicit", "Implicit and Explicit"][Int(value) ?? 0] + "\n"
    case "alua_access_status": return Self.statusName(value) + "\n"
    case "tg_pt_gp_id": return value.isEmpty ? "" : value + "\n"
    case "members":
      let device = above(above(number))
      return (linkers[device] ?? []).sorted().filter { portGroup(of: $0) == number }.map { unit in
        let group = above(above(unit))
        return "iSCSI/\(self[above(group)].name)/\(self[group].name)/\(self[unit].name)\n\0"
      }.joined()
    default: return value + "\n"
    }
  }

  private static func statusName(_ value: String) -> String {
    ["None", "Altered by Explicit STPG", "Altered by Implicit ALUA"][Int(value) ?? 0]
  }

  /// The port group that a LUN is in.
  func portGroup(of unit: Number) -> Number? {
    guard let device = device(of: unit) else { return nil }
    let groups = child("alua", of: device)
    return self[groups].children[self[unit].values["alua_tg_pt_gp"] ?? "default_tg_pt_gp"]
  }

  private func unitText(_ name: String, _ value: String, _ number: Number) throws(Errno) -> String {
    guard device(of: number) != nil, let group = portGroup(of: number) else { throw .noSuchDevice }
    guard name == "alua_tg_pt_gp" else { return value + "\n" }
    let states = [
      "0": "Active/Optimized", "1": "Active/NonOptimized", "2": "Standby", "3": "Unavailable",
      "14": "Offline",
      "15": "Transitioning",
    ]
    let isOffline = self.value("alua_tg_pt_offline", of: number) == "1"
    return "TG Port Alias: \(self[group].name)\nTG Port Group ID: \(self.value("tg_pt_gp_id", of: group))\n"
      + "TG Port Primary Access State: \(states[self.value("alua_access_state", of: group)] ?? "")\n"
      + "TG Port Primary Access Status: \(Self.statusName(self.value("alua_access_status", of: group)))\n"
      + "TG Port Secondary Access State: \(isOffline ? "Offline" : "None")\n"
      + "TG Port Secondary Access Status: \(Self.statusName(self.value("alua_tg_pt_status", of: number)))\n"
  }

  /// Names and secrets stand as they were written, and a newline behind them.
  private func accountText(_ name: String, _ value: String, _ number: Number) -> String {
    guard name == "authenticate_target" else { return value + "\n" }
    let mutual = ["userid_mutual", "password_mutual"].map { self.value($0, of: number) }
    return mutual.allSatisfy(Self.isSet) ? "1\n" : "0\n"
  }

  /// The kernel takes the word NULL for no name.
  static func isSet(_ credential: String) -> Bool { !credential.isEmpty && !credential.hasPrefix("NULL") }
}
