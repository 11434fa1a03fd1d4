import Glibc
import GuestProtocol
import HostInterface
import SystemPackage

/// A program that the agent started, in a session of its own, with nothing on standard input.
struct Child {
  /// A pipe that the program writes to.
  struct Stream {
    let pipe: FileDescriptor
    let kind: Frame.Kind
    let command: UInt32
  }

  let process: pid_t
  let command: UInt32
  /// The pipes that are not at their end.
  var open: [Stream]

  /// Starts it.
  init(_ command: GuestCommand, number: UInt32) throws {
    let output = try FileDescriptor.pipe()
    let errors = try FileDescriptor.pipe()
    for end in [output.readEnd, errors.readEnd] { _ = fcntl(end.rawValue, F_SETFD, FD_CLOEXEC) }
    defer { for end in [output.writeEnd, errors.writeEnd] { try? end.close() } }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, output.writeEnd.rawValue, 1)
    posix_spawn_file_actions_adddup2(&actions, errors.writeEnd.rawValue, 2)
    posix_spawn_file_actions_addclose(&actions, output.writeEnd.rawValue)
    posix_spawn_file_actions_addclose(&actions, errors.writeEnd.rawValue)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // POSIX_SPAWN_SETSID of spawn.h is 0x80; Swift does not see it.
    posix_spawnattr_setflags(&attributes, Int16(0x80))
    // The child starts where the agent is, and posix_spawnp looks in the agent's PATH.
    guard chdir(command.directory) == 0 else {
      let cause = Errno(rawValue: errno)
      for end in [output.readEnd, errors.readEnd] { try? end.close() }
      throw Failure.system(cause, command.directory, "cannot start \(command.argv[0]) in it in the guest")
    }
    if let path = command.environment.last(where: { $0.hasPrefix("PATH=") }) {
      setenv("PATH", String(path.dropFirst(5)), 1)
    }
    var argv = command.argv.map { strdup($0) } + [nil]
    var environment = command.environment.map { strdup($0) } + [nil]
    defer { for string in argv + environment { free(string) } }
    var process = pid_t()
    let answer = posix_spawnp(&process, command.argv[0], &actions, &attributes, &argv, &environment)
    guard answer == 0 else {
      for end in [output.readEnd, errors.readEnd] { try? end.close() }
      throw Failure.system(
        Errno(rawValue: answer), command.argv[0], "cannot run it in the guest")
    }
    self.process = process
    self.command = number
    open = [
      Stream(pipe: output.readEnd, kind: .output, command: number),
      Stream(pipe: errors.readEnd, kind: .errors, command: number),
    ]
  }
}
