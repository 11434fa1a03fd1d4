/// What initiators see of a logical unit's identity, and make device names and multipath maps of.
///
/// What is nil is not known.
public struct InitiatorView: Sendable, Hashable {
  /// The vendor in standard INQUIRY data, without the blanks behind it.
  public var vendor: String?
  /// The product in standard INQUIRY data, without the blanks behind it.
  public var product: String?
  /// The revision in standard INQUIRY data, without the blanks behind it.
  public var revision: String?
  /// The serial number in VPD page 0x80.
  public var serial: String?
  /// What udev and multipath call the disk: the type and the value of the best designator in VPD page 0x83, as
  /// `scsi_id` prints it (src/udev/scsi_id/scsi_serial.c of systemd): `3` and a NAA, `2` and an EUI-64, `1` and a
  /// T10 vendor identification.
  public var wwid: String?
  /// Whether a write is taken that is to be durable by itself (FUA, SBC-3 section 5.40).
  ///
  /// Nil when a device below decides. An initiator that was told so once goes on sending them, as long as it knows the
  /// disk.
  public var takesFUA: Bool?

  /// A view of which nothing is known.
  public init() {}

  /// What differs where both are known, by its name, with both values.
  public func differences(from other: InitiatorView) -> [(name: String, mine: String, theirs: String)] {
    let parts: [(String, KeyPath<InitiatorView, String?>)] = [
      ("WWID", \.wwid), ("serial", \.serial), ("vendor", \.vendor), ("product", \.product),
      ("revision", \.revision),
    ]
    return parts.compactMap { name, part in
      guard let mine = self[keyPath: part], let theirs = other[keyPath: part], mine != theirs else {
        return nil
      }
      return (name, mine, theirs)
    }
  }
}

extension InitiatorView {
  /// A byte as two hexadecimal digits, as `scsi_id` prints binary designators.
  public static func digits(of bytes: some Sequence<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// The digits of a NAA identifier of 16 bytes, IEEE registered extended (SPC-4 section 7.8.6.6.5); nil for another.
  public var extendedNAA: Substring? {
    guard let wwid, wwid.hasPrefix("36"), wwid.utf8.count == 33 else { return nil }
    return wwid.dropFirst()
  }
}
