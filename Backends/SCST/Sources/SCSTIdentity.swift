/// The identity that SCST makes up for a device.
enum SCSTIdentity {
  /// CRC-32C of the name with its NUL, seed 0, without a final inversion, as hexadecimal digits; the setup id before it
  /// where there is one (vdisk_gen_dev_serial in scst_vdisk.c, compared with recordings).
  static func serial(of name: String, setupID: UInt32) -> String {
    let sum = (Array(name.utf8) + [0]).reduce(UInt32(0)) { sum, byte in
      (0..<8).reduce(sum ^ UInt32(byte)) { sum, _ in (sum >> 1) ^ (sum & 1 == 1 ? 0x82f6_3b78 : 0) }
    }
    return String(UInt64(setupID) << 32 | UInt64(sum), radix: 16)
  }

  /// The texts that a virtual device has by itself, by their files.
  ///
  /// - Parameter version: What SCST calls itself: `3.11.0-pre` makes the revision `3110`.
  static func own(of device: String, _ handler: SCSTHandler?, setupID: UInt32, version: String)
    -> [String: String]
  {
    guard let handler, handler != .disk else { return [:] }
    let serial = serial(of: device, setupID: setupID)
    let name = "\(serial)-\(device)"
    return [
      "t10_vend_id": handler == .blockio ? "SCST_BIO" : "SCST_FIO", "prod_id": String(device.prefix(16)),
      "prod_rev_lvl": version.prefix { $0 != "-" }.filter { $0 != "." }, "usn": serial,
      // It ends where its field ends.
      "t10_dev_id": String(decoding: name.utf8.prefix(25), as: UTF8.self),
      "vend_specific_id": name,
    ]
  }
}

extension UInt32 {
  /// A number as SCST prints it in hexadecimal digits: `0x1234`.
  init?(asFound text: String) {
    self.init(text.hasPrefix("0x") ? text.dropFirst(2) : text[...], radix: 16)
  }
}
