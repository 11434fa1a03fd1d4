import BlockEngine
import Glibc
import HostInterface
import LinuxBlockDevices
import NBDClient
import SystemPackage
import Testing

/// A directory of one test, with files of its legs and sockets.
final class Scratch {
  let directory: FilePath

  init() throws {
    var template = Array("/var/tmp/quartet-test-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    directory = FilePath(platformString: template)
  }

  deinit {
    guard let stream = opendir(directory.string) else { return }
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      unlink(directory.appending(name).string)
    }
    closedir(stream)
    rmdir(directory.string)
  }

  /// A file of zeroes.
  func file(_ name: String, size: Int) throws -> FilePath {
    let path = directory.appending(name)
    let file = try FileDescriptor.open(path, .readWrite, options: .create, permissions: .ownerReadWrite)
    try file.resize(to: Int64(size))
    try file.close()
    return path
  }
}

/// A real NBD server, which ends with the test.
final class NBDServer {
  let scratch: Scratch
  let uri: String
  private(set) var pid: pid_t = 0
  private let log: FilePath

  /// nbdkit at a Unix socket: `arguments` are options, a plugin and its parameters.
  static func nbdkit(_ arguments: [String], in scratch: Scratch, name: String = "nbd") throws -> NBDServer {
    let socket = scratch.directory.appending(name)
    unlink(socket.string)
    let pidFile = scratch.directory.appending(name + "-pid")
    return try NBDServer(
      ["nbdkit", "-f", "--exit-with-parent", "-U", socket.string, "-P", pidFile.string] + arguments,
      "nbd+unix:///?socket=\(socket)", pidFile, scratch)
  }

  /// qemu-nbd at a Unix socket, with a raw file.
  static func qemu(_ file: FilePath, _ arguments: [String] = [], in scratch: Scratch) throws -> NBDServer {
    let socket = scratch.directory.appending("qemu")
    let pidFile = scratch.directory.appending("qemu-pid")
    return try NBDServer(
      ["qemu-nbd", "-t", "-f", "raw", "-k", socket.string, "--pid-file", pidFile.string] + arguments
        + [file.string], "nbd+unix:///?socket=\(socket)", pidFile, scratch)
  }

  /// Starts a server, and waits until it has written its pid, which it does when it listens.
  init(_ argv: [String], _ uri: String, _ pidFile: FilePath, _ scratch: Scratch) throws {
    self.scratch = scratch
    self.uri = uri
    log = FilePath(pidFile.string + "-log")
    unlink(pidFile.string)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, log.string, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    var words: [UnsafeMutablePointer<CChar>?] = argv.map { strdup($0) } + [nil]
    var variables: [UnsafeMutablePointer<CChar>?] = [strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), nil]
    defer { for text in words + variables { free(text) } }
    try #require(posix_spawnp(&pid, argv[0], &actions, nil, &words, &variables) == 0)
    for _ in 0..<10000 where access(pidFile.string, F_OK) != 0 {
      try #require(waitpid(pid, nil, WNOHANG) == 0, "\(argv[0]) has ended: \(messages)")
      usleep(1000)
    }
    try #require(access(pidFile.string, F_OK) == 0, "\(argv[0]) does not listen: \(messages)")
  }

  deinit { kill() }

  /// What it wrote.
  var messages: String {
    guard let file = try? FileDescriptor.open(log, .readOnly) else { return "" }
    defer { try? file.close() }
    var bytes = [UInt8](repeating: 0, count: 64 << 10)
    let count = bytes.withUnsafeMutableBytes { (try? file.read(into: $0)) ?? 0 }
    return String(decoding: bytes.prefix(count), as: UTF8.self)
  }

  /// Kills it, and waits for its end.
  func kill() {
    guard pid > 0 else { return }
    Glibc.kill(pid, SIGKILL)
    waitpid(pid, nil, 0)
    pid = 0
  }

  /// Stops it, and waits until each of its threads stands still (proc(5), state T).
  func stop() throws {
    Glibc.kill(pid, SIGSTOP)
    for _ in 0..<10000 {
      if try threadStates().allSatisfy({ $0 == "T" }) { return }
      usleep(1000)
    }
    Issue.record("it does not stop")
  }

  func goOn() { if pid > 0 { Glibc.kill(pid, SIGCONT) } }

  private func threadStates() throws -> [Character] {
    let tasks = try #require(opendir("/proc/\(pid)/task"))
    defer { closedir(tasks) }
    var states: [Character] = []
    while let entry = readdir(tasks) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard name.first != ".",
        let file = try? FileDescriptor.open("/proc/\(pid)/task/\(name)/stat", .readOnly)
      else { continue }
      defer { try? file.close() }
      var bytes = [UInt8](repeating: 0, count: 512)
      let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
      // PID (NAME) STATE ...
      let text = String(decoding: bytes.prefix(count), as: UTF8.self)
      if let state = text[(text.lastIndex(of: ")") ?? text.startIndex)...].dropFirst(2).first {
        states.append(state)
      }
    }
    return states
  }
}

extension AIOLoop {
  /// Runs until something has called back; fails with what it said.
  func finish(_ start: (@escaping (Failure?) -> Void) throws -> Void) throws {
    if let failure = try failure(start) { throw failure }
  }

  /// Runs until something has called back, and tells what it said.
  func failure(_ start: (@escaping (Failure?) -> Void) throws -> Void) throws -> Failure? {
    var answer: Failure??
    try start { answer = .some($0) }
    try run { answer != nil }
    return try #require(answer)
  }

  func value<Value>(_ start: (@escaping (Result<Value, Failure>) -> Void) throws -> Void) throws -> Value {
    var result: Result<Value, Failure>?
    try start { result = $0 }
    try run { result != nil }
    return try #require(result).get()
  }

  func connect(_ uri: String, _ options: NBDLegOptions = NBDLegOptions()) throws -> NBDLeg {
    try value { NBDLeg.connect(uri, on: self, options: options, $0) }
  }

  /// Reads bytes of a device.
  func bytes(_ range: Range<Int>, of device: any BlockDevice) throws -> [UInt8] {
    let buffer = BlockBuffer(count: range.count)
    try finish { device.submit(.read(offset: range.lowerBound, buffer), $0) }
    return Array(buffer.bytes)
  }
}

/// Bytes that tell by whom, and where, they were written.
func pattern(_ seed: Int, _ count: Int) -> [UInt8] {
  (0..<count).map { UInt8(truncatingIfNeeded: seed &* 31 &+ $0 &+ $0 >> 9) }
}
