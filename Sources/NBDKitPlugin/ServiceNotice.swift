import Glibc

/// The service manager that started the process, if one did (sd_notify(3)).
enum ServiceNotice {
  /// Tells it something; without effect where nobody listens.
  static func send(_ message: String) {
    guard let variable = getenv("NOTIFY_SOCKET") else { return }
    let path = Array(String(cString: variable).utf8)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let room = MemoryLayout.size(ofValue: address.sun_path)
    // The first byte of an abstract name is zero, and written as @ (sd_notify(3)).
    guard path.first == UInt8(ascii: "/") || path.first == UInt8(ascii: "@"), path.count < room else {
      return
    }
    withUnsafeMutableBytes(of: &address.sun_path) { bytes in
      bytes.copyBytes(from: path)
      if path.first == UInt8(ascii: "@") { bytes[0] = 0 }
    }
    let length = MemoryLayout<sockaddr_un>.size - room + path.count
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    // Sound: the address is copied by the call, which gets its exact length.
    withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        _ = sendto(descriptor, message, message.utf8.count, Int32(MSG_NOSIGNAL), address, socklen_t(length))
      }
    }
  }
}
