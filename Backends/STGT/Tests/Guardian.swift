import Glibc
import HostInterface
import Synchronization
import SystemPackage

/// A shell that runs in the background until it is told to end, or until this process ends.
final class Guardian: Sendable {
  private struct Running {
    var pid: pid_t
    /// The other end of the shell's standard input; the shell reads until it is closed.
    var leash: Int32
  }

  private let running = Mutex<Running?>(nil)

  deinit { end() }

  /// Starts a shell; its text must end when its standard input does.
  func begin(_ text: String, environment: [String] = []) throws {
    var pair: [Int32] = [0, 0]
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &pair) == 0 else {
      throw Failure.system(Errno(rawValue: errno), "a pair of sockets", "cannot make")
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_adddup2(&actions, pair[0], 0)
    defer { posix_spawn_file_actions_destroy(&actions) }
    // A thread of the test process may have signals blocked; a shell that inherits that waits for ever.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var pid: pid_t = 0
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    let number = withArguments(["sh", "-c", text]) { argv in
      withArguments([path] + environment) { posix_spawn(&pid, "/bin/sh", &actions, &attributes, argv, $0) }
    }
    close(pair[0])
    guard number == 0 else {
      close(pair[1])
      throw Failure.system(Errno(rawValue: number), "/bin/sh", "cannot start")
    }
    running.withLock { $0 = Running(pid: pid, leash: pair[1]) }
  }

  /// Ends the shell and waits until it is gone.
  func end() {
    let old = running.withLock { running in
      defer { running = nil }
      return running
    }
    guard let old else { return }
    close(old.leash)
    while waitpid(old.pid, nil, 0) < 0, errno == EINTR {}
  }
}

private func withArguments<Value>(
  _ words: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Value
) -> Value {
  var pointers = words.map { strdup($0) } + [nil]
  defer { pointers.forEach { free($0) } }
  return pointers.withUnsafeMutableBufferPointer { buffer in
    // Sound: the buffer holds at least the closing nil, so that it has a base address.
    body(buffer.baseAddress.unsafelyUnwrapped)
  }
}
