/// A place where tgtd listens (`struct iscsi_portal` of usr/iscsi/iscsid.h).
struct Portal: Equatable {
  /// `ISCSI_LISTEN_PORT`.
  static let standardPort: Int32 = 3260

  /// As inet_ntop(3) writes it.
  var address: String
  var port: Int32

  var isIPv6: Bool { address.contains(":") }
  var isWildcard: Bool { address == "0.0.0.0" || address == "::" }

  /// Whether both cannot be listened at.
  func collides(with other: Portal) -> Bool {
    port == other.port && isIPv6 == other.isIPv6
      && (address == other.address || isWildcard || other.isWildcard)
  }
}

extension Daemon {
  mutating func portal(_ request: TgtadmRequest) throws -> String {
    switch request.operation {
    case .show:
      return portals.map { portal in
        "Portal: \(portal.isIPv6 ? "[\(portal.address)]" : portal.address):\(portal.port),1\n"
      }.joined()
    case .new, .delete:
      guard let list = CText.after("portal=", in: try text(of: request)),
        parsePortals("portal=" + list, adding: request.operation == .new)
      else { throw TgtadmError.invalidRequest }
      return ""
    default: throw TgtadmError.invalidRequest
    }
  }

  /// Adds or removes the portals of a list such as `portal=10.0.0.1:3260,portal=[::1]`; whether all went well.
  ///
  /// As `iscsi_param_parse_portals` of usr/iscsi/iscsid.c: a portal without a port takes the next `:` of the list for
  /// its own, and what stands before a portal that fails is done.
  mutating func parsePortals(_ list: String, adding: Bool) -> Bool {
    var rest = Substring(list)
    while !rest.isEmpty {
      if rest.hasPrefix("portal") {
        guard let (address, port) = Self.parsePortal(rest.dropFirst("portal=".count)) else { return false }
        if !address.isEmpty {
          guard adding ? bind(address: address, port: port) : close(address: address, port: port) else {
            return false
          }
        }
      } else if rest.hasPrefix("nop_interval") {
        nopInterval = CText.integer(rest.dropFirst("nop_interval=".count))
      } else if rest.hasPrefix("nop_count") {
        nopCount = CText.integer(rest.dropFirst("nop_count=".count))
      }
      rest = rest.drop { $0 != "," }.dropFirst()
    }
    return true
  }

  private static func parsePortal(_ text: Substring) -> (address: String, port: Int32)? {
    var address: Substring
    var colon: Substring.Index?
    if text.hasPrefix("[") {
      guard let end = text.firstIndex(of: "]") else { return nil }
      address = text[text.index(after: text.startIndex)..<end]
      let behind = text.index(after: end)
      colon = behind < text.endIndex && text[behind] == ":" ? behind : nil
    } else {
      colon = text.firstIndex(of: ":")
      address = text[..<(colon ?? text.firstIndex(of: ",") ?? text.endIndex)]
    }
    let port = colon.map { CText.integer(text[text.index(after: $0)...]) } ?? Portal.standardPort
    return (String(address), port)
  }

  /// Listens at an address, or at all; whether it can.
  @discardableResult
  mutating func bind(address: String?, port: Int32) -> Bool {
    guard (0...65535).contains(port) else { return false }
    let found: [String]
    switch address {
    case nil: found = ["0.0.0.0", "::"]
    case "localhost": found = ["::1", "127.0.0.1"]
    case let text?:
      guard let literal = IPBytes(text) else { return false }
      found = [literal.text]
    }
    var isBound = false
    for address in found {
      var portal = Portal(address: address, port: port)
      if port == 0 {
        let used = Set(portals.map(\.port))
        portal.port = (32768...60999).first { !used.contains($0) } ?? 32768
      }
      let isOwn = portal.isWildcard || environment.addresses?.contains(address) != false
      guard isOwn, !portals.contains(where: portal.collides) else { continue }
      portals.insert(portal, at: 0)
      isBound = true
    }
    return isBound
  }

  private mutating func close(address: String, port: Int32) -> Bool {
    guard let place = portals.firstIndex(of: Portal(address: address, port: port)) else { return false }
    portals.remove(at: place)
    return true
  }
}
