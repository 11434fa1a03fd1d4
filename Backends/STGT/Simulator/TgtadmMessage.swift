/// One request of tgtd's management protocol.
///
/// `struct tgtadm_req` of tgt 1.0.85's usr/tgtadm.h and the parameter text behind it. Integers are in the machine's own
/// byte order.
struct TgtadmRequest {
  /// `sizeof(struct tgtadm_req)`.
  static let headerSize = 120
  /// `MAX_MGT_BUFSIZE` of usr/mgmt.c: with more text behind the header tgtd closes the connection.
  static let longestText = 8 << 10

  /// `enum tgtadm_mode`.
  enum Mode: UInt32 {
    case system, target, device, portal, lld, session, connection, account
  }

  /// `enum tgtadm_op`.
  enum Operation: UInt32 {
    case new, delete, show, bind, unbind, update, stat, start, stop
  }

  /// Nil for a number that the enumeration does not have.
  var mode: Mode?
  var operation: Operation?
  var driver = ""
  /// The target's number; less than 0 for none.
  var tid: Int32 = -1
  var sid: UInt64 = 0
  var lun: UInt64 = .max
  var cid: UInt32 = 0
  var hostNumber: UInt32 = 0
  var deviceType: UInt32 = 0
  var outgoing = false
  var force = false
  /// Up to its NUL; nil when the request ends with its header.
  var text: String?

  init(mode: Mode, operation: Operation) {
    self.mode = mode
    self.operation = operation
  }

  /// What a tgtd makes of the bytes that it got before it looks for a request in them.
  enum Reading {
    case request(TgtadmRequest)
    /// It waits for the rest.
    case incomplete
    /// It closes the connection.
    case tooLong
  }

  /// Reads a request as tgtd does.
  static func read(_ bytes: [UInt8]) -> Reading {
    guard bytes.count >= headerSize else { return .incomplete }
    func number<Number: FixedWidthInteger>(_ offset: Int, _: Number.Type = Number.self) -> Number {
      bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Number.self) }
    }
    // A length below the header's own is a negative size, which tgtd fails to allocate.
    let length = Int(number(72, UInt32.self))
    guard (headerSize...headerSize + longestText).contains(length) else { return .tooLong }
    guard bytes.count >= length else { return .incomplete }
    var request = TgtadmRequest(mode: .system, operation: .show)
    request.mode = Mode(rawValue: number(0))
    request.operation = Operation(rawValue: number(4))
    request.driver = string(bytes[8..<71])
    request.tid = number(76)
    request.sid = number(80)
    request.lun = number(88)
    request.cid = number(96)
    request.hostNumber = number(100)
    request.deviceType = number(104)
    request.outgoing = number(108, UInt32.self) != 0
    request.force = number(116, UInt32.self) != 0
    request.text = length > headerSize ? string(bytes[headerSize..<length]) : nil
    return .request(request)
  }

  private static func string(_ bytes: ArraySlice<UInt8>) -> String {
    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }

  /// The request as tgtadm sends it: a text ends in a NUL, no text is nothing at all.
  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    func append(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value) { bytes += $0 } }
    let body: [UInt8] = text.map { $0.isEmpty ? [] : Array($0.utf8) + [0] } ?? []
    append(mode?.rawValue ?? 0)
    append(operation?.rawValue ?? 0)
    let name = driver.utf8.prefix(64)
    bytes += Array(name) + [UInt8](repeating: 0, count: 64 - name.count)
    append(UInt32(Self.headerSize + body.count))
    append(tid)
    append(sid)
    append(lun)
    append(cid)
    append(hostNumber)
    append(deviceType)
    append(UInt32(outgoing ? 1 : 0))
    append(UInt32(0))  // pack
    append(UInt32(force ? 1 : 0))
    return bytes + body
  }
}

/// A reply: `struct tgtadm_rsp`, the error number and the length, and the text behind it.
enum TgtadmReply {
  static let headerSize = 8

  /// A text ends in a NUL, no text is nothing at all.
  static func bytes(_ result: Result<String, TgtadmError>) -> [UInt8] {
    var bytes: [UInt8] = []
    func append(_ value: UInt32) { withUnsafeBytes(of: value) { bytes += $0 } }
    switch result {
    case .success(let text):
      let body: [UInt8] = text.isEmpty ? [] : Array(text.utf8) + [0]
      append(0)
      append(UInt32(headerSize + body.count))
      bytes += body
    case .failure(let error):
      append(error.rawValue)
      append(UInt32(headerSize))
    }
    return bytes
  }
}
