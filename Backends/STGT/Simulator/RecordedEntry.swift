/// One line of a recording of STGT; `Fixtures/STGT/README.md` says what the fields are.
struct RecordedEntry: Decodable, Sendable {
  var seq: Int
  var op: String
  var argv: [String]?
  var exit: Int32?
  var stdout: String?
  var stderr: String?
  var path: String?
  var size: UInt64?
  var access: String?
  var session: String?
  var initiator: String?
  var address: String?
  var target: String?
  var alias: String?
  var cid: UInt32?
  var result: String?
  var lun: UInt64?
  var bytes: UInt64?
  var on: Bool?
}
