import Glibc
import HostInterface
import SystemPackage

extension LocalHost {
  /// Runs a command in a session of its own, without a shell and without a terminal.
  ///
  /// At its limit, or when the task is cancelled, the command and what it started get SIGTERM and 1 s later
  /// SIGKILL. A child that it leaves behind with its output open is not waited for.
  ///
  /// - Throws: ``Failure/Code/unavailable`` when there is no such program; ``Failure/Code/timedOut`` at the limit;
  ///   ``Failure/Code/stillRunning`` when not even SIGKILL ends it, as with a process that waits for a dead disk;
  ///   ``Failure/Code/garbled`` when it prints more than 16 MiB. Of standard error the first 64 KiB are kept.
  public func run(_ argv: [String], environment: [String: String], input: [UInt8], limit: Duration)
    async throws
    -> CommandResult
  {
    guard let program = argv.first, !program.isEmpty else {
      throw Failure(.invalid, "a command", "has no program")
    }
    guard !argv.contains(where: { $0.utf8.contains(0) }) else {
      throw Failure(.invalid, program, "an argument has a zero byte in it")
    }
    guard let path = executable(program) else {
      throw Failure(
        .unavailable, program, "there is no such program in PATH and the sbin directories",
        remedy: "install the package that has it")
    }
    let command = RunningCommand(path: path, argv: argv, environment: environment, input: input)
    return try await command.run(limit: limit)
  }

  /// Where a program is: by `PATH`, then /usr/local/sbin, /usr/sbin, /sbin, /usr/bin and /bin.
  ///
  /// A name with a slash is a path. Directories of `PATH` that are not absolute are not searched.
  public func executable(_ name: String) -> FilePath? {
    guard !name.isEmpty, !name.utf8.contains(0) else { return nil }
    if name.contains("/") { return isExecutable(FilePath(name)) ? FilePath(name) : nil }
    let path = getenv("PATH").map { String(cString: $0) } ?? ""
    let directories = path.split(separator: ":").filter { $0.hasPrefix("/") }.map { FilePath(String($0)) }
    let usual: [FilePath] = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"]
    return (directories + usual).lazy.map { $0.appending(name) }.first(where: isExecutable)
  }

  private func isExecutable(_ path: FilePath) -> Bool {
    var found = stat()
    return access(path.string, X_OK) == 0 && stat(path.string, &found) == 0
      && found.st_mode & S_IFMT == S_IFREG
  }
}
