import Glibc
import HostInterface
import SystemPackage

/// A client of NBD that has many requests in flight, and can leave at any moment
/// (github.com/NetworkBlockDevice/nbd, doc/proto.md: fixed newstyle, NBD_OPT_EXPORT_NAME, simple replies).
package final class NBDClient {
  /// What a request asks for.
  package enum Command: UInt16 {
    case read = 0
    case write
    case disconnect
    case flush
    case trim
    case zero = 6
  }

  /// The export's size in bytes.
  package let size: Int
  private let socket: Int32
  private var cookie: UInt64 = 0
  /// By cookie, how many bytes a reply has.
  private var expected: [UInt64: Int] = [:]

  /// Connects to a server that listens at a path.
  package convenience init(_ path: FilePath, export: String = "data") throws {
    let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard withAddress(of: path, { connect(socket, $0, $1) }) == 0 else {
      let cause = Errno(rawValue: errno)
      close(socket)
      throw Failure.system(cause, "\(path)", "cannot connect to it")
    }
    try self.init(socket: socket, export: export)
  }

  /// Speaks to the server at the other end of a stream socket, which is the client's from now on.
  package init(socket: Int32, export: String = "data") throws {
    self.socket = socket
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    guard Self.receive(18, from: socket)?.starts(with: Array("NBDMAGICIHAVEOPT".utf8)) == true else {
      throw Failure(.garbled, export, "its server does not greet as NBD has it")
    }
    var hello: [UInt8] = []
    hello.put(UInt32(3))
    hello += Array("IHAVEOPT".utf8)
    hello.put(UInt32(1))
    hello.put(UInt32(export.utf8.count))
    hello += Array(export.utf8)
    guard Self.send(hello, to: socket), let answer = Self.receive(10, from: socket) else {
      throw Failure(.refused, export, "is not served")
    }
    size = Int(clamping: answer.number(UInt64.self, at: 0))
  }

  deinit { close(socket) }

  /// How many requests are not answered yet.
  package var inFlight: Int { expected.count }

  /// Sends a request; returns its cookie, nil when the server is gone.
  ///
  /// - Parameters:
  ///   - keepsPlace: Whether zeroes are not to become a hole (NBD_CMD_FLAG_NO_HOLE).
  ///   - cut: Send only so many bytes of it.
  @discardableResult
  package func send(
    _ command: Command, at offset: Int = 0, count: Int = 0, data: [UInt8] = [], durable: Bool = false,
    keepsPlace: Bool = false, cut: Int? = nil
  ) -> UInt64? {
    cookie += 1
    var request: [UInt8] = []
    request.put(0x2560_9513 as UInt32)
    request.put(UInt16((durable ? 1 : 0) | (keepsPlace ? 2 : 0)))
    request.put(command.rawValue)
    request.put(cookie)
    request.put(UInt64(offset))
    request.put(UInt32(command == .write ? data.count : count))
    request += data
    guard Self.send(Array(request.prefix(cut ?? request.count)), to: socket) else { return nil }
    expected[cookie] = command == .read ? count : 0
    return cookie
  }

  /// The next reply; nil when the server is gone.
  package func reply() -> (cookie: UInt64, error: UInt32, data: [UInt8])? {
    guard let header = Self.receive(16, from: socket), header.number(UInt32.self, at: 0) == 0x6744_6698 else {
      return nil
    }
    let (error, cookie) = (header.number(UInt32.self, at: 4), header.number(UInt64.self, at: 8))
    guard let count = expected.removeValue(forKey: cookie) else { return nil }
    guard let data = error == 0 ? Self.receive(count, from: socket) : [] else { return nil }
    return (cookie, error, data)
  }

  /// A request alone: its error number, and what was read.
  package func run(
    _ command: Command, at offset: Int = 0, count: Int = 0, data: [UInt8] = [], durable: Bool = false,
    keepsPlace: Bool = false
  ) throws -> (error: UInt32, data: [UInt8]) {
    let cookie = send(command, at: offset, count: count, data: data, durable: durable, keepsPlace: keepsPlace)
    guard let cookie, let answer = reply(), answer.cookie == cookie else {
      throw Failure(.unavailable, "NBD server", "does not answer a request to \(command) at \(offset)")
    }
    return (answer.error, answer.data)
  }

  private static func send(_ bytes: [UInt8], to socket: Int32) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(socket, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { return false }
      sent += count
    }
    return true
  }

  private static func receive(_ count: Int, from socket: Int32) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var got = 0
    while got < count {
      let read = bytes.withUnsafeMutableBytes {
        recv(socket, $0.baseAddress.map { $0 + got }, count - got, 0)
      }
      if read <= 0 { return nil }
      got += read
    }
    return bytes
  }
}

extension [UInt8] {
  fileprivate mutating func put<T: FixedWidthInteger>(_ value: T) {
    Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
  }

  fileprivate func number<T: FixedWidthInteger>(_ type: T.Type, at offset: Int) -> T {
    self[offset..<offset + MemoryLayout<T>.size].reduce(0) { $0 << 8 | T($1) }
  }
}

/// Calls a body with the address of a Unix socket.
package func withAddress(of path: FilePath, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.string.utf8) }
  return withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
    }
  }
}
