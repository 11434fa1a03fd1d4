import Glibc
import HostInterface
import SystemPackage

/// A shell that cleans up when this process is gone, however that happens, or when it is told to.
///
/// It waits for the end of its standard input, which only this process holds open.
final class Leash {
  private var pid: pid_t = 0
  private let input: Int32

  /// Starts the shell; `text` runs at the end, with `arguments` as `$1` and on.
  init(_ text: String, _ arguments: [String]) throws {
    var ends: [Int32] = [0, 0]
    // A pair of sockets and no pipe: another thread may start a command before a pipe would be marked.
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
      throw Failure.system(Errno(rawValue: errno), "a pair of sockets", "cannot make")
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
    defer { posix_spawn_file_actions_destroy(&actions) }
    // In a group of its own: a signal to this process's group, such as the interrupt key's, must not end it.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    defer { posix_spawnattr_destroy(&attributes) }
    let words = ["sh", "-c", "read -r end; \(text)", "sh"] + arguments
    var pointers = words.map { strdup($0) } + [nil]
    defer { pointers.forEach { free($0) } }
    let number = posix_spawn(&pid, "/bin/sh", &actions, &attributes, &pointers, environ)
    close(ends[0])
    input = ends[1]
    guard number == 0 else {
      close(input)
      throw Failure.system(Errno(rawValue: number), "/bin/sh", "cannot start")
    }
  }

  /// Lets the shell clean up, and waits for it.
  func end() {
    close(input)
    while waitpid(pid, nil, 0) < 0, errno == EINTR {}
  }
}
