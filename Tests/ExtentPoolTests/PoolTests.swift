import BlockEngine
import BlockSimulation
import ExtentPool
import HostInterface
import Testing

@Suite struct PoolTests {
  private let first: VolumeName
  private let second: VolumeName

  init() throws {
    first = try VolumeName("first")
    second = try VolumeName("second")
  }

  private func code(_ body: () throws -> Void) -> Failure.Code? {
    do {
      try body()
      return nil
    } catch {
      return (error as? Failure)?.code
    }
  }

  @Test func volumesAreCreatedChangedAndRemoved() throws {
    let world = PoolWorld()
    let pool = try world.create()
    let all = pool.freeCount
    try world.run { pool.createVolume(first, extents: 4, $0) }
    try world.run { pool.createVolume(second, extents: 3, $0) }
    try world.run { pool.extendVolume(first, by: 2, $0) }
    #expect(try pool.segments(of: first).map(\.count) == [4, 2])
    try world.run { pool.shrinkVolume(first, to: 5, $0) }
    #expect(pool.freeCount == all - 8)
    let third = try VolumeName("third")
    try world.run { pool.renameVolume(second, to: third, $0) }
    let again = try world.open()
    #expect(again.volumeNames == [first, third])
    #expect(again.map.map { [$0.run.start, $0.run.count] } == pool.map.map { [$0.run.start, $0.run.count] })
    try world.run { again.removeVolume(third, $0) }
    try world.run { again.removeVolume(first, $0) }
    #expect(again.freeCount == all)
  }

  @Test func whatIsNotPossibleIsRefusedAndChangesNothing() throws {
    let world = PoolWorld()
    let pool = try world.create()
    try world.run { pool.createVolume(first, extents: 4, $0) }
    let sequence = pool.sequence
    #expect(code { try world.run { pool.createVolume(first, extents: 1, $0) } } == .exists)
    #expect(code { try world.run { pool.createVolume(second, extents: 0, $0) } } == .invalid)
    #expect(code { try world.run { pool.createVolume(second, extents: .max, $0) } } == .invalid)
    #expect(code { try world.run { pool.createVolume(second, extents: pool.freeCount + 1, $0) } } == .refused)
    #expect(code { try world.run { pool.removeVolume(second, $0) } } == .notFound)
    #expect(code { try world.run { pool.shrinkVolume(first, to: 4, $0) } } == .invalid)
    #expect(code { try world.run { pool.moveSegment(of: first, 1, $0) } } == .invalid)
    let device = try pool.attach(first)
    #expect(code { _ = try pool.attach(first) } == .inUse)
    #expect(code { try world.run { pool.removeVolume(first, $0) } } == .inUse)
    pool.detach(device)
    #expect(pool.sequence == sequence)
    #expect(code { _ = try world.create() } == .exists)
    #expect(code { _ = try VolumeName("a/b") } == .invalid)
    #expect(code { _ = try VolumeName(String(repeating: "a", count: 128)) } == .invalid)
  }

  @Test func aVolumeHoldsWhatIsWrittenWhileItsSegmentsMove() throws {
    let world = PoolWorld()
    let pool = try world.create()
    for name in [first, second] { try world.run { pool.createVolume(name, extents: 2, $0) } }
    try world.run { pool.extendVolume(first, by: 2, $0) }
    let device = try pool.attach(first)
    #expect(device.size == 4 * PoolWorld.extentSize)
    var random = SeededRandom(seed: 7)
    var expected = [UInt8](repeating: 0, count: device.size)
    var moved: [Failure?] = []
    pool.moveSegment(of: first, 0) { moved.append($0) }
    for round in 0..<120 {
      let count = 512 * Int.random(in: 1...300, using: &random)
      let offset = 512 * Int.random(in: 0...(device.size - count) / 512, using: &random)
      let bytes = [UInt8](repeating: UInt8.random(in: 0...255, using: &random), count: count)
      try world.run { device.submit(.write(offset: offset, BlockBuffer(bytes), durable: false), $0) }
      expected.replaceSubrange(offset..<offset + count, with: bytes)
      if round == 60 { pool.moveSegment(of: first, 1) { moved.append($0) } }
    }
    #expect(moved.allSatisfy { $0 == nil } && moved.count == 2)
    let read = BlockBuffer(count: device.size)
    try world.run { device.submit(.read(offset: 0, read), $0) }
    #expect(read.bytes.elementsEqual(expected))
    #expect(code { try world.run { device.submit(.read(offset: 512, read), $0) } } == .invalid)
    #expect(code { try world.run { device.submit(.discard(offset: .max, count: 512), $0) } } == .invalid)
    #expect(code { try world.run { device.submit(.discard(offset: 1, count: 512), $0) } } == .invalid)
  }

