import TargetCore

/// What the reader leaves for the planner beside the model, each under a key of its own.
enum LIOFacts {
  /// How much a killed run made of a target: `name`, or `group`.
  static func halfBuilt(_ name: TargetName) -> String { "half-built \(name)" }
  /// A LUN directory without a link in it.
  static func empty(_ name: TargetName) -> String { "empty \(name)" }
  /// The name of the link from a LUN to its device, and the device.
  static func link(_ name: TargetName, _ lun: LUN) -> String { "link \(name) \(lun)" }
  static func device(_ name: TargetName, _ lun: LUN) -> String { "device \(name) \(lun)" }
  /// A device that several LUNs show.
  static func shared(_ device: String) -> String { "shared \(device)" }
  /// A block device that was opened read-only.
  static func readOnlyDevice(_ device: String) -> String { "read-only \(device)" }
  /// Portal groups that Quartet did not make, one a line.
  static func otherGroups(_ name: TargetName) -> String { "groups \(name)" }

  /// The port groups of a device beside the one that the kernel makes, each line with its number before its name.
  static func portGroups(_ device: String) -> String { "port groups \(device)" }
  static func depth(_ name: TargetName, _ node: ISCSIName) -> String { "depth \(name) \(node)" }
  /// The mapped LUNs of a logical unit in a node ACL, one a line.
  static func mapped(_ name: TargetName, _ node: ISCSIName, _ lun: LUN) -> String {
    "mapped \(name) \(node) \(lun)"
  }
  /// Directories of mapped LUNs without a link in them, or with one to a LUN that is gone.
  static func bare(_ name: TargetName, _ node: ISCSIName) -> String { "bare \(name) \(node)" }
  /// Initiators whose ACLs ask for a proof that they have no account for, and map LUNs, one a line: another tool made
  /// them so.
  static func closed(_ name: TargetName) -> String { "closed \(name)" }
  static func acl(_ name: TargetName, _ node: ISCSIName) -> String { "acl \(name) \(node)" }
  /// The CHAP name that stands in a folder.
  static func user(_ folder: String, _ direction: CHAPDirection) -> String {
    "user \(direction.rawValue) \(folder)"
  }

  /// A device that no LUN shows, with what it is made of; or an HBA without a device.
  static func unused(_ device: String) -> String { "unused \(device)" }
  /// What the kernel stored of reservations of a device with a serial number.
  static func reservations(_ serial: String) -> String { "aptpl \(serial)" }
  /// The address, `host:channel:target:lun`, of a SCSI device by its name in /dev.
  static func scsi(_ device: String) -> String { "scsi \(device)" }
  static let missingRoot = "missing dbroot"
  static let missingFolder = "missing pr"
}

/// A mapped LUN: its directory in a node ACL, and the link in it.
struct MappedLUN: Hashable {
  var directory: String
  var isProtected: Bool
  var link: String

  /// One line of a fact; link names may have blanks in them.
  var line: String { "\(directory) \(isProtected ? 1 : 0) \(link)" }

  init(directory: String, isProtected: Bool, link: String) {
    self.directory = directory
    self.isProtected = isProtected
    self.link = link
  }

  init?(line: Substring) {
    let parts = line.split(separator: " ", maxSplits: 2)
    guard parts.count == 3 else { return nil }
    self.init(directory: String(parts[0]), isProtected: parts[1] == "1", link: String(parts[2]))
  }
}
