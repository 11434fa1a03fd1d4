import HostInterface
import Simulation
import Synchronization
import SystemPackage

/// A model of tgtd 1.0.85, Debian's, and of the programs `tgtadm` and `tgtd`.
///
/// It speaks the management protocol at its socket, in the same bytes and texts, with the same errors, limits and
/// defects; the recordings in Fixtures/STGT hold it to the real one. It runs from the start, without targets.
///
///     let tgtd = SimulatedTgtd()
///     let host = SimulatedHost(services: [tgtd])
///     host.addFile("/srv/disk1", size: 64 << 20)
///
/// Two control ports are two models, of which the first also answers for the programs.
public final class SimulatedTgtd: SimulatedService {
  private struct State {
    var daemon: Daemon?
    /// The reply to give instead of an answer.
    var disturbance: SimulatedReply?
  }

  /// The path of the management socket: the value of `TGT_IPC_SOCKET`, a dot, and the control port.
  public let socketPath: FilePath
  private let addresses: Set<String>?
  private let state = Mutex(State())

  /// A model of one tgtd.
  ///
  /// - Parameters:
  ///   - socket: What `TGT_IPC_SOCKET` holds; by default what it is without.
  ///   - controlPort: The number behind it (`-C`).
  ///   - isRunning: Whether it runs from the start; else the program `tgtd` starts it, or ``start(on:portals:)``.
  ///   - addresses: The machine's own addresses, which portals can have; by default any.
  public init(
    socket: String = "/var/run/tgtd/socket", controlPort: Int = 0, isRunning: Bool = true,
    addresses: Set<String>? = nil
  ) {
    socketPath = FilePath("\(socket).\(controlPort)")
    self.addresses = addresses
    if isRunning {
      state.withLock { $0.daemon = Daemon(environment: .init(arguments: nil, addresses: addresses)) }
    }
  }

  /// Whether it runs.
  public var isRunning: Bool { state.withLock { $0.daemon != nil } }

  /// Starts it with empty state, unless it runs.
  ///
  /// - Parameter portals: What follows `--iscsi`, such as `portal=127.0.0.1:3260`; nil for all addresses.
  public func start(on host: SimulatedHost, portals: String? = nil) {
    let isNew = state.withLock { state in
      guard state.daemon == nil else { return false }
      state.daemon = Daemon(environment: .init(arguments: portals, addresses: addresses))
      return true
    }
    if isNew { host.listen(at: socketPath, for: self) }
  }

  /// Ends it at once, as SIGKILL does: its targets are gone, the file of its socket stays.
  public func die(on host: SimulatedHost) {
    state.withLock { $0.daemon = nil }
    host.stopListening(at: socketPath)
  }

  /// Gives this reply to every request from now on, and does nothing; nil ends that.
  ///
  /// `.silence` is a tgtd that hangs, `.bytes([])` one that closes at once, any other bytes are noise.
  public func disturb(by reply: SimulatedReply?) { state.withLock { $0.disturbance = reply } }

  /// Puts the socket into the machine.
  public func attach(to host: SimulatedHost) {
    if isRunning { host.listen(at: socketPath, for: self) }
  }

  /// Answers a request of the management protocol.
  public func exchange(_ request: [UInt8], at path: FilePath, on host: SimulatedHost) -> SimulatedReply {
    let (reply, hasEnded) = state.withLock { state -> (SimulatedReply, Bool) in
      if let disturbance = state.disturbance { return (disturbance, false) }
      switch TgtadmRequest.read(request) {
      case .incomplete: return (.silence, false)
      case .tooLong: return (.bytes([]), false)
      case .request(let request):
        let reply = Self.answer(request, &state.daemon, host)
        return (reply, state.daemon == nil)
      }
    }
    if hasEnded { host.stopListening(at: socketPath) }
    return reply
  }

  private static func answer(_ request: TgtadmRequest, _ daemon: inout Daemon?, _ host: SimulatedHost)
    -> SimulatedReply
  {
    let result: Result<String, TgtadmError>
    do {
      guard let text = try daemon?.answer(request, host) else { return .bytes([]) }
      result = .success(text)
    } catch let error as TgtadmError {
      result = .failure(error)
    } catch {
      daemon = nil
      return .bytes([])
    }
    if daemon?.hasEnded == true { daemon = nil }
    return .bytes(TgtadmReply.bytes(result))
  }

  func change<Value>(_ body: (inout Daemon) throws(LoginRefusal) -> sending Value) throws(LoginRefusal)
    -> sending Value
  {
    try state.withLock { state throws(LoginRefusal) in
      guard var daemon = state.daemon else { throw .connectionClosed }
      defer { state.daemon = daemon }
      return try body(&daemon)
    }
  }
}
