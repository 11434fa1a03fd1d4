import HostInterface

/// How large a volume is to be.
public enum VolumeSize: Sendable, Hashable, CustomStringConvertible {
  /// So many bytes, rounded up to whole extents.
  case bytes(UInt64)
  /// So many extents.
  case extents(UInt64)

  /// The size in words.
  public var description: String {
    switch self {
    case .bytes(let bytes): "\(bytes) bytes"
    case .extents(let count): "\(count) extents"
    }
  }

  /// Reads a number of bytes: digits, and behind them K, M, G, T or P for powers of 1024.
  ///
  /// - Throws: ``Failure`` with code `invalid`.
  public static func byteCount(_ text: String) throws -> UInt64 {
    let units: [Character: UInt64] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "P": 1 << 50]
    let unit = text.last.flatMap { units[$0] }
    let digits = unit == nil ? text[...] : text.dropLast()
    guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt64(digits), number > 0
    else {
      throw Failure(
        .invalid, "size \(shown(text))", "is no positive number of bytes", remedy: "write it like 64M")
    }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: unit ?? 1)
    guard !overflow, bytes <= 1 << 60 else {
      throw Failure(.invalid, "size \(shown(text))", "is over 1 EiB (\(UInt64(1) << 60) bytes)")
    }
    return bytes
  }
}

/// One change to resources, pools and volumes.
///
/// Each converges: what is so already is left alone, so that a run that was killed is finished by running it again.
public enum VolumeChange: Sendable, Hashable {
  /// Writes a resource's file, makes metadata on this node's disks, and brings it up.
  ///
  /// - wipe: Erases what is on the disks; otherwise a disk with anything on it is refused.
  case createResource(Resource, wipe: Bool)
  /// Brings a resource down, erases its metadata where that is asked for, and removes its file.
  case removeResource(ResourceName, wipe: Bool)
  /// Attaches the disks and connects to the other nodes.
  case up(ResourceName)
  /// Disconnects and detaches.
  case down(ResourceName)
  /// Connects to the other nodes.
  case connect(ResourceName)
  /// Leaves the other nodes.
  case disconnect(ResourceName)
  /// Takes the disks into use.
  case attach(ResourceName)
  /// Goes on without the disks of this node.
  case detach(ResourceName)
  /// Makes the running resource what its file says.
  case adjust(ResourceName)
  /// Declares this node's new disks to be the data, makes it primary, and copies them to the other nodes.
  case firstSync(ResourceName)
  /// Declares new disks, of which nobody has read anything, to be alike on all nodes.
  case skipFirstSync(ResourceName)
  /// Makes this node primary and activates the pools on the resource.
  case promote(ResourceName)
  /// Deactivates the pools on the resource and makes this node secondary.
  case demote(ResourceName)
  /// Begins to compare the copies; what differs is marked, and brought into agreement at the next connect.
  case verify(ResourceName)
  /// Takes into use what the disks of all nodes have grown by, waits until the nodes agree on it, and tells LVM.
  case resize(ResourceName)
  /// Throws this node's data away and fetches everything from the peer.
  case invalidate(ResourceName)
  /// Ends a split brain by giving up what this node alone has written; where the nodes are connected, it is ended.
  case discardMine(ResourceName)

  /// Makes a volume group of devices.
  case createPool(PoolName, [DevicePath], extentSize: UInt64?)
  /// Adds a device.
  case extendPool(PoolName, DevicePath)
  /// Takes away a device that holds nothing.
  case reducePool(PoolName, DevicePath)
  /// Removes a pool without volumes; a run that is killed in its middle leaves the devices as physical volumes that
  /// belong to none, which ``createPool(_:_:extentSize:)`` takes.
  case removePool(PoolName)
  /// Makes the block devices of a pool's volumes.
  case activate(PoolName)
  /// Takes the block devices away.
  case deactivate(PoolName)

  /// Makes a linear volume.
  case createVolume(VolumePath, VolumeSize)
  /// Makes a pool of blocks for thin volumes.
  case createThinPool(VolumePath, VolumeSize)
  /// Makes a volume of so many bytes that takes blocks from a thin pool as they are written.
  case createThinVolume(VolumePath, from: VolumeName, bytes: UInt64)
  /// Makes a snapshot; one of a thin volume needs no size.
  case snapshot(VolumePath, of: VolumeName, VolumeSize?)
  /// Grows a volume to a size.
  case extendVolume(VolumePath, VolumeSize)
  /// Shrinks a volume to a size, and loses what is behind it.
  case reduceVolume(VolumePath, VolumeSize, force: Bool)
  /// Gives a volume another name in its pool.
  case renameVolume(VolumePath, to: VolumeName)
  /// Removes a volume with all that is on it.
  case removeVolume(VolumePath)

  /// Writes the filter that keeps LVM off the disks below DRBD.
  case applyFilter
}

extension VolumeChange: CustomStringConvertible {
  /// The change in words.
  public var description: String {
    switch self {
    case .createResource(let resource, _): "set up resource \(resource.name)"
    case .removeResource(let name, _): "remove resource \(name)"
    case .up(let name): "bring up resource \(name)"
    case .down(let name): "bring down resource \(name)"
    case .connect(let name): "connect resource \(name)"
    case .disconnect(let name): "disconnect resource \(name)"
    case .attach(let name): "attach the disks of resource \(name)"
    case .detach(let name): "detach the disks of resource \(name)"
    case .adjust(let name): "adjust resource \(name) to its file"
    case .firstSync(let name): "begin the first sync of resource \(name) from this node"
    case .skipFirstSync(let name): "skip the first sync of resource \(name)"
    case .promote(let name): "make this node primary for resource \(name)"
    case .demote(let name): "make this node secondary for resource \(name)"
    case .verify(let name): "begin to verify resource \(name)"
    case .resize(let name): "resize resource \(name)"
    case .invalidate(let name): "invalidate the data of this node for resource \(name)"
    case .discardMine(let name): "discard what this node alone wrote to resource \(name)"
    case .createPool(let name, _, _): "create pool \(name)"
    case .extendPool(let name, let device): "extend pool \(name) by \(device)"
    case .reducePool(let name, let device): "reduce pool \(name) by \(device)"
    case .removePool(let name): "remove pool \(name)"
    case .activate(let name): "activate pool \(name)"
    case .deactivate(let name): "deactivate pool \(name)"
    case .createVolume(let path, let size): "create volume \(path) of \(size)"
    case .createThinPool(let path, let size): "create thin pool \(path) of \(size)"
    case .createThinVolume(let path, let pool, let bytes):
      "create volume \(path) of \(bytes) bytes in thin pool \(pool)"
    case .snapshot(let path, let origin, _): "create snapshot \(path) of \(origin)"
    case .extendVolume(let path, let size): "extend volume \(path) to \(size)"
    case .reduceVolume(let path, let size, _): "reduce volume \(path) to \(size)"
    case .renameVolume(let path, let name): "rename volume \(path) to \(name)"
    case .removeVolume(let path): "remove volume \(path)"
    case .applyFilter: "keep LVM off the disks below DRBD"
    }
  }

  /// Whether data or what holds it goes.
  public var removes: Bool {
    switch self {
    case .removeResource, .removePool, .removeVolume, .reducePool, .reduceVolume, .invalidate, .discardMine:
      true
    default: false
    }
  }
}
