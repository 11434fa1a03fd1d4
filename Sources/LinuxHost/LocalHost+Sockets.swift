import Glibc
import HostInterface
import SystemPackage

extension LocalHost {
  /// Sends one request to a daemon's Unix socket and reads its reply, without leaving the calling thread.
  ///
  /// Six system calls where the daemon answers in one piece: socket, connect, sendto, poll, recvfrom, close. A
  /// cancelled task does not cut an exchange short, since nobody would know then whether the request was carried
  /// out; its limit ends it. Bytes behind the reply's own length are dropped.
  ///
  /// - Throws: ``Failure/Code/unavailable`` when no daemon listens there, ``Failure/Code/timedOut`` at the limit,
  ///   ``Failure/Code/garbled`` when the connection ends early or the reply's length is out of bounds.
  public func exchange(_ bytes: [UInt8], with path: FilePath, lengthOffset: Int, limit: Duration) async throws
    -> [UInt8]
  {
    try SocketExchange(path: path, limit: limit).exchange(bytes, lengthOffset: lengthOffset)
  }
}

/// One connection to a daemon: a request, a reply.
struct SocketExchange {
  private static let replyLimit = 64 << 20

  let path: FilePath
  let limit: Duration
  private let deadline: ContinuousClock.Instant

  init(path: FilePath, limit: Duration) {
    self.path = path
    self.limit = limit
    deadline = .now + limit
  }

  func exchange(_ request: [UInt8], lengthOffset: Int) throws -> [UInt8] {
    guard lengthOffset >= 0, lengthOffset <= 4096 else {
      throw Failure(
        .invalid, "\(path)", "the reply's length cannot stand at byte \(lengthOffset), only at 0 to 4096")
    }
    var address = try address()
    let socket = try onPath(path, "cannot make a socket") {
      let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
      return try checked(Glibc.socket(AF_UNIX, kind, 0))
    }
    defer { close(socket) }
    try connect(socket, to: &address)
    try send(request, on: socket)
    return try receive(on: socket, lengthOffset: lengthOffset)
  }

  private func address() throws -> sockaddr_un {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let name = Array(path.string.utf8)
    let room = MemoryLayout.size(ofValue: address.sun_path)
    guard !name.isEmpty, name.count < room else {
      throw Failure(
        .invalid, "\(path)", "is \(name.count) bytes long, and a socket's path has 1 to \(room - 1) (unix(7))"
      )
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
    return address
  }

  private func connect(_ socket: Int32, to address: inout sockaddr_un) throws {
    var pause: Int32 = 5
    while true {
      let answer = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      if answer == 0 { return }
      let number = Errno(rawValue: errno)
      switch number {
      case .interrupted: continue
      // The daemon's queue of connections is full; a Unix socket cannot be polled for its room (connect(2)).
      case .resourceTemporarilyUnavailable:
        guard left > .zero else { throw timedOut("did not take the connection") }
        guard !Task.isCancelled else {
          throw Failure(.interrupted, "\(path)", "interrupted before the request")
        }
        poll(nil, 0, left.milliseconds(atMost: pause))
        pause = min(pause * 2, 100)
      case .connectionRefused, .noSuchFileOrDirectory:
        var failure = Failure.system(number, "\(path)", "no daemon listens there", remedy: "start the daemon")
        failure.code = .unavailable
        throw failure
      default: throw Failure.system(number, "\(path)", "cannot connect")
      }
    }
  }

  private func send(_ request: [UInt8], on socket: Int32) throws {
    var sent = 0
    while sent < request.count {
      let count = request.withUnsafeBytes { bytes in
        // MSG_NOSIGNAL: a daemon that died must not end this process by SIGPIPE.
        Glibc.send(socket, bytes.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count >= 0 {
        sent += count
        continue
      }
      let number = Errno(rawValue: errno)
      switch number {
      case .interrupted: continue
      case .resourceTemporarilyUnavailable: try wait(for: POLLOUT, on: socket, "did not take the request")
      // What the daemon answered before it closed may still be there to read.
      case .brokenPipe, .connectionReset: return
      default: throw Failure.system(number, "\(path)", "cannot send the request")
      }
    }
  }

  private func receive(on socket: Int32, lengthOffset: Int) throws -> [UInt8] {
    var reply: [UInt8] = []
    var expected: Int?
    while reply.count < expected ?? .max {
      try wait(for: POLLIN, on: socket, "did not answer")
      let room = max(16 << 10, reply.count)
      var number: Errno?
      let piece = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
        count = recv(socket, buffer.baseAddress, room, 0)
        guard count <= 0 else { return }
        number = count < 0 ? Errno(rawValue: errno) : .connectionReset
        count = 0
      }
      switch number {
      case nil: reply += piece
      case .interrupted?, .resourceTemporarilyUnavailable?: continue
      case .connectionReset?: throw ended(after: reply.count, of: expected)
      case let number?: throw Failure.system(number, "\(path)", "cannot read the answer")
      }
      if expected == nil, reply.count >= lengthOffset + 4 {
        let length = reply.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: lengthOffset, as: UInt32.self) }
        guard length >= lengthOffset + 4, length <= Self.replyLimit else {
          throw Failure(
            .garbled, "\(path)",
            "the answer says that it is \(length) bytes long, and \(lengthOffset + 4) to \(Self.replyLimit) can be"
          )
        }
        expected = Int(length)
      }
    }
    if let expected { reply.removeSubrange(expected...) }
    return reply
  }

  private func ended(after got: Int, of expected: Int?) -> Failure {
    let remedy = "see whether it still runs, and its log"
    if got == 0 {
      return Failure(
        .garbled, "\(path)", "the daemon closed the connection without an answer: it may have died",
        remedy: remedy)
    }
    let length = expected.map { "\(got) of \($0)" } ?? "\(got)"
    return Failure(
      .garbled, "\(path)", "the daemon closed the connection after \(length) bytes of its answer",
      remedy: remedy)
  }

  private var left: Duration { deadline - .now }

  private func timedOut(_ problem: String) -> Failure {
    Failure(.timedOut, "\(path)", "the daemon \(problem) within \(limit)", remedy: "see whether it hangs")
  }

  private func wait(for event: Int32, on socket: Int32, _ problem: String) throws {
    while true {
      var wanted = pollfd(fd: socket, events: Int16(event), revents: 0)
      let ready = poll(&wanted, 1, left.milliseconds(atMost: .max))
      if ready > 0 { return }
      if ready < 0, errno != EINTR { throw Failure.system(Errno(rawValue: errno), "\(path)", "cannot wait") }
      if left <= .zero { throw timedOut(problem) }
    }
  }
}
