import HostInterface

/// What a logical unit stores its blocks on.
public enum Backing: Sendable, Hashable, CustomStringConvertible {
  /// A file or block device, by its absolute path.
  case path(String)
  /// Nothing, such as a drive without a medium.
  case none
  /// Something that was not asked for, in a state that was read without the settings of logical units.
  case unread

  /// Checks a path.
  ///
  /// - Throws: ``Failure`` with code `invalid` when it is not absolute or has a control character.
  public init(path: String) throws {
    let name = "backing path \(ISCSIName.printable(path))"
    guard path.hasPrefix("/") else {
      throw Failure(.invalid, name, "is not absolute", remedy: "begin it with a slash")
    }
    guard path.utf8.count < 1024 else {
      throw Failure(.invalid, name, "is too long (\(path.utf8.count) bytes), at most 1023 are allowed")
    }
    guard path.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
      throw Failure(
        .invalid, name, "has a control character", remedy: "make a symbolic link to it and use that")
    }
    self = .path(path)
  }

  /// The path, or a word for what is none.
  public var description: String {
    switch self {
    case .path(let path): path
    case .none: "none"
    case .unread: "unread"
    }
  }
}

/// When a write is acknowledged.
public enum CacheMode: String, Sendable, Hashable, CaseIterable {
  /// When it is on stable storage.
  case through
  /// When it is in a cache that a power failure loses; initiators must flush.
  case back
}

/// SCSI peripheral device types that targets emulate (SPC-4 table 138).
public enum DeviceType: String, Sendable, Hashable, CaseIterable {
  case disk, cd, tape, changer, osd, passthrough, controller
}

/// A logical unit, as it is wanted or as it is found.
///
/// Wanted: nil means that it may stay what it is. Found: nil means that the implementation does not tell.
public struct LogicalUnit: Sendable, Hashable {
  /// Its number in the target.
  public var lun: LUN
  /// What it stores its blocks on.
  public var backing: Backing
  /// The implementation's own name for the way it reaches the backing, such as tgt's `rdwr` or SCST's `vdisk_fileio`.
  public var store: String?
  /// What kind of device it is.
  public var deviceType: DeviceType?
  /// The capacity in bytes, where the implementation tells it exactly.
  public var size: UInt64?
  /// The capacity as the implementation prints it, where that is not exact.
  public var printedSize: String?
  /// The size of a logical block in bytes.
  public var blockSize: UInt32?
  /// Whether writes are refused.
  public var readOnly: Bool?
  /// When writes are acknowledged.
  public var cache: CacheMode?
  /// Whether unmapped blocks are given back.
  public var thin: Bool?
  /// Whether the medium can be removed.
  public var removable: Bool?
  /// Whether a medium is there.
  public var online: Bool?
  /// The identity in VPD page 0x83.
  public var scsiID: String?
  /// The serial number in VPD page 0x80.
  public var serial: String?
  /// The vendor in standard INQUIRY data, 8 bytes.
  public var vendor: String?
  /// The product in standard INQUIRY data, 16 bytes.
  public var product: String?
  /// The revision in standard INQUIRY data, 4 bytes.
  public var revision: String?
  /// The persistent reservation that it holds, as the implementation tells it.
  public var reservation: String?
  /// Who sees it; nil means everyone who may log in.
  public var initiators: [Initiator]?
  /// The implementation's own settings, by its own names.
  public var attributes: [String: String]

  /// A logical unit of which nothing is said but its number and backing.
  public init(lun: LUN, backing: Backing) {
    self.lun = lun
    self.backing = backing
    attributes = [:]
  }
}
