import BlockEngine
import BlockSimulation
import ExtentPool
import HostInterface
import Testing

/// The parts together: volumes, in a pool, on a mirror.
@Suite struct PoolOnMirrorTests {
  private let clock = SimulatedClock()
  private let disks: [SimulatedDisk]

  init() {
    let clock = self.clock
    disks = (0..<2).map { SimulatedDisk("disk\($0)", size: 8 << 20, clock: clock, seed: UInt64($0)) }
  }

  private func run(_ start: (@escaping (Failure?) -> Void) -> Void) throws {
    let _: Bool = try get { done in start { done($0.map { .failure($0) } ?? .success(true)) } }
  }

  private func get<Value>(_ start: (@escaping (Result<Value, Failure>) -> Void) -> Void) throws -> Value {
    var answer: Result<Value, Failure>?
    start { answer = $0 }
    _ = clock.run { answer != nil }
    guard let answer else { throw Failure(.stillRunning, "test", "there was no answer") }
    return try answer.get()
  }

  private func open(_ legs: [Int]) throws -> Mirror {
    var options = MirrorOptions()
    options.allowsMissingLegs = true
    var random = SeededRandom(seed: 9)
    return try get {
      Mirror.open(on: legs.map { disks[$0] }, clock: clock, options: options, random: { random.next() }, $0)
    }
  }

  @Test func volumesOutliveALegAndACrash() throws {
    var random = SeededRandom(seed: 4)
    try run { Mirror.create(on: disks, id: Array(1...16), data: .identical, random: { random.next() }, $0) }
    let mirror = try open([0, 1])
    let pool = try get { ExtentPool.create(on: mirror, id: Array(1...16), extentSize: 64 << 10, $0) }
    let (first, second) = (try VolumeName("first"), try VolumeName("second"))
    try run { pool.createVolume(first, extents: 3, $0) }
    disks[0].die()
    try run { pool.createVolume(second, extents: 2, $0) }
    let volume = try pool.attach(first)
    let bytes = BlockBuffer([UInt8](repeating: 5, count: 100 << 10))
    try run { volume.submit(.write(offset: 60 << 10, bytes, durable: true), $0) }
    for disk in disks { disk.losePower() }
    clock.cancelAll()

    let again = try open([0, 1])
    let found = try get { ExtentPool.open(on: again, $0) }
    #expect(found.volumeNames == [first, second])
    let read = BlockBuffer(count: 100 << 10)
    let device = try found.attach(first)
    try run { device.submit(.read(offset: 60 << 10, read), $0) }
    #expect(read.bytes.elementsEqual(bytes.bytes))
    #expect(clock.run { again.isInSync })
    #expect(disks[0].peek(0..<again.size) == disks[1].peek(0..<again.size))
  }
}
