import HostInterface
import TargetCore

/// Reads /proc/net/iet/volume (kernel/volume.c, `iet_volume_info_show`).
///
/// A line is read key by key, since 1.4.20 has more keys than 1.4.19; names and paths run to the end of their lines
/// and may have blanks in them. What cannot be handled becomes a remark.
struct VolumeListing {
  /// The targets with their logical units.
  private(set) var targets: [TargetName: Target] = [:]
  /// What is listed and cannot be handled.
  private(set) var remarks: [String] = []

  private var current: TargetName?

  init(_ text: String) {
    for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
      let line = Substring(line)
      if line.hasPrefix("tid:") {
        takeTarget(line)
      } else if line.hasPrefix("\tlun:") {
        takeUnit(line.dropFirst())
      } else {
        remarks.append("IET lists something that cannot be handled (\(ISCSIName.printable(String(line))))")
      }
    }
  }

  private mutating func takeTarget(_ line: Substring) {
    current = nil
    guard let (tid, name) = Self.target(line) else {
      remarks.append("IET has a target that cannot be handled (\(ISCSIName.printable(String(line))))")
      return
    }
    guard targets[name] == nil else {
      remarks.append("IET lists target \(name) twice, the second one is left out")
      return
    }
    targets[name] = Target(name: name, id: tid, enabled: true)
    current = name
  }

  /// The number and name of `tid:1 name:iqn.2026-11.com.example:t1`.
  static func target(_ line: Substring) -> (UInt32, TargetName)? {
    let words = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
    guard words.count == 2, let tid = UInt32(words[0].dropFirst(4)), words[1].hasPrefix("name:"),
      let name = TargetName(asFound: words[1].dropFirst(5))
    else { return nil }
    return (tid, name)
  }

  private mutating func takeUnit(_ line: Substring) {
    // The units of a target that is left out are left out with it.
    guard let name = current else { return }
    let values = Self.values(line)
    guard let lun = values["lun"].flatMap({ try? LUN($0) }) else {
      remarks.append(
        "IET has a logical unit of \(name) that cannot be handled (\(ISCSIName.printable(String(line))))")
      return
    }
    if let state = values["state"], state != "0" {
      remarks.append("lun \(lun) of \(name) is removed, and a command of it has not ended yet")
    }
    targets[name]?.units[lun] = Self.unit(lun, values)
  }

  /// The values of a line by their keys; a path has the rest of the line.
  private static func values(_ line: Substring) -> [String: String] {
    var values: [String: String] = [:]
    var rest = line
    while !rest.isEmpty {
      let end = rest.hasPrefix("path:") ? rest.endIndex : rest.firstIndex(of: " ") ?? rest.endIndex
      let word = rest[..<end]
      if let colon = word.firstIndex(of: ":") {
        values[String(word[..<colon])] = String(word[word.index(after: colon)...])
      }
      rest = rest[end...].dropFirst()
    }
    return values
  }

  private static let known: Set = [
    "lun", "state", "iotype", "iomode", "path", "sectors", "blocks", "blocksize",
  ]

  private static func unit(_ lun: LUN, _ values: [String: String]) -> LogicalUnit {
    var unit = LogicalUnit(lun: lun, backing: values["path"].map { .path($0) } ?? .none)
    unit.store = values["iotype"]
    unit.deviceType = .disk
    unit.readOnly = values["iomode"].map { $0 == "ro" }
    // What nullio acknowledges is nowhere.
    if unit.backing != .none {
      unit.cache = ["wt": .through, "wb": .back][values["iomode"] ?? ""]
    }
    unit.blockSize = values["blocksize"].flatMap { UInt32($0) }
    if let blocks = values["blocks"].flatMap({ UInt64($0) }), let size = unit.blockSize {
      unit.size = product(blocks, UInt64(size))
    }
    if let sectors = values["sectors"] {
      unit.attributes[IETPlanner.sectors] = sectors
      unit.size = unit.size ?? UInt64(sectors).flatMap { product($0, 512) }
    }
    for (key, value) in values where !known.contains(key) { unit.attributes[key] = value }
    return unit
  }

  private static func product(_ left: UInt64, _ right: UInt64) -> UInt64? {
    let (value, overflow) = left.multipliedReportingOverflow(by: right)
    return overflow ? nil : value
  }
}
