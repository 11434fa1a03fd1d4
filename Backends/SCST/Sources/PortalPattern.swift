import HostInterface
import TargetCore

/// A pattern of `allowed_portal`: what addresses of this machine a target is reached at.
///
/// iscsi-scstd compares it as text with `*`, `?` and `!`; a port cannot be said.
enum PortalPattern: Hashable {
  /// Every address.
  case any
  /// Every IPv4 address.
  case anyIPv4
  /// Every IPv6 address.
  case anyIPv6
  case address(IPAddress)
  /// No address at all. SCST has no word for that, and without a pattern a target is open everywhere.
  case none

  /// A pattern as it is found; nil for one that the model has no portal for.
  init?(asFound text: String) {
    switch text {
    case "*": self = .any
    case "*.*": self = .anyIPv4
    case "*:*": self = .anyIPv6
    case "none": self = .none
    default:
      guard let address = IPAddress(text) else { return nil }
      self = .address(address)
    }
  }

  /// The pattern of a portal.
  init(_ portal: Portal) {
    let address = portal.address
    if address.isUnspecified {
      self = address.isIPv6 ? .anyIPv6 : .anyIPv4
    } else {
      self = .address(address)
    }
  }

  var text: String {
    switch self {
    case .any: "*"
    case .anyIPv4: "*.*"
    case .anyIPv6: "*:*"
    case .address(let address): "\(address)"
    case .none: "none"
    }
  }

  func portals(port: UInt16) -> Set<Portal> {
    let addresses: [IPAddress?] =
      switch self {
      case .any: [IPAddress("0.0.0.0"), IPAddress("::")]
      case .anyIPv4: [IPAddress("0.0.0.0")]
      case .anyIPv6: [IPAddress("::")]
      case .address(let address): [address]
      case .none: []
      }
    return Set(addresses.compactMap { $0 }.map { Portal(address: $0, port: port) })
  }
}
