import Glibc
import GuestProtocol
import HostInterface
import SystemPackage

/// Runs the commands that the host sends, and sends back what they print and how they end.
struct Agent {
  private let port: FileDescriptor
  private let childEvents: ChildEvents
  private var arrived: [UInt8] = []
  private var children: [Child] = []
  /// Pipes that a daemon kept open when the command that started it ended; read, so that it is not blocked.
  private var leftBehind: [FileDescriptor] = []

  /// Opens the port.
  init(port path: String) throws {
    port = try .open(path, .readWrite, options: .closeOnExec)
    childEvents = try ChildEvents()
  }

  /// Serves until the host hangs up or orders the machine to be switched off.
  mutating func serve() throws {
    try send(Frame(.ready))
    while true {
      let streams = children.flatMap(\.open)
      let files = [port, childEvents.readEnd] + streams.map(\.pipe) + leftBehind
      var wanted = files.map { pollfd(fd: $0.rawValue, events: Int16(POLLIN), revents: 0) }
      guard poll(&wanted, nfds_t(wanted.count), -1) > 0 else { continue }
      let ready = zip(files, wanted).filter { $0.1.revents != 0 }.map(\.0)
      for stream in streams where ready.contains(stream.pipe) { try forward(stream) }
      let ended = leftBehind.filter { ready.contains($0) && isAtEnd($0) }
      leftBehind.removeAll { ended.contains($0) }
      if ready.contains(childEvents.readEnd) { try reap() }
      if ready.contains(port), try !takeOrders() { return }
    }
  }

  private mutating func takeOrders() throws -> Bool {
    let bytes = try read(port, upTo: 1 << 16)
    guard !bytes.isEmpty else { return false }
    arrived += bytes
    while let frame = try Frame.take(from: &arrived) {
      switch frame.kind {
      case .run: try start(frame)
      case .kill:
        for child in children where child.command == frame.command { kill(-child.process, SIGKILL) }
      case .powerOff: return false
      case .ready, .output, .errors, .exited: break
      }
    }
    return true
  }

  private mutating func start(_ frame: Frame) throws {
    do {
      guard let command = GuestCommand(payload: frame.payload) else {
        throw Failure(.garbled, "guest agent", "the host sent a command that names no program")
      }
      children.append(try Child(command, number: frame.command))
    } catch {
      // As a shell does for a program that it cannot start.
      try send(Frame(.errors, command: frame.command, payload: Array("\(error)\n".utf8)))
      try send(Frame(.exited, command: frame.command, payload: UInt32(127).littleEndianBytes))
    }
  }

  /// Sends what a pipe has now; a pipe at its end is closed.
  private mutating func forward(_ stream: Child.Stream) throws {
    let bytes = try read(stream.pipe, upTo: 1 << 16)
    guard bytes.isEmpty else {
      return try send(Frame(stream.kind, command: stream.command, payload: bytes))
    }
    for index in children.indices where children[index].command == stream.command {
      children[index].open.removeAll { $0.pipe == stream.pipe }
    }
    try stream.pipe.close()
  }

  private mutating func reap() throws {
    _ = try read(childEvents.readEnd, upTo: 4096)
    var status: Int32 = 0
    while case let process = waitpid(-1, &status, WNOHANG), process > 0 {
      guard let index = children.firstIndex(where: { $0.process == process }) else { continue }
      for stream in children[index].open {
        while hasBytes(stream.pipe), children[index].open.contains(where: { $0.pipe == stream.pipe }) {
          try forward(stream)
        }
      }
      let child = children.remove(at: index)
      leftBehind += child.open.map(\.pipe)
      // wait(2): the low seven bits are the signal that ended it, the next eight its exit status.
      let ending = status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
      try send(
        Frame(.exited, command: child.command, payload: UInt32(bitPattern: ending).littleEndianBytes))
    }
  }

  private func isAtEnd(_ pipe: FileDescriptor) -> Bool {
    guard let bytes = try? read(pipe, upTo: 1 << 16), !bytes.isEmpty else {
      try? pipe.close()
      return true
    }
    return false
  }

  private func hasBytes(_ pipe: FileDescriptor) -> Bool {
    var wanted = pollfd(fd: pipe.rawValue, events: Int16(POLLIN), revents: 0)
    return poll(&wanted, 1, 0) > 0
  }

  private func read(_ file: FileDescriptor, upTo count: Int) throws -> [UInt8] {
    try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      filled = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
    }
  }

  private func send(_ frame: Frame) throws { try port.writeAll(frame.bytes) }
}

/// A pipe that becomes readable when a child ends.
private struct ChildEvents {
  // Sound: the program has one thread, and this is set before the handler that reads it is installed.
  private nonisolated(unsafe) static var writeEnd: Int32 = -1

  let readEnd: FileDescriptor

  /// Makes the pipe, and lets SIGCHLD write into it.
  init() throws {
    let pipe = try FileDescriptor.pipe()
    for end in [pipe.readEnd, pipe.writeEnd] { _ = fcntl(end.rawValue, F_SETFD, FD_CLOEXEC) }
    _ = fcntl(pipe.writeEnd.rawValue, F_SETFL, O_NONBLOCK)
    readEnd = pipe.readEnd
    Self.writeEnd = pipe.writeEnd.rawValue
    signal(SIGCHLD) { _ in
      // write(2) is all that it calls, and that is safe in a handler (signal-safety(7)).
      var byte: UInt8 = 0
      _ = write(ChildEvents.writeEnd, &byte, 1)
    }
  }
}
