import HostInterface

/// Switch-over and take-over, in the article's order: what is above goes first, and comes last.
extension VolumePlanner {
  /// How long to wait for whoever still has a device open: udev and the kernel let go of it a moment later.
  private static let patience = Duration.seconds(10)

  func promote(_ name: ResourceName, _ change: VolumeChange) throws -> [Step] {
    let status = try running(name)
    if let other = state.otherPrimaries(of: name).first {
      throw Failure(
        .refused, "resource \(name)", "is primary on \(other)",
        remedy: "run `quartet volume demote \(name)` there first")
    }
    try refuseUnfiltered(name)
    let selection = state.pools == nil ? nil : selection(name)
    var steps: [Step] = []
    if status.role != .primary {
      try refuseWithoutData(status)
      // An activation that fails may have activated some volumes, with which no node becomes secondary again.
      let deactivate = selection.map { [lvm(["vgchange", "--activate", "n", "--select", $0])] } ?? []
      steps.append(
        step(
          DRBD.run("primary", name), undo: deactivate + [DRBD.run("secondary", name)], change,
          patience: .seconds(2)))
    }
    guard let selection else { return steps }
    // Which pools are on it is known only once it is primary.
    let isActive =
      status.role == .primary
      && state.pools(on: name).allSatisfy { $0.volumes.allSatisfy { !$0.isUsable || $0.isActive } }
    if !isActive {
      steps.append(
        step(
          lvm(["vgchange", "--activate", "y", "--select", selection]),
          undo: [lvm(["vgchange", "--activate", "n", "--select", selection])], change))
    }
    return steps
  }

  func demote(_ name: ResourceName, _ change: VolumeChange) throws -> [Step] {
    let status = try running(name)
    guard status.role == .primary else { return [] }
    let pools = state.pools(on: name)
    if let open = pools.flatMap({ pool in pool.volumes.filter(\.isOpen).map { (pool, $0) } }).first(
      where: { $0.1.isUsable })
    {
      throw Failure(
        .inUse, "resource \(name)", "cannot be demoted while volume \(open.0.name)/\(open.1.name) is open",
        remedy: "remove the logical units and unmount the file systems that use it")
    }
    var steps: [Step] = []
    if !pools.isEmpty, let selection = selection(name) {
      steps.append(
        step(
          lvm(["vgchange", "--activate", "n", "--select", selection]),
          undo: [lvm(["vgchange", "--activate", "y", "--select", selection])], change,
          patience: Self.patience))
    }
    return steps + [
      step(
        DRBD.run("secondary", name), undo: [DRBD.run("primary", name)], change, patience: Self.patience)
    ]
  }

  /// What `--select` of lvm(8) takes for the pools on the resource's devices.
  private func selection(_ name: ResourceName) -> Text? {
    let devices = state.devices(of: name)
    return devices.isEmpty ? nil : Text(devices.map { "pv_name=\($0)" }.joined(separator: "||"))
  }

  /// DRBD refuses as well; this says what to do.
  private func refuseWithoutData(_ status: ResourceStatus) throws {
    for volume in status.volumes where volume.disk != .upToDate && volume.disk != .consistent {
      let isReachable = status.peers.contains { peer in
        peer.connection == .connected
          && peer.volumes.contains { $0.number == volume.number && $0.disk == .upToDate }
      }
      guard !isReachable else { continue }
      throw Failure(
        .refused, "resource \(status.name)",
        "has no data that are up to date: volume \(volume.number) is "
          + "\(volume.disk.rawValue) here, and no node that is connected has a better copy",
        remedy: volume.disk == .inconsistent
          ? "for new disks run `quartet volume sync \(status.name)`, else connect it to the node with the data"
          : "connect it to the node with the data")
    }
  }

  /// LVM that has a copy of the pool below DRBD would find it twice, or activate that copy.
  private func refuseUnfiltered(_ name: ResourceName) throws {
    let physical = (state.pools?.pools.flatMap(\.devices) ?? []) + (state.pools?.unused ?? [])
    let seen = Set(physical.map(\.device))
    guard let disk = state.unfiltered[name]?.first(where: { seen.contains($0.description) }) else { return }
    throw unfiltered(disk, of: name)
  }

  /// The failure of a resource whose disk LVM looks at as well.
  func unfiltered(_ disk: DevicePath, of name: ResourceName) -> Failure {
    Failure(
      .refused, "resource \(name)", "has disk \(disk), which LVM looks at as well, below DRBD",
      remedy: "run `quartet pool filter --apply`, which keeps LVM off it, or set global_filter yourself")
  }
}
