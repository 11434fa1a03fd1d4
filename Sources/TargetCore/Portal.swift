import HostInterface

/// Where a target is reached: an address, a TCP port, and whether over iSER (RFC 7145).
public struct Portal: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The port that IANA gave to iSCSI targets.
  public static let standardPort: UInt16 = 3260

  /// The address.
  public var address: IPAddress
  /// The TCP port, not 0.
  public var port: UInt16
  /// Whether iSER is spoken instead of plain TCP.
  public var iser: Bool

  /// A portal of its parts.
  public init(address: IPAddress, port: UInt16 = Portal.standardPort, iser: Bool = false) {
    self.address = address
    self.port = port
    self.iser = iser
  }

  /// Parses `192.168.0.1`, `192.168.0.1:3260`, `[fe80::1]:3260`, each with `,iser` behind it where wanted.
  ///
  /// - Throws: ``Failure`` with code `invalid`.
  public init(_ text: String) throws {
    func refuse(_ why: String) -> Failure {
      Failure(
        .invalid, "portal \(ISCSIName.printable(text))", why,
        remedy: "write it like 192.168.0.1:3260 or [fe80::1]:3260")
    }
    var rest = Substring(text)
    let iser = rest.hasSuffix(",iser")
    if iser { rest = rest.dropLast(5) }
    var port = Substring(String(Self.standardPort))
    let host: Substring
    if rest.hasPrefix("[") {
      guard let close = rest.firstIndex(of: "]") else { throw refuse("has no closing bracket") }
      host = rest[rest.index(after: rest.startIndex)..<close]
      guard host.contains(":") else { throw refuse("has brackets around what is no IPv6 address") }
      rest = rest[rest.index(after: close)...]
      if !rest.isEmpty {
        guard rest.hasPrefix(":") else { throw refuse("has something other than a port behind its bracket") }
        port = rest.dropFirst()
      }
    } else {
      let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
      guard parts.count <= 2 else { throw refuse("is an IPv6 address without brackets") }
      host = parts[0]
      if parts.count == 2 { port = parts[1] }
    }
    guard let address = IPAddress(String(host)) else { throw refuse("has no valid IP address") }
    guard let number = UInt16(port), number > 0, !port.hasPrefix("+") else {
      throw refuse("has no valid port, 1 to 65535 are allowed")
    }
    self.init(address: address, port: number, iser: iser)
  }

  /// The notation that ``init(_:)`` reads.
  public var description: String {
    (address.isIPv6 ? "[\(address)]" : "\(address)") + ":\(port)" + (iser ? ",iser" : "")
  }

  /// Orders by address, then by zone, port and transport.
  public static func < (left: Portal, right: Portal) -> Bool {
    let (leftKey, rightKey) = (left.address.bytes, right.address.bytes)
    if leftKey != rightKey {
      return leftKey.count != rightKey.count
        ? leftKey.count < rightKey.count : leftKey.lexicographicallyPrecedes(rightKey)
    }
    return (left.address.zone ?? "", left.port, left.iser ? 1 : 0)
      < (right.address.zone ?? "", right.port, right.iser ? 1 : 0)
  }
}
