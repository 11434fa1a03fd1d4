import Glibc
import HostInterface
import SystemPackage

/// What a program used.
struct Usage {
  var wall: Duration
  /// Of the program and of the children that it waited for, user and system.
  var cpu: Duration
}

/// A program that runs beside this one, its output going to a file.
final class Child {
  private let pid: pid_t
  private let begin = ContinuousClock.now

  /// Starts a program, by `PATH` where its name has no slash.
  init(_ argv: [String], environment: [String: String] = [:], output: String = "/dev/null") throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    var words = argv.map { strdup($0) } + [nil]
    var variables = Self.variables(with: environment).map { strdup($0) } + [nil]
    defer { (words + variables).forEach { free($0) } }
    var pid: pid_t = 0
    let number = posix_spawnp(&pid, argv[0], &actions, nil, &words, &variables)
    guard number == 0 else {
      throw Failure.system(Errno(rawValue: number), argv[0], "cannot start", remedy: "run `make deps`")
    }
    self.pid = pid
  }

  /// Ends it at once.
  func kill() {
    Glibc.kill(pid, SIGKILL)
    while waitpid(pid, nil, 0) < 0, errno == EINTR {}
  }

  /// Waits for its end.
  func end() -> (status: Int32, usage: Usage) {
    var status: Int32 = 0
    var used = rusage()
    while wait4(pid, &status, 0, &used) < 0, errno == EINTR {}
    let usage = Usage(wall: .now - begin, cpu: used.ru_utime.duration + used.ru_stime.duration)
    return (status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f), usage)
  }

  /// Runs a program to its end, which must be a good one.
  static func run(_ argv: [String], environment: [String: String] = [:], output: String = "/dev/null") throws
    -> Usage
  {
    let (status, usage) = try Child(argv, environment: environment, output: output).end()
    guard status == 0 else {
      throw Failure(
        .refused, argv.joined(separator: " "), "ended with status \(status)", remedy: "see \(output)")
    }
    return usage
  }

  private static func variables(with more: [String: String]) -> [String] {
    var all: [String: String] = [:]
    var next = environ
    while let line = next.pointee {
      let parts = String(cString: line).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 { all[String(parts[0])] = String(parts[1]) }
      next += 1
    }
    return all.merging(more) { $1 }.map { "\($0.key)=\($0.value)" }
  }
}

extension timeval {
  fileprivate var duration: Duration { .seconds(tv_sec) + .microseconds(tv_usec) }
}
