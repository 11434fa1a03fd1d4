import Glibc
import SystemPackage
import Testing

/// A daemon of one test: accepts connections on a Unix socket, each answered by `serve`, which does not close.
final class Daemon: Sendable {
  let path: FilePath
  private let listener: Int32
  private let serves: Bool

  /// Listens; `serve` runs on a thread of the daemon's own for one connection after the other.
  init(_ path: FilePath, backlog: Int32 = 16, serve: (@Sendable (Int32) -> Void)?) throws {
    self.path = path
    serves = serve != nil
    listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.string.utf8) }
    let listener = listener
    let bound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(bound == 0 && listen(listener, backlog) == 0)
    guard let serve else { return }
    onThread {
      while true {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { break }
        serve(connection)
        close(connection)
      }
      close(listener)
    }
  }

  deinit {
    // The thread closes the listener, so that its number is not another test's while the thread uses it.
    shutdown(listener, Int32(SHUT_RDWR))
    if !serves { close(listener) }
    unlink(path.string)
  }
}

/// Runs code that blocks on a thread of its own.
func onThread(_ body: @escaping @Sendable () -> Void) {
  final class Box: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  var thread = pthread_t()
  let argument = Unmanaged.passRetained(Box(body)).toOpaque()
  pthread_create(
    &thread, nil,
    { argument in
      if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body() }
      return nil
    }, argument)
  pthread_detach(thread)
}

/// Reads this many bytes, or fewer where the peer ends first.
func readExactly(_ count: Int, from socket: Int32) -> [UInt8] {
  var bytes = [UInt8](repeating: 0, count: count)
  var got = 0
  while got < count {
    let read = bytes.withUnsafeMutableBytes { recv(socket, $0.baseAddress.map { $0 + got }, count - got, 0) }
    if read <= 0 { break }
    got += read
  }
  return Array(bytes.prefix(got))
}

/// Sends the bytes, however long the peer takes.
func sendAll(_ bytes: [UInt8], to socket: Int32) {
  var sent = 0
  while sent < bytes.count {
    let count = bytes.withUnsafeBytes {
      send(socket, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
    }
    if count <= 0 { return }
    sent += count
  }
}

/// A reply whose length stands at byte 4, as tgtd's does.
func reply(_ text: [UInt8], length: UInt32? = nil) -> [UInt8] {
  let length = length ?? UInt32(8 + text.count)
  return [0, 0, 0, 0] + withUnsafeBytes(of: length, Array.init) + text
}
