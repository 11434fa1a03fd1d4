import Glibc
import HostInterface
import Synchronization
import SystemPackage

extension LocalHost {
  /// Takes a lock by flock(2) on `NAME.lock` in the lock directory.
  ///
  /// The kernel gives the lock up with the process that holds it, however that ends; commands that the process
  /// runs do not inherit it. The file stays, with the pid of the last holder.
  ///
  /// - Throws: ``Failure/Code/locked`` at the limit, ``Failure/Code/interrupted`` when the task is cancelled,
  ///   ``Failure/Code/permission`` when the lock directory is not this user's alone.
  public func lock(_ name: String, limit: Duration) async throws -> any HostLock {
    guard !name.isEmpty, !name.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == 0 }) else {
      throw Failure(.invalid, "lock \(name)", "a lock's name has at least one character and no slash")
    }
    let directory = try LockDirectory.prepare(lockDirectory)
    let path = directory.appending("\(name).lock")
    let file = try onPath(path, "cannot open the lock") {
      try FileDescriptor.open(
        path, .readWrite, options: [.create, .closeOnExec, .noFollow], permissions: .ownerReadWrite)
    }
    do {
      try await take(file, path: path, name: name, limit: limit)
      try onPath(path, "cannot write the lock's holder") {
        try checked(ftruncate(file.rawValue, 0))
        try file.writeAll("\(getpid())\n".utf8)
      }
    } catch {
      try? file.close()
      throw error
    }
    return FileLock(file)
  }

  private func take(_ file: FileDescriptor, path: FilePath, name: String, limit: Duration) async throws {
    let deadline = ContinuousClock.now + limit
    var pause = Duration.milliseconds(5)
    while flock(file.rawValue, LOCK_EX | LOCK_NB) != 0 {
      let number = Errno(rawValue: errno)
      if number == .interrupted { continue }
      guard number == .wouldBlock else { throw Failure.system(number, "\(path)", "cannot lock") }
      let left = deadline - .now
      guard left > .zero else {
        throw Failure(
          .locked, "lock \(name)", "is held by \(holder(path)), waited \(limit) for it",
          remedy: "wait for that process to end")
      }
      try await sleep(min(left, pause))
      pause = min(pause * 2, .milliseconds(100))
    }
  }

  private func holder(_ path: FilePath) -> String {
    guard let pid = (try? text(path)).flatMap({ Int32($0.trimmed) }) else { return "another process" }
    let command = try? text(FilePath("/proc/\(pid)/comm")).trimmed
    return command.map { "pid \(pid) (\($0))" } ?? "pid \(pid)"
  }
}

/// A lock on an open file.
private final class FileLock: HostLock {
  private let file: Mutex<FileDescriptor?>

  init(_ file: FileDescriptor) { self.file = Mutex(file) }

  func release() {
    let file = file.withLock { file in
      defer { file = nil }
      return file
    }
    guard let file else { return }
    // Not by close(2) alone: a child between fork and exec may have the file open for another moment.
    flock(file.rawValue, LOCK_UN)
    try? file.close()
  }
}

/// Where locks are.
enum LockDirectory {
  /// The directory, made if it is missing, and known to be this user's alone.
  static func prepare(_ given: FilePath?) throws -> FilePath {
    let directory = given ?? usual
    let made = mkdir(directory.string, 0o700)
    if made != 0, errno != EEXIST {
      throw Failure.system(
        Errno(rawValue: errno), "\(directory)", "cannot make the lock directory",
        remedy: "set QUARTET_LOCK_DIR to a directory of yours")
    }
    var found = stat()
    // lstat(2), since in /tmp another user could have put a link there.
    try onPath(directory, "cannot look at the lock directory") {
      try checked(lstat(directory.string, &found))
    }
    guard found.st_mode & S_IFMT == S_IFDIR, found.st_uid == geteuid(), found.st_mode & 0o022 == 0 else {
      throw Failure(
        .permission, "\(directory)",
        "is not a directory that only uid \(geteuid()) can write, as a lock needs",
        remedy: "remove it, or set QUARTET_LOCK_DIR to another directory")
    }
    return directory
  }

  private static var usual: FilePath {
    func variable(_ name: String) -> FilePath? {
      guard let value = getenv(name), value[0] != 0 else { return nil }
      return FilePath(platformString: value)
    }
    if let named = variable("QUARTET_LOCK_DIR") { return named }
    if geteuid() == 0 { return "/run/quartet" }
    if let runtime = variable("XDG_RUNTIME_DIR") { return runtime.appending("quartet") }
    return FilePath("/tmp/quartet-\(geteuid())")
  }
}
