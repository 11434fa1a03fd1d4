import HostInterface
import TargetCore

/// Reads /proc/net/iet/volume and, behind it, /proc/net/iet/session (kernel/volume.c, session.c and conn.c).
///
/// A line is read key by key, since 1.4.20 has more keys than 1.4.19; names and paths run to the end of their lines
/// and may have blanks in them. Both lists name every target. What cannot be handled becomes a remark.
struct KernelLists {
  /// The targets with their logical units and sessions; sessions in the order of the list, the newest first.
  private(set) var targets: [TargetName: Target] = [:]
  /// What is listed and cannot be handled.
  private(set) var remarks: [String] = []
  /// Whether block sizes are shown; nil where there is no logical unit.
  private(set) var tellsBlockSizes: Bool?

  private var current: TargetName?

  init(_ text: String) {
    for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
      let line = Substring(line)
      if line.hasPrefix("tid:") {
        takeTarget(line)
      } else if line.hasPrefix("\tlun:") {
        takeUnit(line.dropFirst())
      } else if line.hasPrefix("\tsid:") {
        takeSession(line.dropFirst())
      } else if line.hasPrefix("\t\tcid:") {
        takeConnection(line.dropFirst(2))
      } else {
        remark("something", line)
      }
    }
  }

  private mutating func remark(_ what: String, _ line: Substring) {
    remarks.append("IET lists \(what) that cannot be handled (\(ISCSIName.printable(String(line))))")
  }

  private mutating func takeTarget(_ line: Substring) {
    current = nil
    let words = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
    guard words.count == 2, let tid = UInt32(words[0].dropFirst(4)), words[1].hasPrefix("name:"),
      let name = TargetName(asFound: words[1].dropFirst(5))
    else { return remark("a target", line) }
    // The second time it is in the list of sessions.
    if targets[name] == nil { targets[name] = Target(name: name, id: tid, enabled: true) }
    current = targets[name]?.id == tid ? name : nil
  }

  private mutating func takeUnit(_ line: Substring) {
    // The units of a target that is left out are left out with it.
    guard let name = current else { return }
    let values = Self.values(line)
    guard let lun = values["lun"].flatMap({ try? LUN($0) }), targets[name]?.units[lun] == nil else {
      return remark("a logical unit of \(name)", line)
    }
    if let state = values["state"], state != "0" {
      remarks.append("lun \(lun) of \(name) is removed, and a command of it has not ended yet")
    }
    tellsBlockSizes = values["blocksize"] != nil
    targets[name]?.units[lun] = Self.unit(lun, values)
  }

  private mutating func takeSession(_ line: Substring) {
    guard let name = current else { return }
    // The initiator's name runs to the end of the line.
    let words = line.dropFirst(4).split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
    guard words.count == 2, UInt64(words[0]) != nil, words[1].hasPrefix("initiator:") else {
      return remark("a session of \(name)", line)
    }
    let initiator = String(words[1].dropFirst("initiator:".count))
    targets[name]?.sessions.append(Session(id: String(words[0]), initiator: initiator, connections: []))
  }

  // cid:0 ip:[0000:0000:0000:0000:0000:0000:0000:0001] state:active hd:none dd:none
  private mutating func takeConnection(_ line: Substring) {
    guard let name = current, let last = targets[name]?.sessions.indices.last else { return }
    let values = Self.values(line)
    guard let id = values["cid"].flatMap({ UInt32($0) }) else {
      return remark("a connection of \(name)", line)
    }
    let address = values["ip"].flatMap { IPAddress($0.filter { $0 != "[" && $0 != "]" }) }
    targets[name]?.sessions[last].connections.append(Session.Connection(id: id, address: address))
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
    // Versions that do not show it know no other.
    unit.blockSize = values["blocksize"].map { UInt32($0) } ?? 512
    if let blocks = values["blocks"].flatMap({ UInt64($0) }), let size = unit.blockSize {
      unit.size = product(blocks, UInt64(size))
    }
    if let sectors = values["sectors"] {
      unit.attributes[IETPlanner.sectors] = sectors
      unit.size = unit.size ?? UInt64(sectors).flatMap { product($0, 512) }
    }
    if unit.store == "nullio", unit.attributes[IETPlanner.sectors] == nil, let size = unit.size {
      unit.attributes[IETPlanner.sectors] = String(size / 512)
    }
    for (key, value) in values where !known.contains(key) { unit.attributes[key] = value }
    return unit
  }

  private static func product(_ left: UInt64, _ right: UInt64) -> UInt64? {
    let (value, overflow) = left.multipliedReportingOverflow(by: right)
    return overflow ? nil : value
  }
}
