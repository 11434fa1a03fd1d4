import HostInterface

extension VolumeChange {
  /// What a state lacks of this change, in words; nil when it is so.
  ///
  func missing(in state: VolumeState) -> String? {
    switch self {
    case .createResource(let resource, _):
      if state.file(resource.name)?.resource != resource {
        return "drbdadm reads another resource from its file"
      }
      return state.status(resource.name) == nil ? "it is not up" : nil
    case .removeResource(let name, _):
      return state.file(name) != nil || state.status(name) != nil ? "it is still there" : nil
    case .up(let name): return state.status(name) == nil ? "it is not up" : nil
    case .down(let name): return state.status(name) != nil ? "it is still up" : nil
    case .connect(let name), .discardMine(let name):
      let isAlone = state.status(name)?.peers.contains { $0.connection == .standAlone } ?? true
      return isAlone ? "it stands alone" : nil
    case .disconnect(let name):
      let isAlone = state.status(name)?.peers.allSatisfy { $0.connection == .standAlone } ?? false
      return isAlone ? nil : "it is still connected"
    case .attach(let name): return disks(name, state).contains(.diskless) ? "a disk is not attached" : nil
    case .detach(let name):
      return disks(name, state).allSatisfy { $0 == .diskless } ? nil : "a disk is attached"
    case .firstSync(let name):
      let isData = disks(name, state).allSatisfy { $0 == .upToDate } && state.status(name)?.role == .primary
      return isData ? nil : "this node is not primary with disks that are up to date"
    case .skipFirstSync(let name):
      return disks(name, state).allSatisfy { $0 == .upToDate } ? nil : "the disks are not up to date"
    case .promote(let name):
      guard state.status(name)?.role == .primary else { return "this node is not primary" }
      let inactive = state.pools(on: name).flatMap { $0.volumes.filter { $0.isUsable && !$0.isActive } }
      return inactive.first.map { "volume \($0.name) is not active" }
    case .demote(let name): return state.status(name)?.role == .primary ? "this node is primary" : nil
    // These begin something, and may have ended it already.
    case .adjust, .verify, .resize, .invalidate: return nil
    case .applyFilter:
      return state.unfiltered.values.first?.first.map { "LVM still looks at \($0)" }
    default: return missingInPools(state)
    }
  }

  private func disks(_ name: ResourceName, _ state: VolumeState) -> [ResourceStatus.Disk] {
    state.status(name)?.volumes.map(\.disk) ?? []
  }

  private func missingInPools(_ state: VolumeState) -> String? {
    func volume(_ path: VolumePath) -> Pool.Volume? { state.pools?[path] }
    func size(_ path: VolumePath, _ size: VolumeSize) -> String? {
      guard let pool = state.pools?[path.pool], let volume = volume(path) else {
        return "there is no such volume"
      }
      guard let extents = try? pool.extents(size), volume.size == extents * pool.extentSize else {
        return "it has \(volume.size) bytes"
      }
      return nil
    }
    switch self {
    case .createPool(let name, let devices, _):
      let there = Set(state.pools?[name]?.devices.map(\.device) ?? [])
      return there == Set(devices.map(\.description)) ? nil : "it is not on these devices"
    case .extendPool(let name, let device):
      return has(name, device, state) ? nil : "it is not on that device"
    case .reducePool(let name, let device):
      return has(name, device, state) ? "it is still on that device" : nil
    case .removePool(let name): return state.pools?[name] == nil ? nil : "it is still there"
    case .activate(let name):
      return state.pools?[name]?.volumes.first { $0.isUsable && !$0.isActive }.map {
        "\($0.name) is not active"
      }
    case .deactivate(let name):
      return state.pools?[name]?.volumes.first { $0.isActive }.map { "\($0.name) is active" }
    case .createVolume(let path, let wanted), .createThinPool(let path, let wanted),
      .extendVolume(let path, let wanted), .reduceVolume(let path, let wanted, _):
      return size(path, wanted)
    case .createThinVolume(let path, let pool, _):
      return volume(path)?.thinPool == pool.description ? nil : "there is no such volume"
    case .snapshot(let path, let origin, _):
      return volume(path)?.origin == origin.description ? nil : "there is no such snapshot"
    case .renameVolume(let path, let name):
      return volume(VolumePath(path.pool, name)) == nil ? "there is no volume of that name" : nil
    case .removeVolume(let path): return volume(path) == nil ? nil : "it is still there"
    default: return nil
    }
  }

  private func has(_ name: PoolName, _ device: DevicePath, _ state: VolumeState) -> Bool {
    state.pools?[name]?.devices.contains { $0.device == device.description } == true
  }
}
