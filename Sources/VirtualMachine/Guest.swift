import Glibc
import GuestProtocol
import HostInterface
import LinuxHost
import SystemPackage

/// A virtual machine that runs commands of the host's own file system on a real kernel.
///
/// Its root is the host's, read only, with what it changes kept in its memory and lost with it. It has `/proc`,
/// `/sys`, `/dev` and an empty `/run` of its own, and its kernel's modules in `/lib/modules`. Nothing is mounted
/// at `/sys/kernel/config`. It ends at the latest with this object or with the process that has it.
public final class Guest: Sendable {
  /// Where a program's output goes.
  public enum Stream: Sendable {
    case output, errors
  }

  /// Whether this process runs in such a guest.
  public static var isHere: Bool { getenv("QUARTET_IN_VM") != nil }

  /// Whether tests may start guests: not in a guest, and not with `QUARTET_VM=0` in the environment.
  public static var isWanted: Bool {
    !isHere && getenv("QUARTET_VM").map { String(cString: $0) } != "0"
  }

  private let name: String
  private let machine: Machine
  private let timer: Task<Void, Never>

  /// Switches a guest on and waits until it serves commands, which takes 2 to 10 s where it is emulated.
  ///
  /// - Throws: ``Failure/Code/unavailable`` when QEMU or the agent is missing or the guest ends before it serves,
  ///   with the end of its log; ``Failure/Code/timedOut`` at ``GuestConfiguration/startLimit``.
  public static func start(
    _ configuration: GuestConfiguration = GuestConfiguration(), on kernel: GuestKernel
  ) async throws -> Guest {
    let agent = try agentProgram()
    let accelerator = await Accelerator.best(kernel)
    for disk in configuration.disks { try await disk.prepare() }
    let machine = try Machine(configuration, kernel, accelerator, ["agent": agent.string])
    let guest = Guest(configuration, machine)
    switch await machine.ready.value(limit: configuration.startLimit) {
    case true?:
      return guest
    case false?:
      throw guest.gone("ended before it served a command")
    case nil where Task.isCancelled:
      throw Failure(.interrupted, configuration.name, "its power was cut, because the run was interrupted")
    case nil:
      throw Failure(
        .timedOut, configuration.name, "serves no command after \(configuration.startLimit)",
        answer: guest.log.ending(10))
    }
  }

  private init(_ configuration: GuestConfiguration, _ machine: Machine) {
    name = configuration.name
    self.machine = machine
    let limit = configuration.lifeLimit
    timer = Task { [weak machine] in
      _ = await machine?.ready.value(limit: configuration.startLimit)
      if (try? await Task.sleep(for: limit)) != nil { machine?.cutPower() }
    }
  }

  deinit {
    timer.cancel()
    machine.cutPower()
  }

  /// What its console said so far.
  public var log: KernelLog { machine.log }

  /// The host's end of a stream to one program in the guest; its file is at its end when the guest is gone.
  ///
  /// In the guest it is the virtio port named `quartet.line`: `/dev/vportNpM`, as `/sys/class/virtio-ports` tells. What
  /// is sent before a program has opened it is lost.
  ///
  /// - Returns: A descriptor of the caller's own.
  public func line() throws -> FileDescriptor {
    let copy = fcntl(machine.line.rawValue, F_DUPFD_CLOEXEC, 0)
    guard copy >= 0 else { throw Failure.system(Errno(rawValue: errno), name, "cannot open its line") }
    return FileDescriptor(rawValue: copy)
  }

  /// Runs a program of the host's file system to its end; any number may run at once.
  ///
  /// - Parameters:
  ///   - argv: The program, looked up in `PATH` unless it has a slash, and its arguments.
  ///   - environment: Added to `PATH`, `HOME` and `QUARTET_IN_VM=1`.
  ///   - directory: Where it starts.
  ///   - limit: How long it may take; it is killed then, with its process group.
  ///   - observe: Gets what it prints, as it comes; called from a thread that must not be blocked.
  /// - Returns: What it printed, and its exit status: 127 when the guest cannot start it, 128 plus the signal
  ///   that ended it.
  /// - Throws: ``Failure/Code/timedOut`` at the limit, ``Failure/Code/interrupted`` when the task is cancelled,
  ///   ``Failure/Code/unavailable`` when the guest ends first.
  public func run(
    _ argv: [String], environment: [String: String] = [:], directory: FilePath = "/", limit: Duration,
    observe: @escaping @Sendable (Stream, [UInt8]) -> Void = { _, _ in }
  ) async throws -> CommandResult {
    var variables = [
      "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
    ]
    variables.merge(environment) { $1 }
    variables["QUARTET_IN_VM"] = "1"
    let command = GuestCommand(
      argv: argv, environment: variables.map { "\($0)=\($1)" }.sorted(), directory: directory.string)
    let payload = try command.payload()
    let run = GuestRun(observe)
    let number = machine.register(run)
    defer { machine.forget(number) }
    try machine.send(Frame(.run, command: number, payload: payload))
    switch await run.ended.value(limit: limit) {
    case let status??: return try run.result(argv[0], status: status)
    case .some(nil): throw gone("ended while \(argv[0]) ran in it")
    case nil:
      try? machine.send(Frame(.kill, command: number))
      guard !Task.isCancelled else {
        throw Failure(.interrupted, argv[0], "was killed in \(name), because the run was interrupted")
      }
      throw Failure(.timedOut, argv[0], "was killed in \(name), because it ran longer than \(limit)")
    }
  }

  /// Ends the guest as a power cut would; what it has not written to its disks is lost.
  public func cutPower() { machine.cutPower() }

  /// Lets the guest write its file systems back and switch itself off.
  ///
  /// - Parameter allowed: Texts in lines of its log that are no alarm.
  /// - Throws: ``Failure/Code/timedOut`` when it is not off after 30 s, and its power was cut;
  ///   ``Failure/Code/refused`` when its kernel told of a defect.
  public func shutDown(allowedInLog allowed: [String] = []) async throws {
    // A guest that is gone already is off.
    try? machine.send(Frame(.powerOff))
    guard await machine.ended.value(limit: .seconds(30)) != nil else {
      machine.cutPower()
      throw Failure(.timedOut, name, "does not switch itself off", answer: log.ending(10))
    }
    let alarms = log.alarms(except: allowed)
    guard alarms.isEmpty else {
      throw Failure(
        .refused, name, "its kernel told of a defect", answer: alarms.prefix(5).joined(separator: "\n"))
    }
  }

  private func gone(_ problem: String) -> Failure {
    Failure(.unavailable, name, problem, answer: log.ending(10))
  }

  /// The agent that is built with this program, beside it.
  private static func agentProgram() throws -> FilePath {
    let host = LocalHost()
    let program = try host.readLink("/proc/self/exe")
    let agent = program.removingLastComponent().appending("guest-agent")
    guard try host.status(agent) != nil else {
      throw Failure(
        .unavailable, "\(agent)", "the guest's agent is not built",
        remedy: "run swift build --product guest-agent")
    }
    return agent
  }
}
