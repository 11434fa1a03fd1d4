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

  /// Settings of the default target port group of a device.
  static let aluaAttributes: Set<String> = [
    "alua_access_state", "alua_access_type", "alua_write_metadata", "implicit_trans_secs",
    "nonop_delay_msecs",
    "preferred", "trans_delay_msecs",
  ]

  /// The file of a logical unit's attribute, below its device.
  static func attribute(_ name: String) -> String {
    aluaAttributes.contains(name) ? "alua/default_tg_pt_gp/\(name)" : "attrib/\(name)"
  }

  static func target(_ name: TargetName) -> String { "\(fabric)/\(name)" }
  static func group(_ name: TargetName) -> String { "\(fabric)/\(name)/tpgt_1" }
  static func unit(_ name: TargetName, _ lun: LUN) -> String { "\(group(name))/lun/lun_\(lun)" }
  static func portal(_ name: TargetName, _ portal: Portal) -> String {
    let host = portal.address.isIPv6 ? "[\(portal.address)]" : "\(portal.address)"
    return "\(group(name))/np/\(host):\(portal.port)"
  }
  static func acl(_ name: TargetName, _ initiator: ISCSIName) -> String { "\(group(name))/acls/\(initiator)" }
  static func mapped(_ name: TargetName, _ initiator: ISCSIName, _ lun: LUN) -> String {
    "\(acl(name, initiator))/lun_\(lun)"
  }
}

/// A backstore: an HBA of its own, so that several can be made side by side, and the device in it.
struct Backstore: Hashable {
  /// What the kernel's subsystem plug-in is called.
  var plugin: String
  /// The HBA's number.
  var index: UInt32
  /// The device's name.
  var name: String

  var hba: String { "\(LIOPaths.core)/\(plugin)_\(index)" }
  var device: String { "\(hba)/\(name)" }

  /// A backstore of a name, with a number that follows from it.
  init(plugin: String, name: String) {
    self.plugin = plugin
    self.name = name
    // FNV-1a; 31 bits, since tools read the number as a signed one.
    let hash = name.utf8.reduce(UInt32(0x811c_9dc5)) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
    index = hash & 0x7fff_ffff
  }

  /// The backstore that a link leads to, `.../core/iblock_0/name`.
  init?(link: String) {
    let parts = link.split(separator: "/")
    guard parts.count >= 3, parts[parts.count - 3] == "core" else { return nil }
    let hba = parts[parts.count - 2]
    guard let cut = hba.lastIndex(of: "_"), let index = UInt32(hba[hba.index(after: cut)...]) else {
      return nil
    }
    plugin = String(hba[..<cut])
    self.index = index
    name = String(parts[parts.count - 1])
  }
}
