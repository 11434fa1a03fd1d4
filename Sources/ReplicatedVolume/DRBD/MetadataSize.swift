import HostInterface

/// What DRBD keeps on a disk beside the data, computed before anything is touched.
///
/// Source: drbdmeta.c, bm_bytes() and re_initialize_md_offsets(): a superblock of 4 KiB, an activity log of 32 KiB, and
/// a bitmap of one bit for each 4 KiB of the disk and peer, in whole blocks of 4 KiB: 32 KiB a GiB.
public struct MetadataSize: Sendable, Hashable {
  private static let superblock: UInt64 = 4 << 10
  private static let activityLog: UInt64 = 32 << 10
  private static let block: UInt64 = 4 << 10
  /// The greatest disk that drbdmeta takes: 1 PiB.
  public static let diskLimit: UInt64 = 1 << 50
  /// How far an internal metadata area is from the end of the disk at most: the disk is used in whole blocks of 4 KiB.
  private static let alignment: UInt64 = 4 << 10

  /// The smallest disk with its metadata inside, and the smallest device for metadata alone, that the kernel takes: 1 MiB.
  ///
  /// Source: drbd_nl.c, drbd_adm_attach(): "at least one MB, otherwise it does not make sense". drbdmeta takes less.
  public static let leastDevice: UInt64 = 1 << 20

  /// The bytes that metadata has in a slot of a device, `DEVICE[INDEX]` (drbd.conf(5), meta-disk).
  static let slot: UInt64 = 128 << 20

  /// The bytes that the metadata takes.
  public let bytes: UInt64
  /// The bytes that are left for data when the metadata is inside.
  public let usable: UInt64

  /// The metadata for a disk of so many bytes.
  ///
  /// - Parameters:
  ///   - disk: The size of the disk in bytes.
  ///   - peers: The number of other nodes that 9 keeps a bitmap for; 8.4 has one.
  /// - Throws: ``Failure`` with code `invalid` when nothing would be left for data, or the disk is over 1 PiB.
  public init(disk: UInt64, peers: UInt64 = 1) throws {
    guard disk <= Self.diskLimit else {
      throw Failure(
        .invalid, "disk of \(disk) bytes", "is larger than DRBD takes (\(Self.diskLimit) bytes, 1 PiB)")
    }
    guard (1...31).contains(peers) else {
      throw Failure(.invalid, "metadata for \(peers) peers", "cannot be made, 1 to 31 are allowed")
    }
    bytes = Self.bytes(for: disk, peers: peers)
    let end = disk / Self.alignment * Self.alignment
    guard disk >= Self.leastDevice, bytes < end else {
      throw Failure(
        .invalid, "disk of \(disk) bytes", "is too small: DRBD takes none under \(Self.leastDevice) bytes",
        remedy: "use a disk of at least 1 MiB")
    }
    usable = end - bytes
  }

  /// The bytes that a device for metadata alone must have beside a disk of so many bytes.
  ///
  /// All of that disk is usable then. Of a larger one the kernel would use, without a word, only as much as the bitmap
  /// has bits for.
  static func onDeviceOfItsOwn(disk: UInt64) -> UInt64 { max(leastDevice, bytes(for: disk, peers: 1)) }

  /// The bytes of a disk that are used with its metadata in so many bytes elsewhere: as many as its bitmap has bits for.
  ///
  /// Source: drbd_int.h and drbd_nl.c of Linux 6.1, drbd_get_max_capacity(): behind superblock and activity log each
  /// sector is 4096 bits.
  static func usable(disk: UInt64, besides metadata: UInt64) -> UInt64 {
    let sectors = metadata / 512
    let first = (superblock + activityLog) / 512
    guard sectors > first else { return 0 }
    let (bytes, overflow) = (sectors - first).multipliedReportingOverflow(by: 4096 * block)
    return overflow ? disk : min(disk, bytes)
  }

  private static func bytes(for disk: UInt64, peers: UInt64) -> UInt64 {
    let bits = aligned((disk + block - 1) / block, to: 64)
    return superblock + activityLog + aligned(bits / 8 * peers, to: block)
  }

  private static func aligned(_ number: UInt64, to step: UInt64) -> UInt64 {
    (number + step - 1) / step * step
  }
}
