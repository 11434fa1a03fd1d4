import TargetCore

/// Where things stand below /sys/kernel/scst_tgt; see SCST's README and scst/README.
enum SCSTPaths {
  static let root = "/sys/kernel/scst_tgt"
  static let driver = root + "/targets/iscsi"
  /// The commands for targets, and for accounts of targets and of discovery.
  static let targets = driver + "/mgmt"
  /// The result of the last command that went through the queue, of whomever it was.
  static let result = root + "/last_sysfs_mgmt_res"

  static let deviceGroups = root + "/device_groups"

  static func target(_ name: TargetName) -> String { "\(driver)/\(name)" }
  static func group(_ name: TargetName, _ group: String) -> String {
    "\(target(name))/ini_groups/\(group)"
  }
  static func handler(_ handler: String) -> String { "\(root)/handlers/\(handler)" }
  static func device(_ device: String) -> String { "\(root)/devices/\(device)" }
}

/// A map of logical units of a target: its own, for initiators that are in no group, or that of a group.
enum Place: Hashable, Comparable {
  case everyone
  case group(String)

  /// The group of a target that holds its logical units that no initiator sees.
  ///
  /// SCST knows a logical unit only as what some initiator sees; the group has no initiators.
  static let nobody = Place.group("quartet-nobody")

  /// The group that says that everyone may log in to a target that has no logical unit for everyone.
  static let marker = "quartet-everyone"

  /// The directory of LUNs.
  func luns(of name: TargetName) -> String {
    switch self {
    case .everyone: SCSTPaths.target(name) + "/luns"
    case .group(let group): SCSTPaths.group(name, group) + "/luns"
    }
  }

  func unit(_ lun: LUN, of name: TargetName) -> String { "\(luns(of: name))/\(lun)" }

  /// The place as a word of a fact.
  var word: String {
    switch self {
    case .everyone: "luns"
    case .group(let group): "group:" + group
    }
  }
}

/// What the reader leaves for the planner, by keys of ``LiveState/facts``.
enum SCSTFact {
  /// Whether the driver serves logins: `0` or `1`.
  static let driver = "driver"
  /// The handlers that there are, with commas.
  static let handlers = "handlers"
  /// The NUMA nodes of this machine, with commas.
  static let nodes = "nodes"
  /// The device of a logical unit.
  static func device(_ name: TargetName, _ lun: LUN) -> String { "device \(name) \(lun)" }
  /// That a place shows a logical unit: `DEVICE`, or `DEVICE read_only`.
  static func mapped(_ name: TargetName, _ place: Place, _ lun: LUN) -> String {
    "mapped \(name) \(place.word) \(lun)"
  }
  /// The groups that an initiator is in, a line each.
  static func groups(_ name: TargetName, of initiator: ISCSIName) -> String {
    "groups \(name) \(initiator)"
  }
  /// That a target has a group: its initiators, a line each.
  static func members(_ name: TargetName, _ group: String) -> String { "members \(name) \(group)" }
  /// All groups of a target, a line each.
  static func groups(_ name: TargetName) -> String { "groups \(name)" }
  /// That a device exists: `HANDLER PATH`.
  static func backing(_ device: String) -> String { "backing \(device)" }
  /// The devices that nothing shows and that are called as follows from a target and a LUN, a line each:
  /// `LUN DEVICE`.
  static func leftovers(_ name: TargetName) -> String { "leftovers \(name)" }
  /// The device that shows a file or block device.
  static func showing(_ path: String) -> String { "showing \(path)" }
  /// How many maps show a device: those that the model does not have are the second number.
  static func exports(_ device: String) -> String { "exports \(device)" }
  /// The files of the incoming accounts, a line each, in the order of the accounts.
  static func accounts(_ name: TargetName?) -> String { "accounts \(name?.description ?? "discovery")" }
  /// The patterns of a target's allowed_portal files, a line each.
  static func portals(_ name: TargetName) -> String { "portals \(name)" }
  /// The file of a target's pattern, where it has just one.
  static func portalFile(_ name: TargetName) -> String { "portal file \(name)" }
  /// Which target of another driver has a relative id.
  static func relativeID(_ id: UInt32) -> String { "id \(id)" }
  /// That a target says that it is enabled, whatever its driver does.
  static func enabled(_ name: TargetName) -> String { "enabled \(name)" }
  /// What a map shows, a line each, with what the model leaves alone: `LUN DEVICE`, or `LUN DEVICE read_only`.
  static func map(_ name: TargetName, _ place: Place) -> String { "map \(name) \(place.word)" }
  /// What SCST would have saved of a folder, a line each: `NAME VALUE`; accounts are not among it.
  static func saved(_ folder: String) -> String { "saved \(folder)" }
  /// The device groups (ALUA), as scst.conf has them.
  static let deviceGroups = "device groups"
}
