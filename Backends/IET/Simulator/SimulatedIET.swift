import HostInterface
import Simulation
import Synchronization
import SystemPackage

/// IET on a ``Simulation/SimulatedHost``: the module iscsi_trgt, /proc/net/iet, ietd and ietadm, and open-iscsi on the
/// machine itself as an initiator.
///
/// It answers as IET 1.4.19 does (Fixtures/IET), with what that answers 0 to and does not do.
public final class SimulatedIET: SimulatedService {
  let machine: Mutex<IETMachine>
  private let host = Mutex(WeakHost())
  private let startsLoaded: Bool
  private let startsRunning: Bool

  struct WeakHost {
    weak var host: SimulatedHost?
  }

  /// An IET.
  ///
  /// - Parameters:
  ///   - version: Which.
  ///   - isLoaded: Whether the module is loaded.
  ///   - isRunning: Whether ietd runs; with the module only.
  ///   - addresses: The machine's addresses, in the order of its interfaces.
  public init(
    _ version: IETVersion = .release19, isLoaded: Bool = true, isRunning: Bool = true,
    addresses: [String] = ["127.0.0.1", "::1"]
  ) {
    var machine = IETMachine(version: version)
    machine.initiators.addresses = addresses
    self.machine = Mutex(machine)
    startsLoaded = isLoaded
    startsRunning = isLoaded && isRunning
  }

  /// The programs of IET and open-iscsi, and those of the system that it answers for.
  public var programs: [String] { ["ietadm", "ietd", "iscsiadm", "rmmod", "cat", "grep", "timeout", "sh"] }

  /// Installs the module and the list directory.
  public func attach(to host: SimulatedHost) {
    self.host.withLock { $0.host = host }
    host.install(module: Self.module, loaded: startsLoaded)
    host.addDirectory("/etc/iet")
    host.mount(ProcDirectory(iet: self), at: ProcDirectory.path)
    if startsRunning { _ = start(["ietd"], on: host) }
  }

  static let module = "iscsi_trgt"

  /// The machine that it is on, while that is there.
  var machineHost: SimulatedHost? { host.withLock { $0.host } }

  var isLoaded: Bool { (try? machineHost?.isModuleLoaded(Self.module)) ?? false }

  /// Whether ietd runs.
  public var isRunning: Bool { machine.withLock { $0.daemon != nil } }

  /// Ends ietd as a signal does: the kernel removes all targets and sessions.
  public func die() { machine.withLock { $0.endDaemon() } }

  /// Says whether commands are run by root.
  public func setCaller(isRoot: Bool) { machine.withLock { $0.callerIsRoot = isRoot } }

  /// A device stops answering, and a command to a logical unit on it waits.
  public func suspend(_ path: String, target: String, lun: UInt32) {
    machine.withLock { machine in
      machine.suspended.insert(path)
      machine.beginCommand(target, lun)
    }
  }

  /// All devices answer again.
  public func resume() {
    machine.withLock { $0.resume() }
    letInitiatorsBack()
  }

  /// The identity that initiators see of a logical unit, as IET keeps it; nil when there is no such unit.
  public func identity(target: String, lun: UInt32) -> (scsiID: String, serial: String)? {
    machine.withLock { machine in
      let volumes = machine.kernel.targets.first { $0.name == target }?.volumes
      return volumes?.first { $0.lun == lun }.map { ($0.scsiID, $0.serial) }
    }
  }

  /// The secret of an account that initiators must know; nil when there is no such account.
  public func secret(of user: String, target: String) -> String? {
    machine.withLock { machine in
      guard let daemon = machine.daemon, let tid = daemon.target(named: target)?.tid else { return nil }
      return daemon.accounts(tid, .incoming).first { $0.name == user }?.secret
    }
  }

  /// Runs one of its programs.
  public func run(_ invocation: SimulatedInvocation, on host: SimulatedHost) -> SimulatedOutcome? {
    let argv = invocation.argv
    switch invocation.program {
    case "ietadm": return ietadm(argv, on: host)
    case "ietd": return .ended(start(argv, on: host))
    case "iscsiadm": return .ended(iscsiadm(argv, on: host))
    case "rmmod": return removeModule(argv, on: host)
    case "cat": return concatenate(argv, on: host)
    case "grep": return search(argv, on: host)
    case "timeout": return limited(invocation, on: host)
    case "sh": return shell(argv)
    default: return nil
    }
  }

  private func ietadm(_ argv: [String], on host: SimulatedHost) -> SimulatedOutcome {
    let result = machine.withLock { machine in machine.ietadm(argv) { self.look($0, on: host) } }
    letInitiatorsBack()
    return result.map { .ended($0) } ?? .hangs
  }

  /// What is at a path; the lists in /proc are no backing.
  func look(_ path: String, on host: SimulatedHost) -> FoundBacking? {
    guard let status = try? host.status(FilePath(path)) else { return nil }
    let holders = try? host.holders(of: FilePath(path))
    return FoundBacking(kind: status.kind, size: status.size, isHeld: holders?.isEmpty == false)
  }
}

extension SimulatedIET {
  /// Starts ietd; a second one ends what the first exports, and itself.
  func start(_ argv: [String], on host: SimulatedHost) -> CommandResult {
    guard isLoaded else {
      return CommandResult(
        status: 255,
        output: Array("cannot find iscsictl in /proc/devices - make sure the module is loaded\n".utf8),
        errors: "ctldev fd: Success\n")
    }
    let texts = Self.configurationPaths(argv).lazy.compactMap { try? host.read(FilePath($0)) }
    let text = texts.first
    let port = zip(argv, argv.dropFirst()).first { $0.0 == "-p" }.flatMap { UInt16($0.1) } ?? 3260
    return machine.withLock { machine in
      guard machine.daemon == nil else {
        machine.kernel.removeAll()
        return CommandResult(status: 255, errors: "ipc fd: Address already in use\n")
      }
      machine.daemon = Daemon(port: port)
      if let text { machine.load(text) { self.look($0, on: host) } }
      return CommandResult(status: 0)
    }
  }

  /// A file that is named and missing is looked for where the old one was.
  private static func configurationPaths(_ argv: [String]) -> [String] {
    let named = zip(argv, argv.dropFirst()).first { $0.0 == "-c" }?.1
    return [named ?? "/etc/iet/ietd.conf", "/etc/ietd.conf"]
  }
}
