import Glibc

/// An IPv4 or IPv6 address, an IPv6 one with the zone of a link-local address where it has one.
public struct IPAddress: Sendable, Hashable, CustomStringConvertible {
  /// The bytes in network order: 4 or 16.
  public let bytes: [UInt8]
  /// The zone (interface) of a link-local IPv6 address.
  public let zone: String?

  /// Parses an address in its usual notation, IPv6 without brackets.
  ///
  /// Nil for anything that inet_pton(3) does not take; host names are not addresses.
  public init?(_ text: String) {
    // inet_pton(3) would stop at a NUL and take what is before it.
    guard !text.utf8.contains(0) else { return nil }
    let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    let zone = parts.count == 2 ? String(parts[1]) : nil
    if let zone {
      let plain = zone.utf8.allSatisfy { isalnum(Int32($0)) != 0 || "-_.".utf8.contains($0) }
      guard plain, !zone.isEmpty, zone.utf8.count <= 15, parts[0].contains(":") else { return nil }
    }
    var buffer = [UInt8](repeating: 0, count: 16)
    let address = String(parts[0])
    if zone == nil, inet_pton(AF_INET, address, &buffer) == 1 {
      bytes = Array(buffer.prefix(4))
    } else if inet_pton(AF_INET6, address, &buffer) == 1 {
      bytes = buffer
    } else {
      return nil
    }
    self.zone = zone
  }

  package init(bytes: [UInt8]) {
    self.bytes = bytes
    zone = nil
  }

  /// Whether it is an IPv6 address.
  public var isIPv6: Bool { bytes.count == 16 }

  /// Whether it stands for every address of the host: `0.0.0.0` or `::`.
  public var isUnspecified: Bool { bytes.allSatisfy { $0 == 0 } }

  /// The shortest usual notation, IPv6 without brackets (RFC 5952).
  public var description: String {
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    inet_ntop(isIPv6 ? AF_INET6 : AF_INET, bytes, &text, socklen_t(text.count))
    let address = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return zone.map { address + "%" + $0 } ?? address
  }
}