  @Test func holesAreThoseOfTheSegmentsWhereverTheyMove() throws {
    let world = PoolWorld()
    let pool = try world.create()
    for name in [first, second] { try world.run { pool.createVolume(name, extents: 2, $0) } }
    try world.run { pool.extendVolume(first, by: 2, $0) }
    let device = try pool.attach(first)
    let size = PoolWorld.extentSize
    // The last block of the first segment, and the first of the second.
    let data = BlockBuffer([UInt8](repeating: 1, count: 1024))
    try world.run { device.submit(.write(offset: 2 * size - 512, data, durable: false), $0) }
    func holes() throws -> [Bool] {
      var holes: [Bool] = []
      while holes.count < device.size / 512 {
        let parts = try world.get { device.blockStatus(of: holes.count * 512..<device.size, $0) }
        for part in parts { holes += [Bool](repeating: part.isHole, count: part.count / 512) }
      }
      return holes
    }
    var expected = [Bool](repeating: true, count: device.size / 512)
    expected[2 * size / 512 - 1] = false
    expected[2 * size / 512] = false
    #expect(try holes() == expected)
    var moved: Failure??
    pool.moveSegment(of: first, 0) { moved = .some($0) }
    while moved == nil { #expect(try holes() == expected) }
    #expect(try moved == .some(nil) && pool.segments(of: first).count == 2 && holes() == expected)
    // Of an extent that is being moved nothing is told until it is: its old place may be another volume's then.
    let third = try VolumeName("third")
    try world.run { pool.createVolume(third, extents: 1, $0) }
    let other = try pool.attach(third)
    var (isMoved, wasMoved) = (false, false)
    pool.moveSegment(of: third, 0, to: 60) { isMoved = $0 == nil }
    _ = try world.get { answer in
      other.blockStatus(of: 0..<512) { parts in
        wasMoved = isMoved
        answer(parts)
      }
    }
    #expect(wasMoved)
    #expect(code { _ = try world.get { device.blockStatus(of: 0..<device.size + 512, $0) } } == .invalid)
  }

  @Test func previousVersionsCanBeRestored() throws {
    let world = PoolWorld()
    let pool = try world.create()
    try world.run { pool.createVolume(first, extents: 4, $0) }
    let version = pool.sequence
    let segments = try pool.segments(of: first)
    try world.run { pool.removeVolume(first, $0) }
    for index in 0..<150 {
      let name = try VolumeName("v\(index)")
      try world.run { pool.createVolume(name, extents: 1, $0) }
      try world.run { pool.removeVolume(name, $0) }
    }
    let versions: [ClosedRange<UInt64>]? = world.wait { pool.versions($0) }
    #expect(versions?.count == 2)
    #expect(code { try world.run { pool.restore(version: version, $0) } } == .notFound, "it is overwritten")
    try world.run { pool.createVolume(first, extents: 4, $0) }
    let recent = pool.sequence
    try world.run { pool.removeVolume(first, $0) }
    try world.run { pool.restore(version: recent, $0) }
    #expect(try world.open().segments(of: first) == segments)
  }

  @Test func aChangeCostsTheSameHoweverManyVolumesThereAre() throws {
    let world = PoolWorld(size: 96 << 20)
    let pool = try world.create()
    func cost(of name: String) throws -> Int {
      let before = world.disk.bytesWritten
      let volume = try VolumeName(name)
      try world.run { pool.createVolume(volume, extents: 1, $0) }
      return world.disk.bytesWritten - before
    }
    let alone = try cost(of: "alone")
    for index in 0..<1000 {
      let name = try VolumeName("volume-with-a-longer-name-\(index)")
      try world.run { pool.createVolume(name, extents: 1, $0) }
    }
    var costs: [Int] = []
    for index in 0..<5 { costs.append(try cost(of: "late\(index)")) }
    #expect(costs.sorted()[2] == alone, "all but one in a hundred write one record")
  }
}
