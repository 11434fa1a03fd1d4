import HostInterface

/// Finds the changes between the resources and pools that a node has and those that it should have; pure.
///
/// They are found in three parts, since each is seen only when the one before it is done: what the resources are,
/// who is primary, and what is in the pools.
public struct VolumeReconciler: Sendable {
  /// What the node has.
  public let state: VolumeState

  /// A reconciler for a node in this state.
  public init(_ state: VolumeState) { self.state = state }

  /// The changes that give a resource its file, bring it up and connect it, on a node that it names.
  ///
  /// The first is made only as far as it is not so yet, which only the planner can tell.
  ///
  /// - Throws: ``Failure`` for what would take a copy of data away.
  public func changes(to spec: ResourceSpec) throws -> [VolumeChange] {
    let resource = spec.resource
    guard resource.node(state.node) != nil else { return [] }
    try refuseLoss(resource)
    var changes = [VolumeChange.createResource(resource, wipe: false)]
    let isAlone = state.status(resource.name)?.peers.contains { $0.connection == .standAlone } == true
    // After a split brain only the choice of a victim helps.
    if isAlone, !state.splitBrain.contains(resource.name) { changes.append(.connect(resource.name)) }
    return changes
  }

  /// What a file that is written anew may not take away from this node.
  private func refuseLoss(_ resource: Resource) throws {
    guard let old = state.mine(resource.name), let new = resource.node(state.node) else { return }
    for volume in old.volumes {
      func refuse(_ what: String) -> Failure {
        Failure(
          .refused, "resource \(resource.name)",
          "\(what), and `apply` takes no copy of data away",
          remedy: "run `quartet volume remove \(resource.name)` on this node first if its copy may go")
      }
      guard let same = new.volumes.first(where: { $0.number == volume.number }) else {
        throw refuse("would lose volume \(volume.number)")
      }
      if same.minor != volume.minor {
        throw refuse("would move volume \(volume.number) from minor \(volume.minor) to \(same.minor)")
      }
      if let disk = volume.disk, disk != same.disk {
        throw refuse(
          "would move volume \(volume.number) from \(disk) to \(same.disk?.description ?? "no disk")")
      }
      if volume.disk != nil, volume.metadata != same.metadata {
        throw refuse("would move the metadata of volume \(volume.number)")
      }
    }
  }

  /// Whether LVM must be kept off the disks below the resources that these pools are on.
  public func needsFilter(for pools: [PoolSpec]) -> Bool {
    !state.unfiltered.isEmpty && pools.contains { resource(below: $0) != nil }
  }

  /// The resource of this node that a pool is on; nil for a pool that is on none.
  public func resource(below pool: PoolSpec) -> ResourceName? {
    pool.devices.lazy.compactMap { state.resource(ofDevice: $0.description) }.first
  }

  /// Why this node does not have the content of a resource now; nil where it is primary.
  public func absence(of name: ResourceName) -> String? {
    guard let status = state.status(name) else { return "\(name) is not up on this node" }
    if status.role == .primary { return nil }
    if let other = state.otherPrimaries(of: name).first { return "\(name) is primary on \(other)" }
    let unseen = status.peers.filter { $0.connection != .connected }
    guard let peer = unseen.first else { return "\(name) is primary on no node" }
    return "\(name) is not primary here, and \(state.name(of: peer, in: name)) is not connected"
  }

  /// The changes that make this node primary, when no node is; empty when one is.
  ///
  /// - Throws: ``Failure`` when a node that is not seen may be primary, or may have the data.
  public func promotion(of spec: ResourceSpec) throws -> [VolumeChange] {
    let name = spec.resource.name
    guard let status = state.status(name), status.role != .primary, state.otherPrimaries(of: name).isEmpty
    else { return [] }
    if let peer = status.peers.first(where: { $0.connection != .connected }) {
      let node = state.name(of: peer, in: name)
      let isSplit = state.splitBrain.contains(name)
      throw Failure(
        .refused, "resource \(name)",
        isSplit
          ? "has a split brain with \(node), so that this node is not made primary"
          : "is not connected to \(node), which may be primary, or have the data",
        remedy: isSplit
          ? "run `quartet volume resolve \(name) --victim NODE` first"
          : "apply the file there too; if that node is down, run `quartet volume promote \(name)`, or for new "
            + "disks `quartet volume sync \(name)`")
    }
    let isNew =
      status.volumes.allSatisfy { $0.disk == .inconsistent }
      && status.peers.allSatisfy { $0.volumes.allSatisfy { $0.disk == .inconsistent } }
    guard isNew else { return [.promote(name)] }
    return spec.skipFirstSync ? [.skipFirstSync(name), .promote(name)] : [.firstSync(name)]
  }
}

