import HostInterface
import TargetCore

/// Reads `acls/INITIATOR/info` (lio_target_nacl_info_show in drivers/target/iscsi/iscsi_target_configfs.c).
enum LIOSession {
  /// Sessions of ACLs that the kernel made are told by their initiators' names alone.
  static let dynamicPrefix = "dynamic:"

  /// The session that it tells of; nil when there is none.
  static func parse(_ text: String) -> Session? {
    guard !text.hasPrefix("No active iSCSI Session") else { return nil }
    var session = Session(id: "", initiator: "", connections: [])
    for line in text.split(separator: "\n") {
      let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
      func word(after key: String) -> String? {
        words.firstIndex(of: key).flatMap { $0 + 1 < words.count ? words[$0 + 1] : nil }
      }
      if line.hasPrefix("InitiatorName:") { session.initiator = words.last ?? "" }
      // LIO Session ID: 1   ISID: 0x00 02 3d 00 00 00  TSIH: 1  SessionType: Normal
      if line.hasPrefix("LIO Session ID:") { session.id = word(after: "ID:") ?? "" }
      // CID: 0  Connection State: TARG_CONN_STATE_LOGGED_IN
      if let cid = word(after: "CID:").flatMap({ UInt32($0) }) {
        session.connections.append(.init(id: cid, address: nil))
      }
      // Address 127.0.0.1 TCP  StatSN: 0x12345678
      if let address = word(after: "Address"), let last = session.connections.indices.last {
        session.connections[last].address = IPAddress(address.filter { $0 != "[" && $0 != "]" })
      }
    }
    return session.id.isEmpty ? nil : session
  }
}
