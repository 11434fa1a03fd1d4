import Glibc
import HostInterface
import SystemPackage

/// A running QEMU that ends with whoever started it.
///
/// A shell stands between the two and reads a socket whose other end only this process has. When that is shut
/// down, or this process ends in whatever way, the shell kills QEMU. Sockets and disks are inherited as
/// descriptors, so nothing is in the file system that would have to be removed.
final class Emulator: Sendable {
  /// The numbers that QEMU has its descriptors by; those that are passed to it follow.
  enum Number {
    static let console = 3
    static let agent = 4
    static let line = 5
    static let firstPassed = 6
  }

  /// What the console of the guest and QEMU itself print.
  let console: FileDescriptor
  /// The guest's agent.
  let agent: FileDescriptor
  /// The serial port that a program in the guest may use.
  let line: FileDescriptor
  private let lifeline: FileDescriptor
  private let watcher: pid_t

  // The watcher must not hold the sockets open, or nobody would see that QEMU is gone.
  private static let script = """
    "$@" & machine=$!
    exec >&- 2>&- 3>&- 4>&- 5>&-
    read -r word
    kill -9 $machine
    wait $machine
    """

  /// Starts QEMU.
  ///
  /// - Parameters:
  ///   - arguments: What follows the program's name.
  ///   - files: Descriptors that it gets from ``Number/firstPassed`` on; they stay the caller's.
  init(_ arguments: [String], passing files: [FileDescriptor]) throws {
    let console = try socketPair()
    let agent = try socketPair()
    let line = try socketPair()
    let life = try socketPair()
    self.console = console.ours
    self.agent = agent.ours
    self.line = line.ours
    lifeline = life.ours
    let given =
      [life.theirs, console.theirs, console.theirs, console.theirs, agent.theirs, line.theirs] + files
    defer { for end in [life.theirs, console.theirs, agent.theirs, line.theirs] { try? end.close() } }
    watcher = try spawn(
      "/bin/sh", ["sh", "-c", Self.script, "sh", "qemu-system-x86_64"] + arguments, passing: given)
  }

  deinit {
    cutPower()
    for end in [lifeline, console, agent, line] { try? end.close() }
    // As long as a SIGKILL takes.
    var status: Int32 = 0
    while waitpid(watcher, &status, 0) < 0, errno == EINTR {}
  }

  /// Kills QEMU, which the guest sees no more of than of a power cut; safe to call again.
  func cutPower() { shutdown(lifeline.rawValue, Int32(SHUT_RDWR)) }
}

/// Two stream sockets that are connected to each other; neither survives an exec that does not ask for it.
func socketPair(
  _ type: __socket_type = SOCK_STREAM
) throws -> (ours: FileDescriptor, theirs: FileDescriptor) {
  var ends: [Int32] = [-1, -1]
  guard socketpair(AF_UNIX, Int32(type.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
    throw Failure.system(Errno(rawValue: errno), "virtual machine", "cannot make a socket")
  }
  return (FileDescriptor(rawValue: ends[0]), FileDescriptor(rawValue: ends[1]))
}

/// Starts a program in a session of its own, so that an interrupt from the terminal does not reach it.
///
/// - Parameter files: What it gets as its descriptors 0, 1 and so on; it gets no others.
private func spawn(_ program: String, _ argv: [String], passing files: [FileDescriptor]) throws -> pid_t {
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  // Through numbers out of the way first, so that no dup2 closes what a later one needs.
  let copies = files.map { fcntl($0.rawValue, F_DUPFD_CLOEXEC, 256) }
  defer { for copy in copies where copy >= 0 { close(copy) } }
  for (number, copy) in zip(Int32(0)..., copies) {
    guard copy >= 0 else { throw Failure(.refused, program, "cannot be given its descriptors") }
    posix_spawn_file_actions_adddup2(&actions, copy, number)
  }
  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  // The thread that this runs on has all signals blocked, and QEMU would never get its timers'.
  var none = sigset_t()
  sigemptyset(&none)
  posix_spawnattr_setsigmask(&attributes, &none)
  // POSIX_SPAWN_SETSID of spawn.h is 0x80; Swift does not see it.
  posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | 0x80))
  var words = argv.map { strdup($0) } + [nil]
  defer { for word in words { free(word) } }
  var process = pid_t()
  let answer = posix_spawn(&process, program, &actions, &attributes, &words, environ)
  guard answer == 0 else { throw Failure.system(Errno(rawValue: answer), program, "cannot run it") }
  return process
}
