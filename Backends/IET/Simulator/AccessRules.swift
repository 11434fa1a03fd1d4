import Glibc

/// The address of one end of a connection.
struct PeerAddress: Sendable, Hashable {
  /// 4 or 16 bytes in network order.
  var bytes: [UInt8]

  /// A numeric address as getaddrinfo(3) with AI_NUMERICHOST takes it, without a zone.
  init?(_ text: String) {
    var four = in_addr()
    if inet_aton(text, &four) != 0 {
      bytes = withUnsafeBytes(of: &four) { Array($0) }
      return
    }
    var sixteen = in6_addr()
    guard inet_pton(AF_INET6, text, &sixteen) == 1 else { return nil }
    bytes = withUnsafeBytes(of: &sixteen) { Array($0) }
  }

  var isIPv6: Bool { bytes.count == 16 }
  var isLoopback: Bool { isIPv6 ? bytes == [UInt8](repeating: 0, count: 15) + [1] : bytes.first == 127 }

  /// As the kernel prints it in /proc/net/iet/session.
  var kernelText: String {
    guard isIPv6 else { return bytes.map(String.init).joined(separator: ".") }
    let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
    let groups = stride(from: 0, to: 16, by: 2).map { digits[$0] + digits[$0 + 1] }
    return "[" + groups.joined(separator: ":") + "]"
  }
}

/// What ietd makes of an access file (usr/plain.c, `match` and `__match`).
enum AccessRules {
  enum Outcome { case matched, unmatched, noFile }

  /// Whether a file lets an initiator from an address in to a target.
  ///
  /// - Parameters:
  ///   - text: The file; nil where there is none.
  ///   - isTarget: Whether a name is that of the target, as ietd looks names up.
  ///   - initiator: The initiator's name; nil for targets.allow, in which only addresses count.
  static func outcome(
    _ text: [UInt8]?, isTarget: (String) -> Bool, initiator: String?, address: PeerAddress
  ) -> Outcome {
    guard let text else { return .noFile }
    for line in chunks(text) {
      guard let (word, rest) = word(line), word.first != UInt8(ascii: "#") else { continue }
      let name = String(decoding: word, as: UTF8.self)
      guard name == "ALL" || isTarget(name) else { continue }
      return items(rest, match: initiator, address) ? .matched : .unmatched
    }
    return .unmatched
  }

  /// What fgets(3) brings with 4096 bytes, as far as it ends in a newline.
  private static func chunks(_ text: [UInt8]) -> [ArraySlice<UInt8>] {
    var chunks: [ArraySlice<UInt8>] = []
    var rest = text[...]
    while !rest.isEmpty {
      let part = rest.prefix(4095)
      let end = part.firstIndex(of: UInt8(ascii: "\n"))
      if let end, !rest[..<end].contains(0) { chunks.append(rest[..<end]) }
      rest = end.map { rest[$0...].dropFirst() } ?? rest.dropFirst(part.count)
    }
    return chunks
  }

  static func isBlank(_ byte: UInt8) -> Bool { isspace(Int32(byte)) != 0 }

  /// The first word, and what is behind the blank after it; nil where no blank is.
  static func word(_ line: ArraySlice<UInt8>) -> (ArraySlice<UInt8>, ArraySlice<UInt8>)? {
    let begin = line.drop(while: isBlank)
    guard let end = begin.firstIndex(where: isBlank) else { return nil }
    return (begin[..<end], begin[end...].dropFirst())
  }

  private static func items(_ text: ArraySlice<UInt8>, match initiator: String?, _ address: PeerAddress)
    -> Bool
  {
    for item in text.split(separator: UInt8(ascii: ",")) {
      var bytes = item.drop(while: isBlank)
      while let last = bytes.last, isBlank(last) { bytes.removeLast() }
      guard !bytes.isEmpty else { continue }
      let text = String(decoding: bytes, as: UTF8.self)
      if text == "ALL" { return true }
      if let initiator, matches(initiator, text) { return true }
      var rest = Substring(text)
      var tail = rest
      if rest.hasPrefix("[") {
        guard let end = rest.firstIndex(of: "]") else { return false }
        tail = rest[end...].dropFirst()
        rest = rest[..<end].dropFirst()
      }
      let bits = tail.firstIndex(of: "/").map { String(tail[$0...].dropFirst()) }
      let host = rest.prefix { $0 != "/" }
      guard let known = PeerAddress(String(host)) else { continue }
      if let bits {
        if isInNetwork(address, known, bits) { return true }
      } else if address == known {
        return true
      }
    }
    return false
  }

  /// Whether a basic regular expression fits the whole name.
  private static func matches(_ name: String, _ pattern: String) -> Bool {
    var expression = regex_t()
    guard regcomp(&expression, "^\(pattern)$", REG_NOSUB) == 0 else { return false }
    defer { regfree(&expression) }
    return regexec(&expression, name, 0, nil, 0) == 0
  }

  private static func isInNetwork(_ address: PeerAddress, _ network: PeerAddress, _ text: String) -> Bool {
    let bits = Int(UInt32(truncatingIfNeeded: strtoul(text, nil, 0)))
    guard bits < network.bytes.count * 8, address.isIPv6 == network.isIPv6 else { return false }
    func masked(_ bytes: [UInt8]) -> [UInt8] {
      bytes.enumerated().map { index, byte in
        byte & UInt8(truncatingIfNeeded: 0xff00 >> min(max(bits - index * 8, 0), 8))
      }
    }
    guard !network.isIPv6 else { return masked(address.bytes) == masked(network.bytes) }
    // A shift by 32 bits is one by none: the whole address is compared then.
    if bits == 0 { return address == network }
    return masked(network.bytes) == network.bytes && masked(address.bytes) == network.bytes
  }
}
