import HostInterface

/// Volume groups and the devices that they are on.
extension VolumePlanner {
  func poolSteps(_ change: VolumeChange) throws -> [Step] {
    switch change {
    case .createPool(let name, let devices, let extentSize):
      return try createPool(name, devices, extentSize, change)
    case .extendPool(let name, let device):
      let pool = try existing(name)
      if pool.devices.contains(where: { $0.device == device.description }) { return [] }
      return try physicalVolume(device, change) + [
        step(
          lvm(["vgextend", Text(pool.name), Text(device.description)]),
          undo: [lvm(["vgreduce", Text(pool.name), Text(device.description)])], change)
      ]
    case .reducePool(let name, let device): return try reducePool(name, device, change)
    case .removePool(let name): return try removePool(name, change)
    case .activate(let name):
      let pool = try existing(name)
      try refuseStale(pool)
      if pool.volumes.allSatisfy({ !$0.isUsable || $0.isActive }) { return [] }
      return [
        step(
          lvm(["vgchange", "--activate", "y", Text(pool.name)]),
          undo: [lvm(["vgchange", "--activate", "n", Text(pool.name)])], change)
      ]
    case .deactivate(let name):
      let pool = try existing(name)
      if pool.volumes.allSatisfy({ !$0.isActive }) { return [] }
      return [
        step(
          lvm(["vgchange", "--activate", "n", Text(pool.name)]),
          undo: [lvm(["vgchange", "--activate", "y", Text(pool.name)])], change, patience: .seconds(5))
      ]
    default: return []
    }
  }

  /// What LVM has.
  func pools() throws -> PoolState {
    guard let pools = state.pools else {
      throw Failure(.unavailable, "pools", "cannot be managed: LVM is not installed", remedy: "install lvm2")
    }
    return pools
  }

  /// A pool that must be there.
  func existing(_ name: PoolName) throws -> Pool {
    if let pool = try pools()[name] { return pool }
    // A pool on DRBD is not seen while the node is secondary.
    let secondary = state.running.filter { $0.role == .secondary }.map(\.name.description)
    throw Failure(
      .notFound, "pool \(name)", "does not exist, or is not visible here",
      remedy: secondary.isEmpty
        ? "see `quartet pool list`"
        : "this node is secondary for \(secondary.joined(separator: ", ")); a pool on it is seen where it is primary"
    )
  }

  private func createPool(
    _ name: PoolName, _ devices: [DevicePath], _ extentSize: UInt64?, _ change: VolumeChange
  ) throws -> [Step] {
    guard !devices.isEmpty else { throw Failure(.invalid, "pool \(name)", "has no device") }
    // vgcreate(8): a power of 2 of at least 1 KiB; the sector size in use bounds it as well.
    if let size = extentSize, size < 1 << 10 || size > 1 << 40 || size.nonzeroBitCount != 1 {
      throw Failure(
        .invalid, "pool \(name)", "cannot have extents of \(size) bytes",
        remedy: "use a power of 2 from 1 KiB to 1 TiB, such as 4 MiB")
    }
    if let pool = try pools()[name] {
      let same =
        Set(pool.devices.map(\.device)) == Set(devices.map(\.description))
        && (extentSize == nil || extentSize == pool.extentSize)
      if same { return [] }
      throw Failure(
        .exists, "pool \(name)", "exists already, with other devices or extents",
        answer: "\(pool.devices.map(\.device).joined(separator: ", ")), extents of \(pool.extentSize) bytes",
        remedy: "extend it, or choose another name")
    }
    var steps: [Step] = []
    for device in devices {
      steps += try physicalVolume(device, change)
      let size = facts[device]?.status?.size ?? 0
      guard Pool.extents(onDevice: size, of: extentSize ?? 4 << 20) > 0 else {
        throw Failure(
          .invalid, "pool \(name)", "cannot be made on \(device), which has \(size) bytes: not one extent",
          remedy: "use a larger device, or smaller extents")
      }
    }
    let size: [Text] = extentSize.map { ["--physicalextentsize", "\($0)b"] } ?? []
    return steps + [
      step(
        lvm(["vgcreate"] + size + [Text(name.description)] + devices.map { Text($0.description) }),
        undo: [lvm(["vgremove", Text(name.description)])], change)
    ]
  }

