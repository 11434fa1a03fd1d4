import TargetCore

/// Reads /proc/net/iet/session (kernel/session.c and kernel/conn.c).
struct SessionListing {
  /// The sessions of each target, in the order of the list: the newest first.
  private(set) var sessions: [TargetName: [Session]] = [:]

  init(_ text: String) {
    var name: TargetName?
    for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
      let line = Substring(line)
      if line.hasPrefix("tid:") {
        name = VolumeListing.target(line)?.1
      } else if let name, line.hasPrefix("\tsid:") {
        // The initiator's name runs to the end of the line.
        let words = line.dropFirst(5).split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        guard words.count == 2, UInt64(words[0]) != nil, words[1].hasPrefix("initiator:") else { continue }
        let session = Session(
          id: String(words[0]), initiator: String(words[1].dropFirst("initiator:".count)), connections: [])
        sessions[name, default: []].append(session)
      } else if let name, line.hasPrefix("\t\tcid:"), let last = sessions[name]?.indices.last,
        let connection = Self.connection(line.dropFirst(2))
      {
        sessions[name]?[last].connections.append(connection)
      }
    }
  }

  // cid:0 ip:[0000:0000:0000:0000:0000:0000:0000:0001] state:active hd:none dd:none
  private static func connection(_ line: Substring) -> Session.Connection? {
    var id: UInt32?
    var address: IPAddress?
    for word in line.split(separator: " ") {
      if word.hasPrefix("cid:") { id = UInt32(word.dropFirst(4)) }
      if word.hasPrefix("ip:") {
        address = IPAddress(word.dropFirst(3).filter { $0 != "[" && $0 != "]" })
      }
    }
    return id.map { Session.Connection(id: $0, address: address) }
  }
}
