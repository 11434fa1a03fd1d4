import HostInterface

/// The name of a DRBD resource, such as `vg1`.
///
/// 1 to 64 letters, digits, `_`, `.`, `+` and `-`, the first a letter, a digit or `_`. DRBD itself takes more; these
/// are what can stand unquoted in its files, in a path and in an argument. `all` means every resource to drbdadm(8).
public struct ResourceName: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The name.
  public let description: String

  /// Checks a name.
  ///
  /// - Throws: ``Failure`` with code `invalid` that says which rule is broken.
  public init(_ text: String) throws {
    description = try checkedWord(text, "resource name", limit: 64, taken: ["all"])
  }

  /// Orders by the text.
  public static func < (left: ResourceName, right: ResourceName) -> Bool {
    left.description < right.description
  }
}

/// The name of a node as `uname -n` says it, by which drbdadm(8) finds itself in a resource's file.
public struct NodeName: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The name.
  public let description: String

  /// Checks a name: 1 to 64 letters, digits, `_`, `.`, `+` and `-`.
  ///
  /// - Throws: ``Failure`` with code `invalid`.
  public init(_ text: String) throws {
    description = try checkedWord(text, "node name", limit: 64)
  }

  /// Orders by the text.
  public static func < (left: NodeName, right: NodeName) -> Bool { left.description < right.description }
}

/// The name of an LVM volume group.
///
/// lvm(8), VALID NAMES: `a-z A-Z 0-9 + _ . -`, not beginning with a hyphen, and 127 bytes at most.
public struct PoolName: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The name.
  public let description: String

  /// Checks a name.
  ///
  /// - Throws: ``Failure`` with code `invalid`.
  public init(_ text: String) throws {
    description = try checkedWord(text, "pool name", limit: 127)
  }

  /// Orders by the text.
  public static func < (left: PoolName, right: PoolName) -> Bool { left.description < right.description }
}

/// The name of a logical volume in its volume group.
///
/// As ``PoolName``, and none of what LVM keeps for its own volumes (lvm(8), VALID NAMES).
public struct VolumeName: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The name.
  public let description: String

  /// Checks a name.
  ///
  /// - Throws: ``Failure`` with code `invalid`.
  public init(_ text: String) throws {
    description = try checkedWord(text, "volume name", limit: 127)
    let kept = Self.infixes.first(where: text.contains) ?? Self.prefixes.first(where: text.hasPrefix)
    if let kept {
      throw Failure(
        .invalid, "volume name \(text)", "has \(kept), which LVM keeps for its own volumes (lvm(8))")
    }
  }

  /// Orders by the text.
  public static func < (left: VolumeName, right: VolumeName) -> Bool { left.description < right.description }

  private static let infixes = [
    "_cdata", "_cmeta", "_corig", "_imeta", "_iorig", "_mimage", "_mlog", "_pmspare", "_rimage", "_rmeta",
    "_tdata", "_tmeta", "_vdata", "_vorigin", "_wcorig",
  ]
  private static let prefixes = ["snapshot", "pvmove"]
}

/// A volume in a pool, written `POOL/VOLUME`.
public struct VolumePath: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The volume group.
  public var pool: PoolName
  /// The logical volume in it.
  public var volume: VolumeName

  /// Puts the names together.
  public init(_ pool: PoolName, _ volume: VolumeName) {
    self.pool = pool
    self.volume = volume
  }

  /// Reads `POOL/VOLUME`.
  ///
  /// - Throws: ``Failure`` with code `invalid`.
  public init(_ text: String) throws {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2 else {
      throw Failure(
        .invalid, "volume \(shown(text))", "is not of the form POOL/VOLUME", remedy: "write it like vg1/lun1")
    }
    self.init(try PoolName(String(parts[0])), try VolumeName(String(parts[1])))
  }

  /// `POOL/VOLUME`.
  public var description: String { "\(pool)/\(volume)" }
  /// Where the block device is while the volume is active.
  public var device: String { "/dev/\(pool)/\(volume)" }

  /// Orders by pool, then volume.
  public static func < (left: VolumePath, right: VolumePath) -> Bool {
    (left.pool, left.volume) < (right.pool, right.volume)
  }
}

/// The path of a block device: absolute, of characters that stand unquoted in a file of DRBD.
public struct DevicePath: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The path.
  public let description: String

  /// Checks a path.
  ///
  /// - Throws: ``Failure`` with code `invalid`.
  public init(_ text: String) throws {
    func refuse(_ why: String) -> Failure { Failure(.invalid, "device \(shown(text))", why) }
    guard text.hasPrefix("/"), text.utf8.count > 1 else { throw refuse("is no absolute path") }
    // The scanner of drbdadm takes 128 bytes of an unquoted word (drbdadm_scanner.fl).
    guard text.utf8.count <= 128 else {
      throw refuse("is too long (\(text.utf8.count) bytes), at most 128 are allowed")
    }
    guard text.utf8.allSatisfy({ isWordByte($0) || "/:".utf8.contains($0) }) else {
      throw refuse("has a character other than letters, digits, /, _, ., :, + and -")
    }
    guard !text.split(separator: "/").contains("..") else { throw refuse("has .. in it") }
    description = text
  }

  /// Orders by the text.
  public static func < (left: DevicePath, right: DevicePath) -> Bool { left.description < right.description }
}

/// A text in quotes, with what could confuse a terminal escaped, and cut to 80 characters.
func shown(_ text: String) -> String {
  let cut = text.unicodeScalars.count > 80
  return String(String.UnicodeScalarView(text.unicodeScalars.prefix(80))).debugDescription
    + (cut ? "..." : "")
}

private func checkedWord(_ text: String, _ what: String, limit: Int, taken: Set<String> = []) throws -> String
{
  func refuse(_ why: String) -> Failure { Failure(.invalid, "\(what) \(shown(text))", why) }
  guard !text.isEmpty else { throw refuse("is empty") }
  guard text.utf8.count <= limit else {
    throw refuse("is too long (\(text.utf8.count) bytes), at most \(limit) are allowed")
  }
  guard text.utf8.allSatisfy(isWordByte) else {
    throw refuse("has a character other than letters, digits, _, ., + and -")
  }
  guard !"-.+".contains(text.prefix(1)) else { throw refuse("does not begin with a letter, a digit or _") }
  guard !taken.contains(text) else { throw refuse("means something else to the tools") }
  return text
}

private func isWordByte(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"):
    true
  default: "_.+-".utf8.contains(byte)
  }
}
