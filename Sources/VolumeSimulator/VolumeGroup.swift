/// LVM's label on a device.
struct PhysicalLabel: Sendable, Hashable {
  var uuid: String
  /// The group that it belongs to, as it was when this device was last written.
  var group: VolumeGroup?

  /// In words, without what chance chose.
  var summary: String {
    guard let group else { return "label" }
    let volumes = group.volumes.sorted { $0.name < $1.name }.map { volume in
      "\(volume.name) \(volume.layout) \(volume.extents) \(volume.origin ?? "") \(volume.pool ?? "")"
    }
    return "group \(group.name) of \(group.devices.count) devices, extents of \(group.extentSize): \(volumes)"
  }
}

/// A volume group as its metadata describe it.
struct VolumeGroup: Sendable, Hashable {
  struct Device: Sendable, Hashable {
    var uuid: String
    var extents: UInt64
  }

  var name: String
  var uuid: String
  var sequence: UInt64 = 1
  var extentSize: UInt64
  var devices: [Device]
  var volumes: [LogicalVolume] = []

  var extentCount: UInt64 { devices.map(\.extents).reduce(0, +) }
  var free: UInt64 { extentCount - volumes.flatMap(\.segments).map(\.count).reduce(0, +) }

  func allocated(on uuid: String) -> UInt64 {
    volumes.flatMap(\.segments).filter { $0.device == uuid }.map(\.count).reduce(0, +)
  }

  /// The areas of a device that belong to no volume.
  func freeAreas(on device: Device) -> [LogicalVolume.Segment] {
    var areas: [LogicalVolume.Segment] = []
    var next: UInt64 = 0
    let used = volumes.flatMap(\.segments).filter { $0.device == device.uuid }.sorted { $0.start < $1.start }
    for segment in used {
      if segment.start > next {
        areas.append(.init(device: device.uuid, start: next, count: segment.start - next))
      }
      next = segment.start + segment.count
    }
    if next < device.extents {
      areas.append(.init(device: device.uuid, start: next, count: device.extents - next))
    }
    return areas
  }

  /// So many extents, from the first that are free.
  func allocate(_ count: UInt64) -> [LogicalVolume.Segment]? {
    var left = count
    var found: [LogicalVolume.Segment] = []
    for area in devices.flatMap(freeAreas) where left > 0 {
      let taken = min(left, area.count)
      found.append(.init(device: area.device, start: area.start, count: taken))
      left -= taken
    }
    return left == 0 ? found : nil
  }

  func volume(_ name: String) -> Int? { volumes.firstIndex { $0.name == name } }
}

/// A logical volume.
struct LogicalVolume: Sendable, Hashable {
  struct Segment: Sendable, Hashable {
    var device: String
    var start: UInt64
    var count: UInt64
  }

  var uuid: String
  var name: String
  var layout = "linear"
  var role = "public"
  /// Its size in extents; of a thin volume no extents stand behind it.
  var extents: UInt64
  var segments: [Segment] = []
  var origin: String?
  var pool: String?

  var isPool: Bool { layout == "thin,pool" }
  var isPrivate: Bool { role.hasPrefix("private") }
  /// Whether its device is there while the group is active.
  var isActivated: Bool { !role.contains("spare") }
  /// The name as reports have it: what nobody uses by itself stands in brackets.
  var shownName: String { isPrivate && !isPool ? "[\(name)]" : name }
  var segmentType: String { isPool ? "thin-pool" : layout.hasPrefix("thin") ? "thin" : "linear" }
}
