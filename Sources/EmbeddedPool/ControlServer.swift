import BlockEngine
import Glibc
import HostInterface
import LinuxBlockDevices
import ReplicatedVolume
import SystemPackage

/// Answers requests at a pool's control socket, on the loop that the pool belongs to.
///
/// A connection has one request. Who sends too much, or nothing for too long, is cut off; at most
/// ``connectionLimit`` are served at once, so that nobody takes the engine's descriptors.
package final class ControlServer {
  private static let connectionLimit = 32
  private static let patience = Duration.seconds(30)

  private let loop: AIOLoop
  private let socket: UnixSocket
  private let path: FilePath
  private let answer: (PoolRequest, @escaping (PoolAnswer) -> Void) -> Void
  private var watch: DescriptorWatch?
  private var connections: [Int32: ControlConnection] = [:]

  /// Listens for requests about a pool.
  ///
  /// - Parameters:
  ///   - path: Where; only the owner may connect. Whoever opened the legs is alone, so that what is there is stale.
  ///   - loop: The pool's loop.
  ///   - answer: Carries a request out, and calls back once.
  /// - Throws: ``Failure`` when the system refuses.
  package init(
    at path: FilePath, on loop: AIOLoop,
    _ answer: @escaping (PoolRequest, @escaping (PoolAnswer) -> Void) -> Void
  ) throws {
    (self.loop, self.path, self.answer) = (loop, path, answer)
    socket = try UnixSocket.listen(at: path)
    watch = loop.watch(socket.descriptor, for: .input) { [unowned self] _ in accept() }
  }

  /// Listens no more, and removes the socket.
  package func end() {
    watch?.cancel()
    watch = nil
    _ = unlink(path.string)
    for connection in connections.values { connection.end() }
    connections = [:]
  }

  private func accept() {
    guard let client = socket.accept() else { return }
    let number = client.descriptor
    guard connections.count < Self.connectionLimit else { return }
    let connection = ControlConnection(client, on: loop, patience: Self.patience) { [weak self] in
      self?.connections[number] = nil
    } _: { [weak self] request, done in
      self?.answer(request, done)
    }
    connections[number] = connection
    connection.begin()
  }
}

/// One client of a control socket.
final class ControlConnection {
  private let socket: UnixSocket
  private let loop: AIOLoop
  private let patience: Duration
  private let ended: () -> Void
  private let answer: (PoolRequest, @escaping (PoolAnswer) -> Void) -> Void
  private var watch: DescriptorWatch?
  private var timer: ScheduledCall?
  private var input: [UInt8] = []
  private var output: ArraySlice<UInt8> = []
  private var isAnswering = false

  init(
    _ socket: UnixSocket, on loop: AIOLoop, patience: Duration, ended: @escaping () -> Void,
    _ answer: @escaping (PoolRequest, @escaping (PoolAnswer) -> Void) -> Void
  ) {
    (self.socket, self.loop, self.patience) = (socket, loop, patience)
    (self.ended, self.answer) = (ended, answer)
  }

  func begin() {
    timer = loop.schedule(after: patience) { [unowned self] in end() }
    watch = loop.watch(socket.descriptor, for: .input) { [unowned self] events in ready(events) }
  }

  /// Cuts the client off.
  func end() {
    guard let watch else { return }
    self.watch = nil
    timer?.cancel()
    watch.cancel()
    // The poll that waits in the kernel refers to the descriptor: it is closed when that has ended.
    let socket = socket
    loop.schedule(after: .milliseconds(1)) { _ = socket }
    ended()
  }

  private func ready(_ events: PollEvents) {
    if !output.isEmpty { return send() }
    if isAnswering { return end() }
    guard let more = try? socket.read(most: 16 << 10) else { return end() }
    input += more
    guard input.count <= ControlMessage.requestLimit else { return end() }
    guard let newline = input.firstIndex(of: UInt8(ascii: "\n")) else { return }
    isAnswering = true
    // Nothing more is expected; only that the client goes is told.
    watch?.events = []
    timer?.cancel()
    do {
      answer(try ControlMessage.request(Array(input[..<newline]))) { [self] in reply($0) }
    } catch { reply(.failed(error as? Failure ?? Failure(.garbled, "control socket", "\(error)"))) }
  }

  private func reply(_ answer: PoolAnswer) {
    guard watch != nil, let bytes = try? ControlMessage.encode(answer) else { return end() }
    timer = loop.schedule(after: patience) { [unowned self] in end() }
    output = bytes[...]
    send()
  }

  private func send() {
    guard let sent = try? socket.write(output) else { return end() }
    output = output.dropFirst(sent)
    if output.isEmpty { end() } else { watch?.events = .output }
  }
}
