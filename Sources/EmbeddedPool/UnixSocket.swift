import Glibc
import HostInterface
import SystemPackage

/// A stream socket by a path (unix(7)), which is closed with the last reference to it.
final class UnixSocket {
  let descriptor: Int32

  init(descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  private static func make() throws -> UnixSocket {
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let made = socket(AF_UNIX, kind, 0)
    guard made >= 0 else { throw Failure.system(Errno(rawValue: errno), "control socket", "cannot be made") }
    return UnixSocket(descriptor: made)
  }

  private static func withAddress(
    _ path: FilePath, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) throws -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.string.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
      throw Failure(.invalid, "\(path)", "is too long for a socket, which takes 107 bytes")
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    // Sound: the address lives through the call, which gets its exact size.
    return withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }

  /// Listens at a path; what an ended process left there is replaced.
  static func listen(at path: FilePath) throws -> UnixSocket {
    let made = try make()
    if unlink(path.string) != 0, errno != ENOENT {
      throw Failure.system(Errno(rawValue: errno), "\(path)", "cannot remove what is there")
    }
    let bound = try withAddress(path) { bind(made.descriptor, $0, $1) }
    // Before listen(2), so that nobody gets in between.
    guard bound == 0, chmod(path.string, 0o600) == 0, Glibc.listen(made.descriptor, 16) == 0 else {
      throw Failure.system(Errno(rawValue: errno), "\(path)", "cannot listen there")
    }
    return made
  }

  /// Connects to who listens at a path; nil when nobody does.
  static func connect(to path: FilePath) throws -> UnixSocket? {
    let made = try make()
    let result = try withAddress(path) { Glibc.connect(made.descriptor, $0, $1) }
    if result == 0 { return made }
    let code = Errno(rawValue: errno)
    if code == .noSuchFileOrDirectory || code == .connectionRefused { return nil }
    guard code == .wouldBlock else { throw Failure.system(code, "\(path)", "cannot connect") }
    throw Failure(.timedOut, "\(path)", "too many wait for an answer there already")
  }

  /// The process at the other end, as the kernel knows it (unix(7), SO_PEERCRED).
  var peer: Int32? {
    // struct ucred, which is declared only with _GNU_SOURCE: the numbers of process, user and group.
    var credentials: (pid: Int32, user: UInt32, group: UInt32) = (0, 0, 0)
    var length = socklen_t(MemoryLayout.size(ofValue: credentials))
    let result = getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length)
    return result == 0 && credentials.pid > 0 ? credentials.pid : nil
  }

  /// Takes the next who connects; nil when nobody does any more.
  func accept() -> UnixSocket? {
    let accepted = Glibc.accept(descriptor, nil, nil)
    guard accepted >= 0 else { return nil }
    let client = UnixSocket(descriptor: accepted)
    guard fcntl(accepted, F_SETFD, FD_CLOEXEC) == 0, fcntl(accepted, F_SETFL, O_NONBLOCK) == 0 else {
      return nil
    }
    return client
  }

  /// Reads what there is; nil at the end, and nothing when there is nothing yet.
  func read(most: Int) throws -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: most)
    let count = recv(descriptor, &bytes, most, 0)
    if count > 0 { return Array(bytes[..<count]) }
    if count == 0 { return nil }
    if errno == EAGAIN || errno == EINTR { return [] }
    throw Failure.system(Errno(rawValue: errno), "control socket", "cannot read")
  }

  /// Writes what there is room for; returns how many bytes that were.
  func write(_ bytes: ArraySlice<UInt8>) throws -> Int {
    let count = bytes.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    if count >= 0 { return count }
    if errno == EAGAIN || errno == EINTR { return 0 }
    throw Failure.system(Errno(rawValue: errno), "control socket", "cannot write")
  }

  /// Waits until the socket is ready for events of poll(2), at most until a time; false when that is over.
  func wait(for events: Int32, until deadline: ContinuousClock.Instant) -> Bool {
    while true {
      let left = deadline - .now
      guard left > .zero else { return false }
      var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
      let milliseconds = left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000
      let result = poll(&entry, 1, Int32(clamping: milliseconds + 1))
      if result > 0 { return true }
      if result < 0, errno != EINTR { return true }
    }
  }
}
