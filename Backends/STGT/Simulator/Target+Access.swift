import Glibc

extension Daemon {
  mutating func changeAccess(_ request: TgtadmRequest, adding: Bool) throws {
    guard let text = request.text else {
      return try changeBinding(of: request.hostNumber, tid: request.tid, adding: adding)
    }
    var isRule = false
    // Each runs to the end of the text, whatever follows it (usr/mgmt.c, target_mgmt).
    if let address = CText.after("initiator-address=", in: text) {
      try change(\.addresses, of: request.tid, address, adding: adding)
      isRule = true
    }
    if let name = CText.after("initiator-name=", in: text) {
      try change(\.names, of: request.tid, name, adding: adding)
      isRule = true
    }
    guard isRule else { throw TgtadmError.invalidRequest }
  }

  private mutating func change(
    _ list: WritableKeyPath<Target, [String]>, of tid: Int32, _ rule: String, adding: Bool
  ) throws {
    let index = try index(of: tid)
    let place = targets[index][keyPath: list].firstIndex(of: rule)
    if adding {
      guard place == nil else { throw TgtadmError.ruleExists }
      targets[index][keyPath: list].append(rule)
    } else {
      guard let place else { throw TgtadmError.noRule }
      targets[index][keyPath: list].remove(at: place)
    }
  }

  private mutating func changeBinding(of host: UInt32, tid: Int32, adding: Bool) throws {
    let place = boundHosts.firstIndex { $0.number == host }
    if adding {
      _ = try index(of: tid)
      guard place == nil else { throw TgtadmError.bindingExists }
      boundHosts.append((host, tid))
    } else {
      guard let place else { throw TgtadmError.noBinding }
      let target = targets.first { $0.tid == boundHosts[place].tid }
      guard target?.sessions.isEmpty != false else { throw TgtadmError.targetActive }
      boundHosts.remove(at: place)
    }
  }
}

extension Target {
  /// Whether an initiator may log in: one rule about its address or its name is enough (usr/iscsi/iscsid.c).
  func lets(in initiator: String, at address: String) -> Bool {
    addresses.contains { Self.rule($0, matches: address) } || names.contains(initiator)
  }

  /// Whether an address is in a rule such as `ALL`, `10.0.0.1`, `10.0.0.0/24` or `[fe80::]/10`.
  ///
  /// As in usr/iscsi/target.c, the widest mask that counts is one bit short of a whole address, and a network whose
  /// own address has bits behind the mask matches nobody.
  private static func rule(_ rule: String, matches address: String) -> Bool {
    if rule == "ALL" { return true }
    var text = Substring(rule)
    if text.hasPrefix("[") {
      text.removeFirst()
      guard let end = text.firstIndex(of: "]") else { return false }
      text.remove(at: end)
    }
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let own = parts.first.flatMap({ IPBytes(String($0)) }), let from = IPBytes(address),
      own.bytes.count == from.bytes.count
    else { return false }
    guard parts.count == 2 else { return own == from }
    let bits = Int(clamping: CText.number(parts[1])?.value ?? 0)
    guard bits < own.bytes.count * 8 else { return false }
    if own.bytes.count == 4, bits == 0 { return own == from }  // x86 shifts by 32 as by 0
    if own.bytes.count == 4, own.masked(0..<bits) != own.bytes { return false }
    return own.masked(0..<bits) == from.masked(0..<bits)
  }
}

/// The bytes of an address.
struct IPBytes: Equatable {
  let bytes: [UInt8]

  /// Reads a literal address, IPv4 or IPv6 without brackets.
  init?(_ text: String) {
    var four = in_addr()
    var six = in6_addr()
    if inet_pton(AF_INET, text, &four) == 1 {
      bytes = withUnsafeBytes(of: four) { Array($0) }
    } else if inet_pton(AF_INET6, text, &six) == 1 {
      bytes = withUnsafeBytes(of: six) { Array($0) }
    } else {
      return nil
    }
  }

  /// The address with all bits but these cleared.
  func masked(_ range: Range<Int>) -> [UInt8] {
    bytes.enumerated().map { index, byte in
      let kept = max(0, min(8, range.upperBound - index * 8))
      return byte & UInt8(truncatingIfNeeded: 0xff00 >> kept)
    }
  }

  /// The text that inet_ntop(3) makes.
  var text: String {
    var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    let family = bytes.count == 4 ? AF_INET : AF_INET6
    guard inet_ntop(family, bytes, &buffer, socklen_t(buffer.count)) != nil else { return "" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
