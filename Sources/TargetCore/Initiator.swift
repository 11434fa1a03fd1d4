import HostInterface

/// Who may log in to a target.
public enum Initiator: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// Everyone.
  case all
  /// The initiator of this name, or where it is a pattern, every one whose name matches.
  case name(ISCSIName)
  /// Whoever comes from this address.
  case address(IPAddress)
  /// Whoever comes from this network; the bits behind the prefix are zero.
  case network(IPAddress, prefix: Int)

  /// Parses `all`, a name, a pattern of names such as `iqn.1991-05.com.microsoft:*`, an address or `ADDRESS/PREFIX`.
  ///
  /// A network is brought to its normal form: bits behind the prefix are cleared, a prefix of all bits is an
  /// address, and a prefix of 0 is everyone. Targets differ in what they make of the other spellings, up to
  /// letting nobody in.
  ///
  /// - Throws: ``Failure`` with code `invalid`.
  public init(_ text: String) throws {
    func refuse(_ why: String) -> Failure {
      Failure(
        .invalid, "initiator \(ISCSIName.printable(text))", why,
        remedy: "give an initiator's name, an address, a network like 192.168.0.0/24, or all")
    }
    if text.asciiLowercased == "all" {
      self = .all
      return
    }
    if ["iqn.", "eui.", "naa."].contains(where: text.asciiLowercased.hasPrefix) {
      let isPattern = text.utf8.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") }
      self = .name(try isPattern ? ISCSIName(pattern: text) : ISCSIName(text))
      return
    }
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    var host = parts.first ?? ""
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    guard let address = IPAddress(String(host)) else { throw refuse("is no name, address or network") }
    guard parts.count == 2 else {
      self = .address(address)
      return
    }
    let bits = address.bytes.count * 8
    guard let prefix = Int(decimal: parts[1]), (0...bits).contains(prefix) else {
      throw refuse("has no valid prefix, 0 to \(bits) are allowed")
    }
    switch prefix {
    case 0: self = .all
    case bits: self = .address(address)
    default: self = .network(Self.masked(address, prefix: prefix), prefix: prefix)
    }
  }

  /// The notation that ``init(_:)`` reads.
  public var description: String {
    switch self {
    case .all: "all"
    case .name(let name): name.description
    case .address(let address): address.description
    case .network(let address, let prefix): "\(address)/\(prefix)"
    }
  }

  /// Orders by the text.
  public static func < (left: Initiator, right: Initiator) -> Bool { left.description < right.description }

  private static func masked(_ address: IPAddress, prefix: Int) -> IPAddress {
    let bytes = address.bytes.enumerated().map { index, byte in
      let kept = min(max(prefix - index * 8, 0), 8)
      return byte & UInt8(truncatingIfNeeded: 0xff00 >> kept)
    }
    return IPAddress(bytes: bytes)
  }
}