  /// Makes a device a physical volume, unless it is one that is unused.
  private func physicalVolume(_ device: DevicePath, _ change: VolumeChange) throws -> [Step] {
    try refuseBelowDRBD(device)
    if try pools().unused.contains(where: { $0.device == device.description }) { return [] }
    if let name = state.resource(ofDevice: device.description), try running(name).role != .primary {
      throw Failure(
        .refused, "disk \(device)", "belongs to resource \(name), which is secondary here",
        remedy: "run `quartet volume promote \(name)` first")
    }
    let facts = try usable(device)
    guard facts.signatures.isEmpty else {
      throw Failure(
        .inUse, "disk \(device)",
        "has something on it: \(Set(facts.signatures).sorted().joined(separator: ", "))",
        remedy: "erase it with wipefs(8) if it is not needed")
    }
    return [
      step(
        lvm(["pvcreate", Text(device.description)]), undo: [lvm(["pvremove", Text(device.description)])],
        change)
    ]
  }

  /// A disk below DRBD is not LVM's, and LVM must not see it when there is a pool above.
  private func refuseBelowDRBD(_ device: DevicePath) throws {
    for found in state.files {
      guard let mine = found.resource.node(state.node) else { continue }
      if let volume = mine.volumes.first(where: { $0.disk == device }) {
        throw Failure(
          .inUse, "disk \(device)", "is below resource \(found.resource.name)",
          remedy: "use \(volume.device), which is replicated")
      }
      if mine.volumes.contains(where: { $0.device == device }),
        let disk = state.unfiltered[found.resource.name]?.first
      {
        throw unfiltered(disk, of: found.resource.name)
      }
    }
  }

  /// A pool that LVM found on a disk below DRBD is a copy that may be stale.
  private func refuseStale(_ pool: Pool) throws {
    for (name, disks) in state.unfiltered {
      if let disk = disks.first(where: { disk in pool.devices.contains { $0.device == disk.description } }) {
        throw unfiltered(disk, of: name)
      }
    }
  }

  private func reducePool(_ name: PoolName, _ device: DevicePath, _ change: VolumeChange) throws -> [Step] {
    let pool = try existing(name)
    guard let physical = pool.devices.first(where: { $0.device == device.description }) else {
      if try pools().unused.contains(where: { $0.device == device.description }) {
        return [removePhysicalVolume(device, change)]
      }
      return []
    }
    guard physical.allocated == 0 else {
      throw Failure(
        .inUse, "pool \(name)", "has \(physical.allocated) extents of volumes on \(device)",
        remedy: "see `quartet pool map \(name)`; move them with pvmove(8), or remove the volumes")
    }
    guard pool.devices.count > 1 else {
      throw Failure(.invalid, "pool \(name)", "has no other device", remedy: "remove the pool instead")
    }
    return [
      step(
        lvm(["vgreduce", Text(pool.name), Text(device.description)]),
        undo: [lvm(["vgextend", Text(pool.name), Text(device.description)])], change),
      removePhysicalVolume(device, change),
    ]
  }

  private func removePhysicalVolume(_ device: DevicePath, _ change: VolumeChange) -> Step {
    step(
      lvm(["pvremove", Text(device.description)]), undo: [lvm(["pvcreate", Text(device.description)])], change
    )
  }

  private func removePool(_ name: PoolName, _ change: VolumeChange) throws -> [Step] {
    guard let pool = try pools()[name] else { return [] }
    if let volume = pool.volumes.first(where: { !$0.isHidden }) {
      throw Failure(
        .inUse, "pool \(name)", "has \(pool.volumes.count { !$0.isHidden }) volumes, such as \(volume.name)",
        remedy: "remove them first")
    }
    try refuseStale(pool)
    let devices = try pool.devices.map { try DevicePath($0.device) }
    let again = lvm(
      ["vgcreate", "--physicalextentsize", "\(pool.extentSize)b", Text(pool.name)]
        + devices.map { Text($0.description) })
    return [step(lvm(["vgremove", Text(pool.name)]), undo: [again], change)]
      + devices.map { removePhysicalVolume($0, change) }
  }
}
