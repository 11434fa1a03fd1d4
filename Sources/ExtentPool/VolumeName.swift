import HostInterface

/// The name of a volume: letters, digits and `+ _ . -`, at most 127 bytes, as LVM has it (lvm(8), "VALID NAMES").
package struct VolumeName: Hashable, Sendable, CustomStringConvertible {
  /// The name as text.
  package let description: String

  /// Checks a name.
  ///
  /// - Throws: ``Failure`` with what is wrong with it.
  package init(_ text: String) throws {
    let isValid = text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "_"), UInt8(ascii: "."),
        UInt8(ascii: "-"):
        true
      default: false
      }
    }
    guard isValid, !text.isEmpty, !text.hasPrefix("-"), text != ".", text != ".." else {
      throw Failure(
        .invalid, "volume name", "only letters, digits, +, _, . and - are allowed, and no - at the beginning")
    }
    guard text.utf8.count <= 127 else {
      throw Failure(.invalid, "volume name", "\(text.utf8.count) bytes are too many, 127 are allowed")
    }
    description = text
  }
}
