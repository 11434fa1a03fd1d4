import CNBDKit
import ExtentPool
import HostInterface
import LinuxBlockDevices
import Synchronization

/// The plugin in its one process: its parameters, and the engine once it runs.
final class Plugin: Sendable {
  static let shared = Plugin()

  private struct State: Sendable {
    var parameters = Parameters()
    var engine: SharedEngine<ServedPool>?
  }

  private let state = Mutex(State())

  func set(_ key: String, to value: String) throws {
    try state.withLock { try $0.parameters.set(key, to: value) }
  }

  func checkParameters() throws { try state.withLock { try $0.parameters.check() } }

  /// Finds out whether the pool could be opened, while whoever starts nbdkit still sees why not.
  func examine() throws {
    guard let name = state.withLock({ $0.parameters.pool }) else { throw Parameters.missing }
    let loop = try AIOLoop()
    defer { loop.end() }
    try DescribedPool.examine(
      name, allowsMissingLegs: state.withLock { $0.parameters.allowsMissingLegs }, on: loop)
  }

  /// Opens the pool; threads, and contexts of asynchronous I/O, do not survive nbdkit's fork, so it comes after that.
  func start() throws {
    let parameters = state.withLock { $0.parameters }
    if parameters.isInBackground { quartet_outlive_parent() }
    let engine = try SharedEngine { try ServedPool(parameters, on: $0) }
    state.withLock { $0.engine = engine }
    ServiceNotice.send("READY=1")
  }

  /// Closes the pool: nbdkit has finished every request.
  func stop() {
    guard let engine = state.withLock({ $0.engine }) else { return }
    _ = status { try engine.run { pool, end in pool.close(end) } }
    engine.end()
  }

  func exportNames() throws -> [String] {
    try running().answer { pool, answer in answer(.success(pool.pool.volumeNames.map(\.description))) }
  }

  func open(_ name: String) throws -> Connection {
    let engine = try running()
    let name = try VolumeName(name)
    let opened: (number: Int, size: Int, logicalBlockSize: Int) = try engine.answer { pool, answer in
      answer(
        Result { try pool.open(name) }.mapError { $0 as? Failure ?? Failure(.invalid, "volume", "\($0)") })
    }
    return Connection(
      engine, volume: opened.number, size: opened.size, logicalBlockSize: opened.logicalBlockSize)
  }

  private func running() throws -> SharedEngine<ServedPool> {
    guard let engine = state.withLock({ $0.engine }) else {
      throw Failure(.unavailable, "pool", "it is not open")
    }
    return engine
  }
}
