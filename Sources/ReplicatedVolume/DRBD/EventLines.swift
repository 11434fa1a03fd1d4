import HostInterface

/// Reads what `drbdsetup events2 --now --statistics` prints; 8.4 and 9 print the same lines.
///
/// Source: drbdsetup(8), events2; drbdsetup.c, print_event(). Sizes are in KiB. 9 adds kinds and fields, which are
/// passed over.
enum EventLines {
  /// The resources of a listing.
  ///
  /// - Throws: ``Failure`` with code `garbled` for a line that is not understood.
  static func parse(_ text: String) throws -> [ResourceStatus] {
    var found: [ResourceStatus] = []
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count >= 2, words[0] == "exists", words[1] != "-" else { continue }
      try add(EventFields(kind: words[1], words: words.dropFirst(2), line: line), to: &found)
    }
    return found
  }

  private static func add(_ fields: EventFields, to found: inout [ResourceStatus]) throws {
    if fields.kind == "resource" {
      var status = ResourceStatus(
        name: try ResourceName(fields.text("name")), role: try fields.state("role"))
      let suspended = fields["suspended"] ?? "no"
      if suspended != "no" { status.suspended = suspended }
      return found.append(status)
    }
    guard ["device", "connection", "peer-device"].contains(fields.kind) else { return }
    let name = try fields.text("name")
    guard let index = found.firstIndex(where: { $0.name.description == name }) else {
      throw fields.garbled("is of a resource that was not named before")
    }
    if fields.kind == "device" {
      let size = fields["size"] == nil ? nil : try fields.number("size").bytesOfKiB
      found[index].volumes.append(
        ResourceStatus.Volume(
          number: try fields.number16("volume"), minor: try fields.number32("minor"),
          disk: try fields.state("disk"), size: size == 0 ? nil : size))
      return
    }
    let node = try fields.number32("peer-node-id")
    if fields.kind == "connection" {
      found[index].peers.append(
        ResourceStatus.Peer(
          name: fields["conn-name"] ?? "", node: node, connection: try fields.state("connection"),
          role: try fields.state("role"), volumes: []))
      return
    }
    guard let peer = found[index].peers.firstIndex(where: { $0.node == node }) else {
      throw fields.garbled("is of a connection that was not named before")
    }
    found[index].peers[peer].volumes.append(try peerVolume(fields))
  }

  private static func peerVolume(_ fields: EventFields) throws -> ResourceStatus.PeerVolume {
    let paused = fields["resync-suspended"] ?? "no"
    var volume = ResourceStatus.PeerVolume(
      number: try fields.number16("volume"), replication: try fields.state("replication"),
      disk: try fields.state("peer-disk"), outOfSync: try fields.number("out-of-sync").bytesOfKiB,
      paused: paused == "no" ? nil : paused, received: try fields.number("received").bytesOfKiB,
      sent: try fields.number("sent").bytesOfKiB)
    // Only 9 tells it here.
    if let done = fields["done"].flatMap(Double.init), (0...100).contains(done) {
      volume.progress = ResourceStatus.Progress(fraction: done / 100)
    }
    return volume
  }
}

/// The `KEY:VALUE` words of one line.
private struct EventFields {
  let kind: Substring
  let line: Substring
  private let values: [Substring: String]

  init(kind: Substring, words: ArraySlice<Substring>, line: Substring) {
    self.kind = kind
    self.line = line
    let pairs = words.compactMap { word -> (Substring, String)? in
      guard let colon = word.firstIndex(of: ":") else { return nil }
      return (word[..<colon], String(word[word.index(after: colon)...]))
    }
    values = Dictionary(pairs, uniquingKeysWith: { first, _ in first })
  }

  subscript(key: Substring) -> String? { values[key] }

  func garbled(_ what: String) -> Failure {
    Failure(.garbled, "drbdsetup events2", "prints a line that \(what): \(shown(String(line)))")
  }

  func text(_ key: Substring) throws -> String {
    guard let value = values[key] else { throw garbled("has no \(key)") }
    return value
  }

  func state<State: RawRepresentable>(_ key: Substring) throws -> State where State.RawValue == String {
    let text = try text(key)
    guard let state = State(rawValue: text) else {
      throw garbled("has \(key) \(shown(text)), which is not known")
    }
    return state
  }

  func number(_ key: Substring) throws -> UInt64 {
    guard let number = UInt64(try text(key)) else { throw garbled("has no number as \(key)") }
    return number
  }

  func number32(_ key: Substring) throws -> UInt32 {
    guard let number = UInt32(exactly: try number(key)) else { throw garbled("has too great a \(key)") }
    return number
  }

  func number16(_ key: Substring) throws -> UInt16 {
    guard let number = UInt16(exactly: try number(key)) else { throw garbled("has too great a \(key)") }
    return number
  }
}

extension UInt64 {
  /// KiB in bytes; what no device can be is the greatest number there is.
  var bytesOfKiB: UInt64 {
    let (bytes, overflow) = multipliedReportingOverflow(by: 1024)
    return overflow ? .max : bytes
  }
}
