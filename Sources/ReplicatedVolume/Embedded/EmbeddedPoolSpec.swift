import HostInterface

/// An embedded pool as it should be.
public struct EmbeddedPoolSpec: Sendable, Hashable {
  /// The pool.
  public var name: PoolName
  /// The whole list of its legs.
  public var legs: [LegAddress]
  /// The size in bytes of legs that are files and do not exist.
  public var size: UInt64?
  /// Whether such files get their blocks only when they are written.
  public var sparse = false
  /// The size of an extent in bytes; nil leaves it to the engine, and that is 4 MiB.
  public var extentSize: UInt64?
  /// How fast a resync may be; nil leaves it as it is.
  public var resyncRate: ResyncRate?
  /// Volumes in it; others are left alone.
  public var volumes: [VolumeSpec] = []

  /// A pool without volumes.
  public init(name: PoolName, legs: [LegAddress]) { (self.name, self.legs) = (name, legs) }

  /// Everything that is wrong with the pool by itself.
  public var problems: [String] {
    var found: [String] = []
    if !(1...PoolDescription.legLimit).contains(legs.count) {
      found.append("has \(legs.count) legs, and 1 to \(PoolDescription.legLimit) are possible")
    }
    if Set(legs).count < legs.count { found.append("has a leg twice") }
    if let size = extentSize, size.nonzeroBitCount != 1 || !(64 << 10...1 << 30).contains(size) {
      found.append("cannot have extents of \(size) bytes, they are a power of 2 from 64 KiB to 1 GiB")
    }
    if resyncRate != nil, legs.count == 1 { found.append("has one leg, and so no resync that has a rate") }
    var names: Set<VolumeName> = []
    for volume in volumes {
      if !names.insert(volume.name).inserted { found.append("has volume \(volume.name) twice") }
      if volume.kind != .linear {
        found.append("has volume \(volume.name), and no embedded pool has thin ones")
      }
    }
    return found
  }
}

/// One change to an embedded pool, which converges as a ``VolumeChange`` does.
public enum EmbeddedPoolChange: Sendable, Hashable, CustomStringConvertible {
  /// Makes the pool, without its volumes, or finishes that.
  case createPool(EmbeddedPoolSpec)
  /// Bounds what a resync copies in a second.
  case setResyncRate(PoolName, ResyncRate)
  /// Makes a volume.
  case createVolume(VolumePath, VolumeSize)
  /// Grows a volume to a size.
  case extendVolume(VolumePath, VolumeSize)
  /// Gives a volume its path, so that it can be exported.
  case attach(VolumePath)

  /// The change in words.
  public var description: String {
    switch self {
    case .createPool(let spec): "create pool \(spec.name)"
    case .setResyncRate(let name, let rate): "set the resync rate of pool \(name) to \(rate.words)"
    case .createVolume(let path, let size): VolumeChange.createVolume(path, size).description
    case .extendVolume(let path, let size): VolumeChange.extendVolume(path, size).description
    case .attach(let path): "attach volume \(path)"
    }
  }

  /// The command that an administrator would type.
  public var command: String {
    func size(_ size: VolumeSize) -> String {
      switch size {
      case .bytes(let bytes): "--size \(bytes)"
      case .extents(let count): "--extents \(count)"
      }
    }
    switch self {
    case .createPool(let spec):
      var words = ["quartet", "pool", "create", spec.name.description]
      words += spec.legs.flatMap { ["--leg", $0.description] }
      if let size = spec.size { words += ["--size", "\(size)"] }
      if spec.sparse { words.append("--sparse") }
      if let size = spec.extentSize { words += ["--extent-size", "\(size)"] }
      return Operation.run(Command(words.map { Text($0) })).display
    case .setResyncRate(let name, let rate): return "quartet pool set \(name) --resync-rate \(rate)"
    case .createVolume(let path, let wanted): return "quartet pool create-volume \(path) \(size(wanted))"
    case .extendVolume(let path, let wanted): return "quartet pool extend-volume \(path) \(size(wanted))"
    case .attach(let path): return "quartet volume attach \(path)"
    }
  }
}

/// What has embedded pools and changes them; the engine stands above this library.
public protocol EmbeddedEngine: Sendable {
  /// The changes that make a pool what it should be, and give these of its volumes their paths.
  ///
  /// - Throws: ``Failure`` for what would take a leg away, shrink a volume, or contradicts what is there.
  func changes(to spec: EmbeddedPoolSpec, attaching: Set<VolumePath>) async throws -> [EmbeddedPoolChange]
  /// Makes one change.
  ///
  /// - Returns: What the reader should know.
  func perform(_ change: EmbeddedPoolChange) async throws -> [String]
  /// Whose users do not see the size that a volume of a pool has now, and what is to be done.
  func oldSizes(of spec: EmbeddedPoolSpec) async throws -> [String]
  /// Whether there is an embedded pool of this name.
  func has(_ name: PoolName) throws -> Bool
}
