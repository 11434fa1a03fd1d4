import Glibc
import SystemPackage

/// New directories: what each makes, and what goes with it.
extension Kernel {
  func kind(ofNew name: String, in parent: Number, _ machine: Machine) throws(Errno) -> Kind? {
    switch self[parent].kind {
    case .root:
      guard name == "iscsi", machine.load("iscsi_target_mod") else { throw .invalidArgument }
      return .fabric
    case .core: return .hba(try Self.plugin(ofHost: name, machine))
    case .hba(let plugin): return .device(plugin)
    case .portGroups(let plugin): return .portGroup(plugin)
    case .unitGroups: return .unitGroup
    case .fabric: return .target
    case .target:
      guard Self.number(in: name, after: "tpgt_", most: 65_535) != nil else { throw .invalidArgument }
      return .group
    case .units:
      guard Self.number(in: name, after: "lun_") != nil else { throw .invalidArgument }
      return .unit
    case .portals:
      guard Self.isPortal(name) else { throw .invalidArgument }
      return .portal
    case .nodes: return .node
    case .node:
      guard Self.number(in: name, after: "lun_") != nil else { throw .invalidArgument }
      return .mapped
    default: return nil
    }
  }

  /// The plug-in of `iblock_0`, `rd_mcp_2` and the like (target_core_call_addhbatotarget).
  private static func plugin(ofHost name: String, _ machine: Machine) throws(Errno) -> Kind.Plugin {
    guard let cut = name.lastIndex(of: "_"), let plugin = Kind.Plugin(rawValue: String(name[..<cut])),
      UInt64(name[name.index(after: cut)...]) != nil
    else { throw .invalidArgument }
    if let module = plugin.module, !machine.load(module) { throw .invalidArgument }
    return plugin
  }

  static func number(in name: String, after prefix: String, most: UInt64 = .max) -> UInt64? {
    guard name.hasPrefix(prefix), let number = UInt64(name.dropFirst(prefix.count)), number <= most else {
      return nil
    }
    return number
  }

  private static func isPortal(_ name: String) -> Bool {
    guard let colon = name.lastIndex(of: ":"), UInt16(name[name.index(after: colon)...]) != nil else {
      return false
    }
    let address = name[..<colon]
    if address.hasPrefix("["), address.hasSuffix("]") {
      var place = in6_addr()
      return inet_pton(AF_INET6, String(address.dropFirst().dropLast()), &place) == 1
    }
    var place = in_addr()
    return inet_pton(AF_INET, String(address), &place) == 1
  }

  mutating func didCreate(_ number: Number) {
    switch self[number].kind {
    case .hba:
      hostCount += 1
      self[number].values["index"] = String(hostCount)
    case .device(let plugin):
      backstores[number] = Backstore(plugin: plugin)
      self[child("default_tg_pt_gp", of: child("alua", of: number))].values["tg_pt_gp_id"] = "0"
    case .fabric:
      self[child("discovery_auth", of: number)].values = [:]
    case .node: adoptSession(by: number)
    default: break
    }
  }

  mutating func willRemove(_ number: Number) {
    switch self[number].kind {
    case .device:
      backstores[number] = nil
      reservations[number] = nil
    case .portGroup: releaseUnits(ofPortGroup: number)
    case .node: closeSessions { $0.node == number }
    case .group:
      closeSessions { $0.group == number }
      dynamicNodes[number] = nil
    case .portal:
      // Sessions that came through it stay.
      break
    default: break
    }
  }

  /// Units of a port group that goes are in the default one again.
  private mutating func releaseUnits(ofPortGroup number: Number) {
    for (unit, item) in items where item.kind == .unit {
      if item.values["alua_tg_pt_gp"] == self[number].name { self[unit].values["alua_tg_pt_gp"] = nil }
    }
  }
}
