import Glibc
import GuestProtocol
import HostInterface
import Synchronization
import SystemPackage

/// A QEMU process with a thread that listens to its console and its agent until it is gone.
final class Machine: Sendable {
  private struct State {
    var log: [UInt8] = []
    var commands: [UInt32: GuestRun] = [:]
    var next: UInt32 = 1
    var gone = false
  }

  private static let logLimit = 16 << 20

  /// Given when the agent is ready (true) or the machine gone before (false).
  let ready = Promise<Bool>()
  /// Given when QEMU is gone.
  let ended = Promise<Void>()
  private let emulator: Emulator
  private let state = Mutex(State())
  private let sending = Mutex(())

  /// Switches the machine on.
  init(
    _ configuration: GuestConfiguration, _ kernel: GuestKernel, _ accelerator: Accelerator,
    _ words: [String: String]
  ) throws {
    let archive = try configuration.initramfs(kernel)
    defer { try? archive.close() }
    emulator = try Emulator(
      configuration.arguments(kernel, accelerator, words) + Self.connections,
      passing: [archive] + configuration.files)
    var patience = timeval(tv_sec: 10, tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(emulator.agent.rawValue, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
    startThread { self.listen() }
  }

  private static let connections = [
    "-chardev", "socket,id=console,fd=\(Emulator.Number.console)", "-serial", "chardev:console",
    "-chardev", "socket,id=agent,fd=\(Emulator.Number.agent)", "-device", "virtio-serial-device",
    "-device", "virtserialport,chardev=agent,name=quartet.agent",
    "-chardev", "socket,id=line,fd=\(Emulator.Number.line)",
    "-device", "virtserialport,chardev=line,name=quartet.line",
  ]

  /// What the console said so far.
  var log: KernelLog { KernelLog(text: state.withLock { String(decoding: $0.log, as: UTF8.self) }) }

  /// The host's end of the guest's serial port.
  var line: FileDescriptor { emulator.line }

  /// Ends the machine as a power cut would.
  func cutPower() { emulator.cutPower() }

  /// Registers a command for the answers to it, and gives it its number.
  func register(_ run: GuestRun) -> UInt32 {
    let (number, gone) = state.withLock { state in
      defer { state.next += 1 }
      state.commands[state.next] = run
      return (state.next, state.gone)
    }
    if gone { run.ended.settle(nil) }
    return number
  }

  /// Drops a command whose answers nobody waits for any longer.
  func forget(_ number: UInt32) { state.withLock { _ = $0.commands.removeValue(forKey: number) } }

  /// Sends a message to the agent.
  func send(_ frame: Frame) throws {
    try sending.withLock { _ in
      var rest = frame.bytes[...]
      while !rest.isEmpty {
        let sent = rest.withUnsafeBytes {
          Glibc.send(emulator.agent.rawValue, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        guard sent > 0 else {
          let cause = Errno(rawValue: errno)
          throw Failure(
            .unavailable, "guest agent", "takes no message", answer: "\(cause) (errno \(cause.rawValue))",
            errno: cause)
        }
        rest = rest.dropFirst(sent)
      }
    }
  }

  private func listen() {
    var open = [emulator.console, emulator.agent]
    var arrived: [UInt8] = []
    while !open.isEmpty {
      var wanted = open.map { pollfd(fd: $0.rawValue, events: Int16(POLLIN), revents: 0) }
      guard poll(&wanted, nfds_t(wanted.count), -1) > 0 else { continue }
      for (file, answer) in zip(open, wanted) where answer.revents != 0 {
        guard let bytes = try? read(file), !bytes.isEmpty else {
          open.removeAll { $0 == file }
          continue
        }
        if file == emulator.console {
          state.withLock { $0.log += bytes.prefix(Self.logLimit - $0.log.count) }
        } else {
          arrived += bytes
          handle(&arrived)
        }
      }
    }
    let commands = state.withLock { state in
      state.gone = true
      return state.commands.values
    }
    for run in commands { run.ended.settle(nil) }
    ready.settle(false)
    ended.settle(())
  }

  private func read(_ file: FileDescriptor) throws -> [UInt8] {
    try [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, filled in
      filled = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
    }
  }

  private func handle(_ arrived: inout [UInt8]) {
    do {
      while let frame = try Frame.take(from: &arrived) { handle(frame) }
    } catch {
      // Nothing after it can be understood, so the machine is of no use.
      cutPower()
    }
  }

  private func handle(_ frame: Frame) {
    if frame.kind == .ready { return ready.settle(true) }
    guard let run = state.withLock({ $0.commands[frame.command] }) else { return }
    switch frame.kind {
    case .output: run.received(.output, frame.payload)
    case .errors: run.received(.errors, frame.payload)
    case .exited: run.ended.settle(Int32(bitPattern: UInt32(littleEndianBytes: frame.payload)))
    case .ready, .run, .kill, .powerOff: break
    }
  }
}

/// Runs a function on a thread of its own, since it blocks for as long as the machine exists.
func startThread(_ work: @escaping @Sendable () -> Void) {
  final class Work: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }
  var thread = pthread_t()
  let argument = Unmanaged.passRetained(Work(work))
  let answer = pthread_create(
    &thread, nil,
    { argument in
      // Sound: the pointer is the object retained above, consumed here exactly once.
      if let argument { Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().run() }
      return nil
    }, argument.toOpaque())
  guard answer == 0 else { return argument.release() }
  pthread_detach(thread)
}
