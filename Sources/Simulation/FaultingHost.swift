import HostInterface
import Synchronization
import SystemPackage

/// A host on which one chosen call fails, so that a sweep over all calls of a run can show what each failure leaves.
///
/// It counts the calls that ``HostCall`` lists, from 1, as far as they are mutating. A first run with no fault tells
/// their number, ``callCount``.
public final class FaultingHost: Host {
  private struct State {
    var count = 0
    var isDead = false
  }

  private let host: any Host
  private let position: Int?
  private let fault: HostFault
  private let isMutating: @Sendable (HostCall) -> Bool
  private let state = Mutex(State())

  /// Wraps a host.
  ///
  /// - Parameters:
  ///   - position: Which mutating call fails, from 1; nil for none.
  ///   - fault: How it fails.
  ///   - isMutating: Which calls count; by default all. Reads over a socket or by a command are calls too, and a test
  ///     that wants only changes to fail excludes them here.
  public init(
    _ host: any Host, failing position: Int?, with fault: HostFault = .kill,
    isMutating: @escaping @Sendable (HostCall) -> Bool = { _ in true }
  ) {
    self.host = host
    self.position = position
    self.fault = fault
    self.isMutating = isMutating
  }

  /// How many mutating calls there were, the failed one included.
  public var callCount: Int { state.withLock(\.count) }

  private func checkAlive() throws {
    if state.withLock(\.isDead) { throw Self.death }
  }

  private static var death: Failure { Failure(.interrupted, "this process", "was killed") }

  /// The fault for a call, if it is the one.
  private func fault(for call: HostCall) throws -> HostFault? {
    guard isMutating(call) else {
      try checkAlive()
      return nil
    }
    return try state.withLock { state in
      guard !state.isDead else { throw Self.death }
      state.count += 1
      guard state.count == position else { return nil }
      if fault == .kill || fault == .killAfter { state.isDead = true }
      return fault
    }
  }

  /// A call that answers nothing.
  private func attempt(_ call: HostCall, _ body: () throws -> Void) throws {
    switch try fault(for: call) {
    case nil: try body()
    case .error(let number): throw Failure.system(number, call.subject, "failed as the test wanted")
    case .garbage, .hang, .hangAfter:
      throw Failure.system(.ioError, call.subject, "failed as the test wanted")
    case .kill: throw Self.death
    case .killAfter:
      try body()
      throw Self.death
    }
  }

  /// A call that a daemon or command answers.
  private func attempt<Reply>(
    _ call: HostCall, limit: Duration, noise: (Reply) -> Reply, _ body: () async throws -> Reply
  ) async throws -> Reply {
    let silence = Failure(.timedOut, call.subject, "did not answer within \(limit)")
    switch try fault(for: call) {
    case nil: return try await body()
    case .error(let number): throw Failure.system(number, call.subject, "failed as the test wanted")
    case .garbage: return noise(try await body())
    case .hang: throw silence
    case .hangAfter:
      _ = try await body()
      throw silence
    case .kill: throw Self.death
    case .killAfter:
      _ = try await body()
      throw Self.death
    }
  }

  /// Runs a command, or fails.
  public func run(_ argv: [String], environment: [String: String], input: [UInt8], limit: Duration)
    async throws
    -> CommandResult
  {
    try await attempt(
      .run(argv), limit: limit,
      noise: { _ in CommandResult(status: 0, output: Noise.bytes(count: 40), errors: "") }
    ) { try await host.run(argv, environment: environment, input: input, limit: limit) }
  }

  /// Sends a request, or fails.
  public func exchange(_ bytes: [UInt8], with path: FilePath, lengthOffset: Int, limit: Duration) async throws
    -> [UInt8]
  {
    try await attempt(
      .exchange(path, bytes), limit: limit,
      noise: { _ in
        var bytes = Noise.bytes(count: lengthOffset + 40)
        // A host lets no reply through whose length is not what it says.
        withUnsafeBytes(of: UInt32(bytes.count)) {
          bytes.replaceSubrange(lengthOffset..<lengthOffset + 4, with: $0)
        }
        return bytes
      }
    ) { try await host.exchange(bytes, with: path, lengthOffset: lengthOffset, limit: limit) }
  }

  /// Writes, or fails.
  public func write(_ bytes: [UInt8], to path: FilePath) throws {
    try attempt(.write(path, bytes)) { try host.write(bytes, to: path) }
  }

