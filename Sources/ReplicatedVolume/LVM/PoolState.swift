import HostInterface

/// What LVM has on this machine, as far as its filter lets it see.
public struct PoolState: Sendable, Hashable {
  /// The volume groups.
  public var pools: [Pool]
  /// Physical volumes that belong to none.
  public var unused: [PhysicalVolume]

  /// Nothing.
  public init() {
    pools = []
    unused = []
  }

  /// The pool of a name.
  public subscript(name: PoolName) -> Pool? { pools.first { $0.name == name.description } }

  /// The volume of a path.
  public subscript(path: VolumePath) -> Pool.Volume? {
    self[path.pool]?.volumes.first { $0.name == path.volume.description }
  }
}

/// A device that LVM keeps extents on.
public struct PhysicalVolume: Sendable, Hashable {
  /// LVM's own identity of it.
  public var uuid: String
  /// The device's path.
  public var device: String
  /// The device's size in bytes.
  public var deviceSize: UInt64
  /// The number of extents on it; 0 before it belongs to a pool.
  public var extents: UInt64
  /// How many of them belong to volumes.
  public var allocated: UInt64
  /// Whether the device is missing.
  public var isMissing: Bool
}

/// A volume group.
public struct Pool: Sendable, Hashable {
  /// The name.
  public var name: String
  /// The size of an extent in bytes.
  public var extentSize: UInt64
  /// The number of extents.
  public var extents: UInt64
  /// How many belong to no volume.
  public var free: UInt64
  /// The devices that it is on.
  public var devices: [PhysicalVolume]
  /// The volumes, LVM's own hidden ones among them.
  public var volumes: [Volume]
  /// Which extents belong to which volume, by device and first extent; those of no volume are in it as well.
  public var map: [Segment]

  /// A logical volume.
  public struct Volume: Sendable, Hashable {
    /// LVM's own identity of it.
    public var uuid: String
    /// The name, without the brackets that LVM shows around hidden ones.
    public var name: String
    /// The size in bytes.
    public var size: UInt64
    /// How its extents are laid out: `linear`, `thin`, `thin,pool` and so on.
    public var layout: String
    /// Whether it is one of those that only LVM uses.
    public var isHidden: Bool
    /// Whether its block device is there.
    public var isActive: Bool
    /// Whether someone has the block device open.
    public var isOpen: Bool
    /// The volume that it is a snapshot of.
    public var origin: String?
    /// The thin pool that it takes its blocks from.
    public var thinPool: String?
    /// How much of a snapshot's or thin pool's own space is used, in per cent.
    public var usedPercent: Double?

    /// Whether it holds other volumes and no data of its own.
    public var isThinPool: Bool { layout.split(separator: ",").contains("pool") }
    /// Whether it is a volume whose block device is to be there while the pool is active.
    public var isUsable: Bool { !isHidden && !isThinPool }
  }

  /// Extents side by side on one device.
  public struct Segment: Sendable, Hashable {
    /// The device's path.
    public var device: String
    /// The first extent on the device, from 0.
    public var start: UInt64
    /// How many.
    public var count: UInt64
    /// The volume that they belong to; nil when they are free.
    public var volume: String?
  }

  /// How many extents hold so many bytes: LVM rounds up.
  ///
  /// - Throws: ``Failure`` with code `invalid` for no bytes at all.
  public static func extents(for bytes: UInt64, of size: UInt64) throws -> UInt64 {
    // LVM takes no volume over 8 EiB; half of that leaves room for the sums.
    guard (1...1 << 61).contains(bytes), size > 0 else {
      throw Failure(.invalid, "volume of \(bytes) bytes", "must have 1 to \(UInt64(1) << 61) bytes")
    }
    return (bytes - 1) / size + 1
  }

  /// The extents that a device of so many bytes has, after `first` bytes of LVM's own.
  ///
  /// LVM puts its data area at 1 MiB (`data_alignment` and `data_alignment_offset_detection`, lvm.conf(5)).
  public static func extents(onDevice bytes: UInt64, of size: UInt64, first: UInt64 = 1 << 20) -> UInt64 {
    bytes > first && size > 0 ? (bytes - first) / size : 0
  }
}
