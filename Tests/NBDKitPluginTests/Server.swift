import Glibc
import HostInterface
import NBDTesting
import SystemPackage
import Testing

/// nbdkit with the plugin, on the legs of a scratch pool.
final class Server {
  let pool: ScratchPool
  let socket: FilePath
  private(set) var pid: pid_t = 0
  private let notices: Int32
  private let log: FilePath

  /// The plugin stands beside the tests.
  static var plugin: FilePath {
    var path = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &path, path.count)
    let program = FilePath(
      String(decoding: path.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self))
    return program.removingLastComponent().appending("libnbdkit-quartet-plugin.so")
  }

  /// Starts it, and waits until it says that it is ready.
  ///
  /// - Parameters:
  ///   - pool: Where its files are.
  ///   - parameters: What stands behind the plugin.
  ///   - name: What its files are called.
  init(_ pool: ScratchPool, parameters: [String] = ["pool=p"], name: String = "nbd") throws {
    self.pool = pool
    socket = pool.directory.appending(name)
    log = pool.directory.appending(name + "-log")
    let notify = pool.directory.appending(name + "-notify")
    unlink(socket.string)
    unlink(notify.string)
    notices = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    try #require(withAddress(of: notify) { bind(notices, $0, $1) } == 0)
    // In the background: nbdkit is else ended by the end of the thread that starts it, which is one of Swift's pool.
    try spawn(
      ["nbdkit", "-f", "-U", socket.string, Self.plugin.string] + parameters
        + (parameters.contains { $0.hasPrefix("pool=") } ? ["background=true"] : []), notify: notify)
  }

  deinit {
    if pid > 0 {
      kill(pid, SIGKILL)
      waitpid(pid, nil, 0)
    }
    close(notices)
  }

  private func spawn(_ argv: [String], notify: FilePath) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, log.string, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    var words: [UnsafeMutablePointer<CChar>?] = argv.map { strdup($0) } + [nil]
    let environment = [
      "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "NOTIFY_SOCKET=\(notify)",
      "QUARTET_POOL_DIR=\(pool.places.descriptions)", "QUARTET_RUNTIME_DIR=\(pool.places.runtime)",
    ]
    var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
    defer { for text in words + variables { free(text) } }
    // The threads of tests have every signal blocked, which a child would inherit.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    try #require(posix_spawnp(&pid, "nbdkit", &actions, &attributes, &words, &variables) == 0)
  }

  /// Where clients find an export.
  func uri(of export: String) -> String { "nbd+unix:///\(export)?socket=\(socket)" }

  /// What it wrote.
  var messages: String {
    guard let file = try? FileDescriptor.open(log, .readOnly) else { return "" }
    defer { try? file.close() }
    var bytes = [UInt8](repeating: 0, count: 64 << 10)
    let count = bytes.withUnsafeMutableBytes { (try? file.read(into: $0)) ?? 0 }
    return String(decoding: bytes.prefix(count), as: UTF8.self)
  }

  /// The next that it tells its service manager; nil when it tells nothing for ten seconds, or has ended.
  func notice() -> String? {
    for _ in 0..<100 {
      var entry = pollfd(fd: notices, events: Int16(POLLIN), revents: 0)
      if poll(&entry, 1, 100) > 0 {
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = recv(notices, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
      }
      if hasEnded() != nil { return nil }
    }
    return nil
  }

  func signal(_ number: Int32) { if pid > 0 { kill(pid, number) } }

  /// Its wait status, once it has ended.
  private func hasEnded() -> Int32? {
    var status: Int32 = 0
    guard pid > 0, waitpid(pid, &status, WNOHANG) == pid else { return nil }
    pid = 0
    return status
  }

  /// Waits for its end: its exit status, or 128 and the number of the signal that killed it.
  func end() throws -> Int32 {
    for _ in 0..<10000 {
      if let status = hasEnded() { return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f }
      usleep(1000)
    }
    Issue.record("nbdkit did not end within ten seconds: \(messages)")
    return -1
  }

  /// Sends SIGTERM, and waits for its end.
  func stop() throws {
    signal(SIGTERM)
    let status = try end()
    #expect(status == 0, "\(messages)")
  }
}