/// What is in pools.
extension VolumeReconciler {
  /// The changes that give a pool its devices and volumes, on a node that sees it if it is there.
  ///
  /// - Throws: ``Failure`` for what would take devices or volumes away, or shrink one.
  public func changes(to spec: PoolSpec) throws -> [VolumeChange] {
    let volumes = spec.volumes.filter { !$0.isThin } + spec.volumes.filter(\.isThin)
    guard let pool = state.pools?[spec.name] else {
      return [.createPool(spec.name, spec.devices, extentSize: spec.extentSize)]
        + volumes.map { $0.creation(in: spec.name, extentSize: spec.extentSize ?? 4 << 20) }
    }
    if let size = spec.extentSize, size != pool.extentSize {
      throw Failure(
        .exists, "pool \(spec.name)", "has extents of \(pool.extentSize) bytes, not of \(size)",
        remedy: "leave extentSize out; it is chosen when a pool is made")
    }
    let wanted = Set(spec.devices.map(\.description))
    if let more = pool.devices.map(\.device).sorted().first(where: { !wanted.contains($0) }) {
      throw Failure(
        .refused, "pool \(spec.name)", "is on \(more) as well, and `apply` takes no device away",
        remedy: "name it, or run `quartet pool reduce \(spec.name) \(more)` first")
    }
    let there = Set(pool.devices.map(\.device))
    var changes = spec.devices.filter { !there.contains($0.description) }
      .map { VolumeChange.extendPool(spec.name, $0) }
    for volume in volumes { changes += try self.changes(to: volume, in: spec.name, pool) }
    let isInactive = spec.volumes.contains { volume in
      pool.volume(volume.name).map { $0.isUsable && !$0.isActive } ?? false
    }
    if isInactive { changes.append(.activate(spec.name)) }
    return changes
  }

  private func changes(to spec: VolumeSpec, in name: PoolName, _ pool: Pool) throws -> [VolumeChange] {
    let path = VolumePath(name, spec.name)
    guard let live = pool.volume(spec.name) else {
      return [spec.creation(in: name, extentSize: pool.extentSize)]
    }
    func other(_ what: String) -> Failure {
      Failure(
        .exists, "volume \(path)", "exists already, and is \(what) (\(live.layout))",
        remedy: "choose another name")
    }
    if let origin = live.origin, live.thinPool == nil { throw other("a snapshot of \(origin)") }
    switch spec.kind {
    case .linear: if live.layout != "linear" { throw other("no linear volume") }
    case .thinPool: if !live.isThinPool { throw other("no thin pool") }
    case .thin(let pool): if live.thinPool != pool.description { throw other("not in thin pool \(pool)") }
    }
    let (now, wanted) = (live.size / pool.extentSize, try pool.extents(spec.size))
    if wanted > now { return [.extendVolume(path, spec.size)] }
    guard wanted == now else {
      throw Failure(
        .refused, "volume \(path)",
        "has \(live.size) bytes, more than \(spec.size), and `apply` shrinks nothing",
        remedy: "name its size, or run `quartet pool reduce-volume \(path)` with that size first")
    }
    return []
  }
}

extension VolumeSpec {
  fileprivate var isThin: Bool { if case .thin = kind { true } else { false } }

  fileprivate func creation(in pool: PoolName, extentSize: UInt64) -> VolumeChange {
    let path = VolumePath(pool, name)
    switch kind {
    case .linear: return .createVolume(path, size)
    case .thinPool: return .createThinPool(path, size)
    case .thin(let thinPool):
      switch size {
      case .bytes(let bytes): return .createThinVolume(path, from: thinPool, bytes: bytes)
      case .extents(let count):
        let (bytes, overflow) = count.multipliedReportingOverflow(by: extentSize)
        return .createThinVolume(path, from: thinPool, bytes: overflow ? .max : bytes)
      }
    }
  }
}
