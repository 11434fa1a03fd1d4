/// What is on a block device: signatures, what LVM wrote, and which data.
public struct DiskContent: Sendable, Hashable {
  /// The signatures of file systems and the like, by their names in blkid(8); LVM's own is in ``label``.
  public var signatures: [String] = []
  /// What LVM has on it.
  var label: PhysicalLabel?
  /// A mark that tells one state of the data from another; nil when nobody has written any.
  public var data: UInt64?

  /// Whether there is something that a user would miss.
  var isPrecious: Bool { !signatures.isEmpty || label != nil || data != nil }
}

/// A disk of a node.
struct Disk: Sendable, Hashable {
  /// In bytes.
  var size: UInt64
  /// Its `major:minor`.
  var number: String
  var content = DiskContent()
  var metadata: Metadata?
  /// Whether reading and writing it fails.
  var isBroken = false

  /// The KiB that are left for data when DRBD's metadata is inside.
  ///
  /// Source: drbdmeta.c of drbd-utils 9.22, `v08`: a superblock of 4 KiB, an activity log of 32 KiB, and a bitmap of a
  /// bit for each 4 KiB in whole sectors of 4 KiB.
  var usableKiB: UInt64 {
    let blocks = (size + 4095) / 4096
    let bitmap = ((blocks + 63) / 64 * 8 + 4095) / 4096 * 4
    let whole = size / 4096 * 4
    return whole > bitmap + 36 ? whole - bitmap - 36 : 0
  }
}

/// DRBD's metadata of a copy.
///
/// Source: drbd_main.c of Linux 6.1, the generation identifiers; a value of 4 means that nobody has written yet. The
/// lowest bit, which tells that the node was primary, is ``wasPrimary`` here.
struct Metadata: Sendable, Hashable {
  static let justCreated: UInt64 = 4

  var current = Metadata.justCreated
  var bitmap: UInt64 = 0
  var history: [UInt64] = []
  var isConsistent = false
  var wasUpToDate = false
  var wasPrimary = false
  /// What the bitmap has, in KiB; nil until the first attach sets all of it.
  var outOfSync: UInt64?

  /// Begins a new generation: what is written from here on is not on the peer.
  mutating func begin(_ generation: UInt64) {
    if bitmap == 0 || current == Self.justCreated { bitmap = current }
    current = generation
  }
}

/// The state of a disk by the names that DRBD prints, in the order of its own.
enum DiskState: String, Sendable {
  case diskless = "Diskless"
  case failed = "Failed"
  case inconsistent = "Inconsistent"
  case outdated = "Outdated"
  case unknown = "DUnknown"
  case consistent = "Consistent"
  case upToDate = "UpToDate"
}
