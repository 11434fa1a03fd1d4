import Glibc
import SystemPackage

/// The number of a device, as `major:minor`.
struct DeviceNumber: Sendable, Hashable, CustomStringConvertible {
  /// The driver's number.
  let major: UInt64
  /// The number within the driver.
  let minor: UInt64

  /// Takes the number apart as glibc's bits/sysmacros.h does: the minor is in bits 0 to 7 and 20 to 43.
  init(_ raw: dev_t) {
    let raw = UInt64(raw)
    major = (raw >> 8) & 0xfff | (raw >> 32) & ~0xfff
    minor = raw & 0xff | (raw >> 12) & 0xffff_ff00
  }

  var description: String { "\(major):\(minor)" }

  /// The number as `major:minor` or nothing; sysfs and mountinfo write it so.
  init?(_ text: some StringProtocol) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let major = UInt64(parts[0]), let minor = UInt64(parts[1]) else { return nil }
    self.major = major
    self.minor = minor
  }
}
