import HostInterface

/// What tgtd answers: `struct tgtadm_rsp` (error, length), then text.
enum ManagementReply {
  /// The errors of `usr/tgtadm_error.h` by number, as tgtadm words them.
  static let errors: [String] = [
    "success", "unknown error", "out of memory", "can't find the driver", "can't find the target",
    "can't find the logical unit", "can't find the session", "can't find the connection",
    "can't find the binding", "this target already exists", "this logical unit number already exists",
    "this binding already exists", "this access control rule already exists",
    "this access control rule does not exist", "this account already exists", "can't find the account",
    "too many accounts", "invalid request", "this target already has an outgoing account",
    "this target is still active", "this logical unit is still active", "this driver is busy",
    "this operation isn't supported", "unknown parameter", "this device has Prevent Removal set",
  ]

  /// The text of a reply.
  ///
  /// - Throws: ``Failure`` when tgtd reports an error, or when it is no reply of this protocol (`garbled`).
  static func text(of reply: [UInt8], to what: String) throws -> String {
    guard reply.count >= 8 else {
      throw Failure(.garbled, what, "tgtd answered with \(reply.count) bytes, at least 8 belong to a reply")
    }
    let error = reply.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 0, as: UInt32.self) }
    guard error == 0 else { throw failure(number: error, what: what) }
    // The text may end in the NULs of its C string.
    return String(decoding: reply[8...].prefix { $0 != 0 }, as: UTF8.self)
  }

  /// The failure that an error number means.
  static func failure(number: UInt32, what: String) -> Failure {
    guard let index = Int(exactly: number), errors.indices.contains(index) else {
      return Failure(
        .garbled, what, "tgtd answered with an error number that no known version has (\(number))")
    }
    return failure(message: errors[index], what: what)
  }

  /// The failure that a message of tgtadm means.
  static func failure(message: String, what: String) -> Failure {
    let code: Failure.Code
    var remedy: String?
    switch message {
    case "can't find the target", "can't find the logical unit", "can't find the session",
      "can't find the connection", "can't find the binding", "this access control rule does not exist",
      "can't find the account":
      code = .notFound
    case "this target already exists", "this logical unit number already exists",
      "this binding already exists",
      "this access control rule already exists", "this account already exists",
      "this target already has an outgoing account":
      code = .exists
    case "this target is still active", "this logical unit is still active", "this driver is busy",
      "this device has Prevent Removal set":
      code = .inUse
    case "can't find the driver":
      code = .unavailable
    default:
      code = .refused
      remedy = "see tgtd's log for the reason (journalctl -t tgtd)"
    }
    return Failure(code, what, "tgtd refused", answer: message, remedy: remedy)
  }
}
