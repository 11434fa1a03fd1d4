import HostInterface

/// A volume that may grow with the disk below it.
struct Growth {
  /// The device.
  var device: DevicePath
  /// The minor of the device.
  var minor: UInt32
  /// The disk of this node.
  var disk: DevicePath
  /// The bytes that the device has.
  var size: UInt64
  /// The bytes that the disk of this node has room for; the smallest disk of all nodes decides.
  var room: UInt64
  /// The bytes of the device that LVM knows of: less than it has where a run ended before LVM was told.
  var known: UInt64

  /// Whether it is a failure when the device does not grow: nobody has anything of it then.
  var mayFail: Bool { size < room && known >= size }
  /// The file in which the kernel tells the device's size, in sectors of 512 bytes.
  var file: Text { "/sys/block/drbd\(minor)/size" }
}

/// Taking into use what disks have grown by.
extension VolumePlanner {
  /// How long the peer may take to agree to a size: it moves its metadata first, and answers then.
  static let agreementLimit = Duration.seconds(10)

  func resize(_ name: ResourceName, _ change: VolumeChange) throws -> [Step] {
    let status = try running(name)
    let growths = growths(of: name)
    let told = status.role == .primary ? physicalVolumes(on: name) : []
    func tell(_ device: DevicePath) -> [Step] {
      told.contains(device) ? [step(lvm(["pvresize", Text(device.description)]), change)] : []
    }
    // Where nothing is left to take, LVM may be told of what it does not know while DRBD copies it.
    if let growths, growths.allSatisfy({ $0.room <= $0.size }) {
      return growths.filter { $0.known < $0.size }.flatMap { tell($0.device) }
    }
    try needWhole(status, "resized")
    if state.generation != .nine, status.role != .primary, state.otherPrimaries(of: name).isEmpty {
      throw Failure(
        .refused, "resource \(name)", "is primary on no node, and DRBD takes no larger size then",
        remedy: "run `quartet volume promote \(name)` on the node with the data first")
    }
    let resize = step(DRBD.run("resize", name), change)
    guard let growths else { return [resize] + state.devices(of: name).flatMap(tell) }
    // A wait that may fail comes last, so that LVM is told of what has grown already.
    let sure = growths.filter { !$0.mayFail }
    return [resize]
      + (sure + growths.filter(\.mayFail)).flatMap { growth in
        (growth.size < growth.room ? [wait(for: growth, change)] : []) + tell(growth.device)
      }
  }

  /// Waits for the peer's answer.
  ///
  /// 8.4 sends its sizes when `drbdadm resize` ends, and grows with the answer; where it knew of an older size of the
  /// peer's disk it has grown to that one already (Fixtures/DRBD/resize.jsonl, 16 to 19, 41 to 44). So a device that is
  /// larger than before may get larger still, until this node's disk is full. Where the peer's disk is smaller than
  /// that, nothing tells that it has answered.
  private func wait(for growth: Growth, _ change: VolumeChange) -> Step {
    step(
      .wait(
        for: .grows(path: growth.file, goal: growth.room / 512, orBeyond: growth.known / 512),
        limit: Self.agreementLimit), change)
  }

  /// The volumes of a resource; nil when it is not known how large they can get on this node, or DRBD agrees on a size
  /// before it answers, as 9 does (change_cluster_wide_device_size() of drbd_state.c).
  func growths(of name: ResourceName) -> [Growth]? {
    guard state.generation == .eight, let status = state.status(name), let mine = state.mine(name),
      state.file(name)?.resource.settings[.disk]?["size"] == nil
    else { return nil }
    var found: [Growth] = []
    for volume in mine.volumes {
      guard let disk = volume.disk, let bytes = facts[disk]?.status?.size,
        let size = status.volumes.first(where: { $0.number == volume.number })?.size
      else { return nil }
      let room: UInt64
      switch volume.metadata {
      case .inside:
        guard let metadata = try? MetadataSize(disk: bytes) else { return nil }
        room = metadata.usable
      case .device(let device):
        guard let metadata = facts[device]?.status?.size else { return nil }
        room = MetadataSize.usable(disk: bytes, besides: metadata)
      case .slot: room = MetadataSize.usable(disk: bytes, besides: MetadataSize.slot)
      }
      // DRBD tells sizes in KiB.
      found.append(
        Growth(
          device: volume.device, minor: volume.minor, disk: disk, size: size, room: room / 1024 * 1024,
          known: known(on: volume.device, of: size, status.role)))
    }
    return found
  }

  /// The devices of a resource that LVM has.
  private func physicalVolumes(on name: ResourceName) -> Set<DevicePath> {
    let physical = (state.pools?.pools.flatMap(\.devices) ?? []) + (state.pools?.unused ?? [])
    let devices = Set(physical.map(\.device))
    return Set(state.devices(of: name).filter { devices.contains($0.description) })
  }

  private func known(on device: DevicePath, of size: UInt64, _ role: ResourceStatus.Role) -> UInt64 {
    // A secondary's device is nobody's.
    guard role == .primary, let pools = state.pools else { return size }
    // Of one in no pool LVM does not tell it.
    if pools.unused.contains(where: { $0.device == device.description }) { return 0 }
    for pool in pools.pools {
      guard let found = pool.devices.first(where: { $0.device == device.description }) else { continue }
      let isTold = Pool.extents(onDevice: size, of: pool.extentSize) <= found.extents
      return isTold ? size : found.extents * pool.extentSize
    }
    return size
  }
}
