import Glibc
import HostInterface
import Synchronization
import SystemPackage

/// A machine in memory that logs what is done to it and fails where a test says so.
final class FakeHost: Host {
  struct State: Sendable {
    var files: [FilePath: [UInt8]] = [:]
    var log: [String] = []
    /// Failures by log entry, the first of each used first.
    var failures: [String: [Failure]] = [:]
    var slept = Duration.zero
    var inside = 0
    var mostInside = 0
  }

  private let state: Mutex<State>
  /// How many writes below `/gate` must be under way before one of them returns; waits there do not block.
  private let gate: Int
  /// Called with each log entry, before the failure that may be due.
  private let onEntry: @Sendable (String) -> Void

  init(
    files: [FilePath: String] = [:], failures: [String: [Failure]] = [:], gate: Int = 1,
    onEntry: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    state = Mutex(State(files: files.mapValues { Array($0.utf8) }, failures: failures))
    self.gate = gate
    self.onEntry = onEntry
  }

  var log: [String] { state.withLock { $0.log } }
  var slept: Duration { state.withLock { $0.slept } }
  var mostInside: Int { state.withLock { $0.mostInside } }
  func contents(_ path: FilePath) -> String? {
    state.withLock { $0.files[path] }.map { String(decoding: $0, as: UTF8.self) }
  }

  private func enter(_ entry: String) throws {
    onEntry(entry)
    try state.withLock { state in
      state.log.append(entry)
      if state.failures[entry]?.isEmpty == false, let failure = state.failures[entry]?.removeFirst() {
        throw failure
      }
    }
  }

  private func changeInside(_ change: Int) {
    state.withLock { state in
      state.inside += change
      state.mostInside = max(state.mostInside, state.inside)
    }
  }

  private var gateIsShut: Bool { state.withLock { $0.mostInside } < gate }

  func read(_ path: FilePath) throws -> [UInt8] {
    guard let bytes = state.withLock({ $0.files[path] }) else {
      throw Failure(.notFound, "\(path)", "is not there")
    }
    return bytes
  }
  func write(_ bytes: [UInt8], to path: FilePath) throws {
    try enter("write \(path) \(String(decoding: bytes, as: UTF8.self))")
    if path.starts(with: "/gate") {
      changeInside(1)
      var patience = 10_000
      while patience > 0, gateIsShut {
        usleep(1000)
        patience -= 1
      }
      changeInside(-1)
    }
    state.withLock { $0.files[path] = bytes }
  }
  func write(_ bytes: [UInt8], to path: FilePath, limit: Duration) async throws { try write(bytes, to: path) }
  func replace(_ path: FilePath, with bytes: [UInt8], mode: UInt16) throws {
    try enter("replace \(path) \(String(mode, radix: 8))")
    state.withLock { $0.files[path] = bytes }
  }
  func status(_ path: FilePath) throws -> FileStatus? {
    let size = state.withLock { $0.files[path]?.count }
    return size.map { FileStatus(kind: .file, size: UInt64($0), identity: "1:\(path)") }
  }
  func list(_ path: FilePath) throws -> [String] {
    state.withLock { state in
      state.files.keys.filter { $0.starts(with: path) && $0 != path }.map(\.string).sorted()
    }
  }
  func createDirectory(_ path: FilePath) throws { try enter("mkdir \(path)") }
  func removeDirectory(_ path: FilePath) throws { try enter("rmdir \(path)") }
  func createLink(_ path: FilePath, to destination: FilePath) throws {
    try enter("ln \(path) \(destination)")
  }
  func readLink(_ path: FilePath) throws -> FilePath { path }
  func removeFile(_ path: FilePath) throws {
    try enter("rm \(path)")
    state.withLock { $0.files[path] = nil }
  }
  /// The command's last argument is its exit status when that is a number, and standard error says so.
  func run(_ argv: [String], environment: [String: String], input: [UInt8], limit: Duration) async throws
    -> CommandResult
  {
    try enter("run " + argv.joined(separator: " "))
    let status = argv.last.flatMap { Int32($0) } ?? 0
    return CommandResult(
      status: status, errors: status == 0 ? "" : "refused: \(argv.joined(separator: " "))\n")
  }
  func executable(_ name: String) -> FilePath? { nil }
  func exchange(_ bytes: [UInt8], with path: FilePath, lengthOffset: Int, limit: Duration) async throws
    -> [UInt8]
  {
    try enter("exchange \(path) \(String(decoding: bytes, as: UTF8.self))")
    return bytes.reversed()
  }
  func loadModule(_ name: String) throws { try enter("modprobe \(name)") }
  func isModuleLoaded(_ name: String) throws -> Bool { false }
  func waitForPath(_ path: FilePath, exists: Bool, limit: Duration) async throws {
    try enter("wait \(path) \(exists) \(limit)")
    guard path.starts(with: "/gate") else { return }
    changeInside(1)
    // Long enough for a chain too many to come in.
    for _ in 0..<1000 { await Task.yield() }
    changeInside(-1)
  }
  func holders(of path: FilePath) throws -> [Holder] { [] }
  func lock(_ name: String, limit: Duration) async throws -> any HostLock {
    throw Failure(.unsupported, name, "has no locks here")
  }
  func sleep(_ duration: Duration) async throws {
    if Task.isCancelled { throw CancellationError() }
    state.withLock { $0.slept += duration }
  }
}

/// Makes the directory; undone by removing it.
func make(_ name: String, patience: Duration? = nil) -> Step {
  Step(
    .createDirectory(path: "/\(name)"), undo: [.removeDirectory(path: "/\(name)")], reason: "make \(name)",
    patience: patience)
}

/// A plan of one stage for each array, of one chain for each element's steps.
func plan(_ stages: [[Step]]...) -> Plan {
  Plan(
    stages: stages.enumerated().map { number, chains in
      Stage(
        title: "stage \(number)", chains: chains.map { Chain(subject: $0.first?.reason ?? "", steps: $0) })
    })
}
