import TargetCore

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

  /// The plug-ins that Linux has, and the module of each, which the kernel loads by itself.
  static let modules = [
    "iblock": "target_core_iblock", "fileio": "target_core_file", "rd_mcp": "target_core_mod",
    "pscsi": "target_core_pscsi", "user": "target_core_user",
  ]

  /// The backstore of a logical unit, whose HBA's number follows from the target's name and the LUN.
  init(plugin: String, name: String, target: TargetName, lun: LUN) {
    self.plugin = plugin
    self.name = name
    index = Self.index(target: target, lun: lun)
  }

  /// The number of a logical unit's HBA: those of a target follow one another, from a place that its name gives.
  static func index(target: TargetName, lun: LUN) -> UInt32 {
    (start(of: target) + UInt32(lun.number)) & mask
  }

  /// The logical unit of a target whose HBA has a number; nil when it is none of its.
  static func lun(of target: TargetName, index: UInt32) -> LUN? {
    try? LUN(Int((index &- start(of: target)) & mask))
  }

  /// 31 bits, since tools read the number as a signed one.
  private static let mask: UInt32 = 0x7fff_ffff

  /// FNV-1a.
  private static func start(of target: TargetName) -> UInt32 {
    target.description.utf8.reduce(UInt32(0x811c_9dc5)) { ($0 ^ UInt32($1)) &* 0x0100_0193 } & mask
  }

  /// The backstore that a fact tells as unused.
  init?(unused fact: String) {
    let prefix = LIOFacts.unused("")
    guard fact.hasPrefix(prefix) else { return nil }
    self.init(link: String(fact.dropFirst(prefix.count)))
  }

  /// The number of the HBA that a fact tells as unused, with or without a backstore in it.
  static func index(unused fact: String) -> UInt32? {
    if let backstore = Backstore(unused: fact) { return backstore.index }
    let prefix = LIOFacts.unused(LIOPaths.core + "/")
    guard fact.hasPrefix(prefix), let cut = fact.lastIndex(of: "_") else { return nil }
    return UInt32(fact[fact.index(after: cut)...])
  }

  /// The backstore that a path or link leads to, `.../core/iblock_0/name`.
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