  /// Writes, or fails; a write that hangs is one that the kernel is still at when the limit is over.
  public func write(_ bytes: [UInt8], to path: FilePath, limit: Duration) async throws {
    let hanging = Failure(.stillRunning, "\(path)", "the kernel is still at work on the write after \(limit)")
    switch try fault(for: .write(path, bytes)) {
    case nil: try await host.write(bytes, to: path, limit: limit)
    case .error(let number): throw Failure.system(number, "\(path)", "failed as the test wanted")
    case .garbage: throw Failure.system(.ioError, "\(path)", "failed as the test wanted")
    case .hang: throw hanging
    case .hangAfter:
      try await host.write(bytes, to: path, limit: limit)
      throw hanging
    case .kill: throw Self.death
    case .killAfter:
      try await host.write(bytes, to: path, limit: limit)
      throw Self.death
    }
  }

  /// Replaces a file, or fails.
  public func replace(_ path: FilePath, with bytes: [UInt8], mode: UInt16) throws {
    try attempt(.replace(path, bytes)) { try host.replace(path, with: bytes, mode: mode) }
  }

  /// Makes a directory, or fails.
  public func createDirectory(_ path: FilePath) throws {
    try attempt(.createDirectory(path)) { try host.createDirectory(path) }
  }

  /// Removes a directory, or fails.
  public func removeDirectory(_ path: FilePath) throws {
    try attempt(.removeDirectory(path)) { try host.removeDirectory(path) }
  }

  /// Makes a link, or fails.
  public func createLink(_ path: FilePath, to destination: FilePath) throws {
    try attempt(.createLink(path)) { try host.createLink(path, to: destination) }
  }

  /// Removes a file, or fails.
  public func removeFile(_ path: FilePath) throws {
    try attempt(.removeFile(path)) { try host.removeFile(path) }
  }

  /// Loads a module, or fails.
  public func loadModule(_ name: String) throws {
    try attempt(.loadModule(name)) { try host.loadModule(name) }
  }
}

/// Calls that change nothing fail only when the program is dead.
extension FaultingHost {
  /// Reads a file.
  public func read(_ path: FilePath) throws -> [UInt8] {
    try checkAlive()
    return try host.read(path)
  }

  /// Reads attributes.
  public func attributes(_ files: [String], in folder: FilePath) throws -> [[UInt8]?] {
    try checkAlive()
    return try host.attributes(files, in: folder)
  }

  /// Looks at a path.
  public func status(_ path: FilePath) throws -> FileStatus? {
    try checkAlive()
    return try host.status(path)
  }

  /// Lists a directory.
  public func list(_ path: FilePath) throws -> [String] {
    try checkAlive()
    return try host.list(path)
  }

  /// Reads a link.
  public func readLink(_ path: FilePath) throws -> FilePath {
    try checkAlive()
    return try host.readLink(path)
  }

  /// Finds a program; none is found by a dead program.
  public func executable(_ name: String) -> FilePath? {
    (try? checkAlive()).flatMap { host.executable(name) }
  }

  /// Tells whether a module is loaded.
  public func isModuleLoaded(_ name: String) throws -> Bool {
    try checkAlive()
    return try host.isModuleLoaded(name)
  }

  /// Waits for a path.
  public func waitForPath(_ path: FilePath, exists: Bool, limit: Duration) async throws {
    try checkAlive()
    try await host.waitForPath(path, exists: exists, limit: limit)
  }

  /// Tells who uses a file or device.
  public func holders(of path: FilePath) throws -> [Holder] {
    try checkAlive()
    return try host.holders(of: path)
  }

  /// Takes a lock; it can be released by a dead program, as the kernel does it for one.
  public func lock(_ name: String, limit: Duration) async throws -> any HostLock {
    try checkAlive()
    return try await host.lock(name, limit: limit)
  }

  /// Sleeps.
  public func sleep(_ duration: Duration) async throws {
    try checkAlive()
    try await host.sleep(duration)
  }
}

/// Bytes without meaning, the same in every run.
private enum Noise {
  static func bytes(count: Int) -> [UInt8] {
    var state: UInt32 = 0x9e37_79b9
    return (0..<count).map { _ in
      state = state &* 1_664_525 &+ 1_013_904_223
      return UInt8(truncatingIfNeeded: state >> 24)
    }
  }
}
