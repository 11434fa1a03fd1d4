import BlockEngine
import BlockSimulation
import HostInterface

/// Two simulated disks with a mirror on them, and calls that wait.
final class MirrorWorld {
  static let blocks = 256
  static let dataSize = blocks * 4096
  let clock = SimulatedClock()
  let disks: [SimulatedDisk]
  var options = MirrorOptions()
  private var random = SeededRandom(seed: 1)

  init(data: Mirror.InitialData = .identical) throws {
    let clock = self.clock
    disks = (0..<2).map {
      SimulatedDisk("disk\($0)", size: Self.dataSize + 5 * 4096, clock: clock, seed: UInt64($0))
    }
    options.stallLimit = .milliseconds(50)
    try create(id: 1, on: disks, data: data)
  }

  func number() -> UInt64 { random.next() }

  func create(
    id: UInt8, on disks: [SimulatedDisk], data: Mirror.InitialData = .identical, overwrite: Bool = false
  ) throws {
    try run {
      Mirror.create(
        on: disks, id: [UInt8](repeating: id, count: 16), data: data, logExtentSize: 64 << 10,
        overwrite: overwrite,
        random: number, $0)
    }
  }

  func run(_ start: (@escaping (Failure?) -> Void) -> Void) throws {
    var answer: Failure??
    start { answer = .some($0) }
    _ = clock.run { answer != nil }
    guard let answer else { throw Failure(.stillRunning, "test", "there was no answer") }
    if let answer { throw answer }
  }

  func get<Value>(_ start: (@escaping (Result<Value, Failure>) -> Void) -> Void) throws -> Value {
    var answer: Result<Value, Failure>?
    start { answer = $0 }
    _ = clock.run { answer != nil }
    guard let answer else { throw Failure(.stillRunning, "test", "there was no answer") }
    return try answer.get()
  }

  func open(_ legs: [Int] = [0, 1]) throws -> Mirror {
    options.allowsMissingLegs = legs.count < 2
    return try get {
      Mirror.open(on: legs.map { disks[$0] }, clock: clock, options: options, random: number, $0)
    }
  }

  func write(_ mirror: Mirror, _ byte: UInt8, block: Int, blocks: Int = 1) throws {
    let buffer = BlockBuffer([UInt8](repeating: byte, count: 4096 * blocks))
    try run { mirror.submit(.write(offset: 4096 * block, buffer, durable: false), $0) }
  }

  func read(_ mirror: Mirror, block: Int) throws -> UInt8 {
    let buffer = BlockBuffer(count: 4096)
    try run { mirror.submit(.read(offset: 4096 * block, buffer), $0) }
    return buffer.bytes[100]
  }

  /// Waits until every leg is up to date.
  func settle(_ mirror: Mirror) -> Bool { clock.run(limit: 100_000) { mirror.isInSync } }

  var legsAreEqual: Bool { disks[0].peek(0..<Self.dataSize) == disks[1].peek(0..<Self.dataSize) }

  func code(_ body: () throws -> Void) -> Failure.Code? {
    do {
      try body()
      return nil
    } catch {
      return (error as? Failure)?.code
    }
  }
}
