import FoundationEssentials
import HostInterface

/// Reads what lvm(8) prints with `--reportformat json --units b --nosuffix`.
///
/// Source: lvmreport(7). A report is a list of groups, of which `fullreport` prints one a volume group; `pvs`, `vgs`
/// and `lvs` print one in all. Every value is text.
enum LVMReport {
  /// What is computed with later must not overflow, whatever a report says.
  private static func check(_ pool: Pool) throws {
    let isBounded =
      (1...1 << 40).contains(pool.extentSize) && pool.free <= pool.extents && pool.extents <= 1 << 62
      && !pool.extents.multipliedReportingOverflow(by: pool.extentSize).overflow
      && pool.map.allSatisfy { $0.start <= 1 << 62 && $0.count <= 1 << 62 }
    guard isBounded else {
      throw Failure(.garbled, "lvm", "prints numbers of pool \(shown(pool.name)) that cannot be")
    }
  }

  /// The command that tells everything in one consistent look.
  static let command = Command(
    [
      "lvm", "fullreport", "--all", "--reportformat", "json", "--units", "b", "--nosuffix", "--configreport",
      "vg", "-o", "vg_name,vg_extent_size,vg_extent_count,vg_free_count", "--configreport", "pv", "-o",
      "pv_uuid,pv_name,dev_size,pv_pe_count,pv_pe_alloc_count,pv_missing", "--configreport", "lv", "-o",
      "lv_uuid,lv_name,lv_size,lv_layout,lv_role,lv_active,lv_device_open,origin,pool_lv,data_percent",
      "--configreport", "pvseg", "-o", "pvseg_start,pvseg_size,pv_uuid,lv_uuid", "--configreport", "seg",
      "-o", "lv_uuid,segtype",
    ], environment: LVM.environment)

  /// The state of a full report.
  ///
  /// - Throws: ``Failure`` with code `garbled`.
  static func parse(_ bytes: [UInt8]) throws -> PoolState {
    var state = PoolState()
    for group in try decode(bytes).report {
      let devices = try (group.pv ?? []).map(device)
      guard let pool = group.vg?.first, let name = pool["vg_name"], !name.isEmpty else {
        state.unused += devices
        continue
      }
      let volumes = try (group.lv ?? []).map(volume)
      var found = Pool(
        name: name, extentSize: try number(pool, "vg_extent_size"),
        extents: try number(pool, "vg_extent_count"), free: try number(pool, "vg_free_count"),
        devices: devices,
        volumes: volumes, map: try (group.pvseg ?? []).map { try segment($0, devices, volumes) })
      try check(found)
      found.map.sort { ($0.device, $0.start) < ($1.device, $1.start) }
      state.pools.append(found)
    }
    state.pools.sort { $0.name < $1.name }
    return state
  }

  /// The devices that LVM looks at, whether there is anything of it on them or not.
  ///
  /// Without `--nohints` it would look at those only on which it found something the last time (lvm(8)); a field of the
  /// volume group makes it list the others as well.
  static let devicesCommand = Command(
    ["lvm", "pvs", "--all", "--nohints", "--reportformat", "json", "-o", "pv_name,vg_name"],
    environment: LVM.environment)

  /// Reads the answer to ``devicesCommand``.
  static func devices(_ bytes: [UInt8]) throws -> [String] {
    try decode(bytes).report.flatMap { ($0.pv ?? []).compactMap { $0["pv_name"] } }
  }

  private typealias Row = [String: String]

  private struct Document: Decodable {
    var report: [Group]
  }

  private struct Group: Decodable {
    var vg, pv, lv, pvseg: [Row]?
  }

  private static func decode(_ bytes: [UInt8]) throws -> Document {
    do {
      return try JSONDecoder().decode(Document.self, from: Data(bytes))
    } catch {
      throw Failure(.garbled, "lvm", "prints no report that is understood", answer: "\(error)")
    }
  }

  private static func device(_ row: Row) throws -> PhysicalVolume {
    PhysicalVolume(
      uuid: try text(row, "pv_uuid"), device: try text(row, "pv_name"),
      deviceSize: try number(row, "dev_size"),
      extents: try number(row, "pv_pe_count"), allocated: try number(row, "pv_pe_alloc_count"),
      isMissing: row["pv_missing"]?.isEmpty == false)
  }

  private static func volume(_ row: Row) throws -> Pool.Volume {
    let name = try text(row, "lv_name")
    func word(_ key: String) -> String? { row[key].flatMap { $0.isEmpty ? nil : unbracketed($0) } }
    var volume = Pool.Volume(
      uuid: try text(row, "lv_uuid"), name: unbracketed(name), size: try number(row, "lv_size"),
      layout: try text(row, "lv_layout"),
      isHidden: row["lv_role"]?.split(separator: ",").contains("private") == true,
      isActive: row["lv_active"] == "active", isOpen: row["lv_device_open"] == "open",
      origin: word("origin"), thinPool: word("pool_lv"),
      usedPercent: word("data_percent").flatMap(Double.init))
    // Nobody opens a thin pool, which LVM calls private for that; but it is made and removed by its name.
    if volume.isThinPool { volume.isHidden = false }
    return volume
  }

  private static func segment(_ row: Row, _ devices: [PhysicalVolume], _ volumes: [Pool.Volume]) throws
    -> Pool.Segment
  {
    let uuid = try text(row, "pv_uuid")
    let owner = row["lv_uuid"] ?? ""
    return Pool.Segment(
      device: devices.first { $0.uuid == uuid }?.device ?? uuid, start: try number(row, "pvseg_start"),
      count: try number(row, "pvseg_size"),
      volume: owner.isEmpty ? nil : volumes.first { $0.uuid == owner }?.name ?? owner)
  }

  private static func unbracketed(_ name: String) -> String {
    name.hasPrefix("[") && name.hasSuffix("]") ? String(name.dropFirst().dropLast()) : name
  }

  private static func text(_ row: Row, _ key: String) throws -> String {
    guard let text = row[key] else { throw Failure(.garbled, "lvm", "prints a report without \(key)") }
    return text
  }

  private static func number(_ row: Row, _ key: String) throws -> UInt64 {
    guard let number = UInt64(try text(row, key)) else {
      throw Failure(.garbled, "lvm", "prints \(shown(row[key] ?? "")) as \(key), which is no number")
    }
    return number
  }
}
