import HostInterface
import TargetCore

/// Where things stand in configfs; see the kernel's Documentation/target/tcm_mod_builder.rst and
/// drivers/target/target_core_configfs.c.
enum LIOPaths {
  static let configfs = "/sys/kernel/config"
  static let root = "/sys/kernel/config/target"
  static let core = root + "/core"
  static let fabric = root + "/iscsi"
  static let discovery = fabric + "/discovery_auth"
  /// The name of the links that Quartet makes; targetcli gives them random names.
  static let link = "backstore"
  /// The same for a logical unit that is to be read-only for whoever is let in later: the kernel keeps that of
  /// initiators alone.
  static let readOnlyLink = "backstore-read-only"

  /// Settings of the default target port group of a device.
  static let aluaAttributes: Set<String> = [
    "alua_access_state", "alua_access_type", "alua_write_metadata", "implicit_trans_secs",
    "nonop_delay_msecs", "preferred", "trans_delay_msecs",
  ]

  /// The file of a logical unit's attribute, below its device.
  static func attribute(_ name: String) -> String {
    if aluaAttributes.contains(name) { return "alua/default_tg_pt_gp/\(name)" }
    return name == "company_id" ? "wwn/company_id" : "attrib/\(name)"
  }

  /// The file of a target's attribute, below its portal group.
  static func targetAttribute(_ name: String) -> String {
    name == "TargetAlias" ? "param/\(name)" : "attrib/\(name)"
  }

  static func target(_ name: TargetName) -> String { "\(fabric)/\(name)" }
  static func group(_ name: TargetName) -> String { "\(fabric)/\(name)/tpgt_1" }
  static func unit(_ name: TargetName, _ lun: LUN) -> String { "\(group(name))/lun/lun_\(lun)" }
  static func portal(_ name: TargetName, _ portal: Portal) -> String {
    let host = portal.address.isIPv6 ? "[\(portal.address)]" : "\(portal.address)"
    return "\(group(name))/np/\(host):\(portal.port)"
  }
  static func acl(_ name: TargetName, _ initiator: ISCSIName) -> String { "\(group(name))/acls/\(initiator)" }

  /// Whether a directory that is there already is as good as a new one: an HBA, what a killed run left of a target,
  /// and the folders of reservations, which are outside of configfs.
  static func mayStandAlready(_ path: String) -> Bool {
    if path == fabric || path.hasSuffix("/tpgt_1") || !path.hasPrefix(configfs) { return true }
    return isHost(path)
  }

  /// Whether a path is an HBA's.
  static func isHost(_ path: String) -> Bool {
    path.hasPrefix(core + "/") && !path.dropFirst(core.count + 1).contains("/")
  }
}
