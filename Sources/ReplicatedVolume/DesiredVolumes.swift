import HostInterface

/// Resources and pools as they should be: what a state file says of what is below its targets.
///
/// What is not named is left as it is. Nothing that holds data is removed or shrunk to get there.
public struct DesiredVolumes: Sendable, Hashable {
  /// The resources; each is the same on every node.
  public var resources: [ResourceSpec]
  /// The pools of LVM.
  public var pools: [PoolSpec]
  /// The embedded pools.
  public var embeddedPools: [EmbeddedPoolSpec] = []

  /// Wanted resources and pools.
  public init(resources: [ResourceSpec] = [], pools: [PoolSpec] = []) {
    self.resources = resources
    self.pools = pools
  }

  /// Whether nothing is wanted.
  public var isEmpty: Bool { resources.isEmpty && pools.isEmpty && embeddedPools.isEmpty }
}

/// A resource as it should be.
public struct ResourceSpec: Sendable, Hashable {
  /// What its file is to say.
  public var resource: Resource
  /// Whether new disks are declared to be alike on all nodes, when the resource is made primary for the first time.
  public var skipFirstSync: Bool

  /// A resource whose first sync copies everything, unless something else is said.
  public init(_ resource: Resource, skipFirstSync: Bool = false) {
    self.resource = resource
    self.skipFirstSync = skipFirstSync
  }
}

/// A pool as it should be.
public struct PoolSpec: Sendable, Hashable {
  /// The volume group.
  public var name: PoolName
  /// The whole list of its devices.
  public var devices: [DevicePath]
  /// The size of an extent in bytes; nil leaves it to LVM, and that to 4 MiB.
  public var extentSize: UInt64?
  /// Volumes in it; others are left alone.
  public var volumes: [VolumeSpec]

  /// A pool without volumes.
  public init(name: PoolName, devices: [DevicePath]) {
    self.name = name
    self.devices = devices
    volumes = []
  }
}

/// A volume as it should be.
public struct VolumeSpec: Sendable, Hashable {
  /// What it is made of.
  public enum Kind: Sendable, Hashable {
    /// Extents of the pool.
    case linear
    /// Extents of the pool that hold the blocks of thin volumes.
    case thinPool
    /// Blocks of a thin pool, taken as they are written.
    case thin(VolumeName)
  }
  /// The logical volume.
  public var name: VolumeName
  /// How large it is at least.
  public var size: VolumeSize
  /// What it is made of.
  public var kind: Kind

  /// A volume.
  public init(name: VolumeName, size: VolumeSize, kind: Kind = .linear) {
    self.name = name
    self.size = size
    self.kind = kind
  }
}

extension DesiredVolumes {
  /// What contradicts itself.
  ///
  /// - Throws: ``Failure`` with code `invalid`.
  public func checkConsistency() throws {
    func twice(_ subject: String) -> Failure { Failure(.invalid, subject, "is there twice") }
    var resources: Set<ResourceName> = []
    for spec in self.resources {
      let subject = "resource \(spec.resource.name)"
      guard resources.insert(spec.resource.name).inserted else { throw twice(subject) }
      if let problem = spec.resource.problems.first { throw Failure(.invalid, subject, problem) }
    }
    var pools: Set<PoolName> = []
    for spec in self.pools {
      guard pools.insert(spec.name).inserted else { throw twice("pool \(spec.name)") }
      if let problem = spec.problems.first { throw Failure(.invalid, "pool \(spec.name)", problem) }
    }
    for spec in embeddedPools {
      guard pools.insert(spec.name).inserted else { throw twice("pool \(spec.name)") }
      if let problem = spec.problems.first { throw Failure(.invalid, "pool \(spec.name)", problem) }
    }
  }
}

extension PoolSpec {
  /// Everything that is wrong with the pool by itself.
  public var problems: [String] {
    var found: [String] = []
    if devices.isEmpty { found.append("has no device") }
    if Set(devices).count < devices.count { found.append("has a device twice") }
    if let size = extentSize, size < 1 << 10 || size > 1 << 40 || size.nonzeroBitCount != 1 {
      found.append("cannot have extents of \(size) bytes, they are a power of 2 from 1 KiB to 1 TiB")
    }
    var names: Set<VolumeName> = []
    for volume in volumes {
      if !names.insert(volume.name).inserted { found.append("has volume \(volume.name) twice") }
      guard case .thin(let pool) = volume.kind else { continue }
      if pool == volume.name { found.append("has volume \(volume.name) in itself") }
      if let other = volumes.first(where: { $0.name == pool }), other.kind != .thinPool {
        found.append("has volume \(volume.name) in \(pool), which is no thin pool")
      }
    }
    return found
  }

  /// The path of one of its volumes.
  public func path(of volume: VolumeSpec) -> VolumePath { VolumePath(name, volume.name) }
}
