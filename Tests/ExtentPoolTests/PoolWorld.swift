import BlockEngine
import BlockSimulation
import ExtentPool
import HostInterface

/// A simulated disk with a pool on it, and calls that wait.
final class PoolWorld {
  static let extentSize = 64 << 10
  let clock = SimulatedClock()
  let disk: SimulatedDisk

  init(size: Int = 8 << 20, seed: UInt64 = 1) {
    disk = SimulatedDisk("disk", size: size, clock: clock, seed: seed)
  }

  /// Waits for an answer; nil when none came, which is what a loss of power does.
  func wait<Answer>(_ start: (@escaping (Answer) -> Void) -> Void) -> Answer? {
    var answer: Answer?
    start { answer = $0 }
    _ = clock.run { answer != nil }
    return answer
  }

  /// Waits until it is done.
  func run(_ start: (@escaping (Failure?) -> Void) -> Void) throws {
    guard let answer = wait({ done in start { done(Result<Void, Failure>($0)) } }) else {
      throw Failure(.timedOut, "test", "there was no answer")
    }
    try answer.get()
  }

  func create() throws -> ExtentPool { try get { create($0) } }

  func create(_ completion: @escaping (Result<ExtentPool, Failure>) -> Void) {
    ExtentPool.create(
      on: disk, id: Array(1...16), extentSize: Self.extentSize, completion)
  }

  func open() throws -> ExtentPool { try get { ExtentPool.open(on: disk, $0) } }

  func get<Value>(_ start: (@escaping (Result<Value, Failure>) -> Void) -> Void) throws -> Value {
    guard let answer = wait(start) else { throw Failure(.timedOut, "test", "there was no answer") }
    return try answer.get()
  }

  /// Only the program ends; the disk keeps its cache.
  func kill() {
    disk.loseUser()
    clock.cancelAll()
  }

  func crash() {
    disk.losePower()
    clock.cancelAll()
  }
}

extension Result where Success == Void, Failure == HostInterface.Failure {
  init(_ failure: HostInterface.Failure?) {
    if let failure { self = .failure(failure) } else { self = .success(()) }
  }
}
