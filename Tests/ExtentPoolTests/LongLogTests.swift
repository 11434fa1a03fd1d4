import BlockSimulation
import ExtentPool
import HostInterface
import Testing

/// A log is read a window at a time (256 KiB, which is 64 blocks): what lies across the windows' borders.
@Suite struct LongLogTests {
  private let world = PoolWorld(size: 80 << 20)
  private let junk = [UInt8](repeating: 0xa5, count: 512)

  /// A pool whose free extents are 600 runs of one extent, so that the record of a volume of all of them has two blocks.
  private func fragmented() throws -> ExtentPool {
    let pool = try world.create()
    let names = try (0..<1200).map { try VolumeName("v\($0)") }
    for name in names { try world.run { pool.createVolume(name, extents: 1, $0) } }
    let rest = try VolumeName("rest")
    try world.run { pool.createVolume(rest, extents: pool.freeCount, $0) }
    for name in names where name.description.last?.wholeNumberValue?.isMultiple(of: 2) == false {
      try world.run { pool.removeVolume(name, $0) }
    }
    return pool
  }

  @Test func recordsLieAcrossWindows() throws {
    var pool = try fragmented()
    var random = SeededRandom(seed: 1)
    let (many, one, other) = (try VolumeName("many"), try VolumeName("v0"), try VolumeName("other"))
    for round in 0..<300 {
      if random.oneIn(4) {
        try world.run { pool.renameVolume(one, to: other, $0) }
        try world.run { pool.renameVolume(other, to: one, $0) }
      }
      if pool.volumeNames.contains(many) {
        try world.run { pool.removeVolume(many, $0) }
      } else {
        try world.run { pool.createVolume(many, extents: 600, policy: .anywhere, $0) }
      }
      guard round.isMultiple(of: 5) else { continue }
      let (sequence, names) = (pool.sequence, pool.volumeNames)
      pool = try world.open()
      #expect(pool.sequence == sequence)
      #expect(pool.volumeNames == names)
    }
  }

  @Test func aDamagedRecordAtTheEndOfAWindowIsRefused() throws {
    let pool = try world.create()
    for index in 0..<100 {
      let name = try VolumeName("v\(index)")
      try world.run { pool.createVolume(name, extents: 1, $0) }
    }
    // Label, header and state before the log; the last 36 records are in the second window.
    world.disk.poke(junk, at: (3 + 63) * 4096)
    #expect {
      try world.open()
    } throws: {
      ($0 as? Failure)?.code == .garbled
    }
  }
}
