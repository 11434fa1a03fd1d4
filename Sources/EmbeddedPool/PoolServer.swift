import Glibc
import HostInterface
import ReplicatedVolume
import SystemPackage

/// The process that serves a pool: nbdkit with Quartet's plugin.
package struct PoolServer: Sendable {
  /// The pools of the machine.
  package let pools: EmbeddedPools
  /// The pool.
  package let name: PoolName
  /// The plugin: a path, or a name that nbdkit looks for in its own directory.
  package var plugin: String
  /// Whether it serves although a leg is missing that may have newer data.
  package var allowsMissingLegs = false

  /// The server of a pool.
  package init(of name: PoolName, in pools: EmbeddedPools, plugin: String) {
    (self.pools, self.name, self.plugin) = (pools, name, plugin)
  }

  /// The process that serves the pool now, as the kernel tells it; nil when none does.
  package static func process(_ name: PoolName, in pools: EmbeddedPools) throws -> Int32? {
    guard let client = try ControlClient(pools.places.control(of: name)) else { return nil }
    return client.server
  }

  private func arguments(inBackground: Bool) -> [String] {
    ["nbdkit", "--foreground", "--unix", pools.places.socket(of: name).string, plugin, "pool=\(name)"]
      + (allowsMissingLegs ? ["missing-legs=true"] : []) + (inBackground ? ["background=true"] : [])
  }

  /// Makes everything ready to start.
  private func prepare() throws -> FilePath {
    _ = try pools.existing(name)
    if let process = try Self.process(name, in: pools) {
      throw Failure(.inUse, "pool \(name)", "is served already, by process \(process)")
    }
    guard let program = pools.host.executable("nbdkit") else {
      throw Failure(
        .unavailable, "nbdkit", "is needed to serve a pool, and is not installed", remedy: "install nbdkit")
    }
    if plugin.hasPrefix("/"), try pools.host.status(FilePath(plugin)) == nil {
      throw Failure(.unavailable, plugin, "nbdkit's plugin is not there", remedy: "install Quartet whole")
    }
    let socket = pools.places.socket(of: name)
    try pools.places.makeDirectory(socket.removingLastComponent(), on: pools.host)
    // Nobody serves the pool: whoever made it is gone.
    if unlink(socket.string) != 0, errno != ENOENT {
      throw Failure.system(Errno(rawValue: errno), "\(socket)", "cannot remove what is there")
    }
    return program
  }

  /// Becomes the server: this process is nbdkit from then on, and ends with the pool closed on SIGTERM.
  ///
  /// - Throws: ``Failure`` when that is not possible.
  package func replaceThisProcess() throws -> Never {
    let program = try prepare()
    // Who serves it like this ends it as well.
    _ = unlink(pools.places.attachMark(of: name).string)
    var words: [UnsafeMutablePointer<CChar>?] = arguments(inBackground: false).map { strdup($0) }
    words.append(nil)
    execv(program.string, words)
    throw Failure.system(Errno(rawValue: errno), "\(program)", "cannot be run")
  }

  /// Starts the server in a session of its own, and waits until it answers.
  ///
  /// - Throws: ``Failure`` with what the server told, when it ends before.
  package func startInBackground(limit: Duration = .seconds(60)) async throws {
    let program = try prepare()
    let log = pools.places.log(of: name)
    let process = try spawn(program, log)
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
      if try Self.process(name, in: pools) != nil { return }
      var status: Int32 = 0
      if waitpid(process, &status, WNOHANG) == process {
        let told = (try? pools.host.text(log).trimmed) ?? ""
        throw Failure(
          .refused, "pool \(name)", "the process that was to serve it has ended", answer: Self.tail(told),
          remedy: told.isEmpty ? "run `quartet pool serve \(name)` to see why" : nil)
      }
      try await pools.host.sleep(.milliseconds(20))
    }
    kill(process, SIGTERM)
    throw Failure(.timedOut, "pool \(name)", "the process that serves it did not answer within \(limit)")
  }

  private static func tail(_ text: String) -> String {
    text.split(separator: "\n").suffix(5).joined(separator: "; ")
  }

  private func spawn(_ program: FilePath, _ log: FilePath) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(
      &actions, STDOUT_FILENO, log.string, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600)
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // POSIX_SPAWN_SETSID (spawn.h), which is declared only with _GNU_SOURCE: no terminal takes it along.
    posix_spawnattr_setflags(&attributes, 0x80)
    var words: [UnsafeMutablePointer<CChar>?] = arguments(inBackground: true).map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    var process = pid_t()
    let result = posix_spawn(&process, program.string, &actions, &attributes, words, environ)
    guard result == 0 else { throw Failure.system(Errno(rawValue: result), "\(program)", "cannot be run") }
    return process
  }

  /// Ends the process that serves a pool, and waits until the pool is closed.
  ///
  /// - Returns: False when none serves it.
  /// - Throws: ``Failure`` with code `inUse` while a volume is in use.
  package static func stop(
    _ name: PoolName, in pools: EmbeddedPools, limit: Duration = .seconds(60)
  ) async throws -> Bool {
    guard let process = try process(name, in: pools) else { return false }
    let report = try await pools.report(pools.existing(name))
    let open = report.volumes.filter(\.isOpen).map(\.name)
    guard open.isEmpty else {
      throw Failure(
        .inUse, "pool \(name)", "cannot be stopped: \(open.joined(separator: ", ")) in use",
        remedy: "run `quartet volume detach \(name)/\(open[0])` first")
    }
    guard kill(process, SIGTERM) == 0 else {
      throw Failure.system(Errno(rawValue: errno), "process \(process)", "cannot be ended")
    }
    let deadline = ContinuousClock.now + limit
    while kill(process, 0) == 0 {
      if hasEnded(process, pools.host) { break }
      guard ContinuousClock.now < deadline else {
        throw Failure(.timedOut, "pool \(name)", "process \(process) has not ended within \(limit)")
      }
      try await pools.host.sleep(.milliseconds(20))
    }
    _ = unlink(pools.places.socket(of: name).string)
    return true
  }

  /// Whether a process is only waited for by the one that started it (proc(5), /proc/PID/stat).
  private static func hasEnded(_ process: Int32, _ host: any Host) -> Bool {
    guard let stat = try? host.text(FilePath("/proc/\(process)/stat")) else { return true }
    return stat.split(separator: ")").last?.trimmed.hasPrefix("Z") == true
  }
}
