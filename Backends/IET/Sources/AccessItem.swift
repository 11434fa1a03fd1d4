import HostInterface
import TargetCore

/// One item of a line of an access file.
enum AccessItem {
  /// What the items of a line mean, and those that cannot be handled.
  ///
  /// An opening bracket that is not closed ends the list to ietd.
  static func initiators(_ items: [String]) -> (Set<Initiator>, unknown: [String]) {
    var known: Set<Initiator> = []
    var unknown: [String] = []
    for item in items {
      if item.hasPrefix("["), !item.contains("]") {
        unknown.append(item)
        break
      }
      if let initiator = initiator(item) { known.insert(initiator) } else { unknown.append(item) }
    }
    return (known, unknown)
  }

  /// What an item means: `ALL`, an address, a network, or a basic regular expression for the initiator's whole name;
  /// nil for a network that matches nobody, and for what has no place in the model.
  private static func initiator(_ item: String) -> Initiator? {
    if item == "ALL" { return .all }
    let (host, bits) = parts(item)
    if let host { return address(host, bits) }
    let literal = item.replacing("\\.", with: ".")
    return ISCSIName(asFound: isPlain(literal) ? literal : item).map { .name($0) }
  }

  /// What an item of targets.allow means: the address at which a target is reached.
  static func portal(_ item: String, port: UInt16) -> Portal? {
    if item == "ALL" { return everywhere(port) }
    let (host, bits) = parts(item)
    guard let host, bits == nil else { return nil }
    return Portal(address: host, port: port)
  }

  /// The portal that stands for every address at which ietd listens.
  static func everywhere(_ port: UInt16) -> Portal? {
    IPAddress("0.0.0.0").map { Portal(address: $0, port: port) }
  }

  /// The address of `ADDRESS`, `[ADDRESS]` or either with `/BITS`, and the bits.
  private static func parts(_ item: String) -> (IPAddress?, bits: Substring?) {
    var text = Substring(item)
    if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
      text = text.dropFirst().prefix(upTo: end) + text[end...].dropFirst()
    }
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    return (parts.first.flatMap { IPAddress(String($0)) }, parts.count == 2 ? parts[1] : nil)
  }

  /// An address or a network; nil for a network that matches nobody: IPv4 with bits behind the prefix, or with a
  /// prefix of 0 or 32.
  private static func address(_ host: IPAddress, _ bits: Substring?) -> Initiator? {
    guard let bits else { return .address(host) }
    guard let bits = Int(bits), bits >= 0, let network = try? Initiator("\(host)/\(bits)") else { return nil }
    if host.isIPv6 { return bits < 128 ? network : nil }
    return (1...31).contains(bits) && network == .network(host, prefix: bits) ? network : nil
  }

  /// How an initiator is written.
  ///
  /// A name is a regular expression to ietd, in which a dot stands for any character; so its dots are quoted.
  static func text(_ initiator: Initiator) -> String {
    switch initiator {
    case .all: "ALL"
    case .name(let name):
      isPlain(name.description) ? name.description.replacing(".", with: "\\.") : name.description
    case .address(let address): address.isIPv6 ? "[\(address)]" : "\(address)"
    case .network(let address, let prefix): address.isIPv6 ? "[\(address)]/\(prefix)" : "\(address)/\(prefix)"
    }
  }

  static func text(_ portal: Portal) -> String {
    portal.address.isUnspecified ? "ALL" : text(.address(portal.address))
  }

  /// Whether a text is a name in which nothing but the dots means something in a regular expression.
  private static func isPlain(_ text: String) -> Bool {
    text.utf8.allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
      default: "-.:".utf8.contains(byte)
      }
    }
  }

  /// A whole line for a target.
  ///
  /// The line of a target that lets nobody in has a comma: an empty list. It cannot be met by an initiator that gives
  /// itself a fitting name, as a word for nobody could.
  static func line(_ target: TargetName, _ items: [String]) -> String {
    "\(target) " + (items.isEmpty ? "," : items.joined(separator: ","))
  }
}
