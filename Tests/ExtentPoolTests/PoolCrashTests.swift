import BlockSimulation
import ExtentPool
import HostInterface
import Testing

/// After a crash at any moment the pool is as the last acknowledged change left it, or has the one in progress as well.
@Suite struct PoolCrashTests {
  private typealias Volumes = [VolumeName: [ExtentRun]]

  @Test(arguments: UInt64(0)..<60) func acknowledgedChangesSurvive(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let world = PoolWorld(seed: seed)
    var pool = try world.create()
    // Any sector of the metadata that is being written may be garbage afterwards.
    world.disk.fragileRange = 0..<2 << 20
    for _ in 0..<120 {
      guard random.oneIn(8) else {
        _ = world.wait { change(pool, &random, $0) }
        continue
      }
      var isAnswered = false
      change(pool, &random) { _ in isAnswered = true }
      for _ in 0..<Int.random(in: 0..<6, using: &random) where !isAnswered { _ = world.clock.step() }
      // The pool in memory shows a change when it is durable; a move of a segment is several changes.
      let acknowledged = contents(pool)
      let sequence = pool.sequence
      if random.oneIn(3) { world.kill() } else { world.crash() }
      pool = try world.open()
      #expect(pool.sequence == sequence || (!isAnswered && pool.sequence == sequence + 1))
      if pool.sequence == sequence { #expect(contents(pool) == acknowledged) }
      checkMap(pool)
    }
  }

  private func contents(_ pool: ExtentPool) -> Volumes {
    var volumes: Volumes = [:]
    for name in pool.volumeNames { volumes[name] = (try? pool.segments(of: name)) ?? [] }
    return volumes
  }

  /// Every extent stands in the map exactly once.
  private func checkMap(_ pool: ExtentPool) {
    var next: UInt32 = 0
    for entry in pool.map {
      #expect(entry.run.start == next)
      next = entry.run.end
    }
    #expect(Int(next) == pool.extentCount)
  }

  private func change(_ pool: ExtentPool, _ random: inout SeededRandom, _ done: @escaping (Failure?) -> Void)
  {
    let policy = AllocationPolicy.allCases.randomElement(using: &random) ?? .normal
    let extents = Int.random(in: 1...12, using: &random)
    let names = pool.volumeNames
    guard let name = names.randomElement(using: &random), !random.oneIn(3),
      let other = try? VolumeName("volume\(UInt16.random(in: 0...999, using: &random))")
    else {
      guard let new = try? VolumeName("v\(random.next())") else { return }
      return pool.createVolume(new, extents: extents, policy: policy, done)
    }
    switch Int.random(in: 0..<6, using: &random) {
    case 0: pool.extendVolume(name, by: extents, policy: policy, done)
    case 1: pool.shrinkVolume(name, to: 1, done)
    case 2: pool.renameVolume(name, to: other, done)
    case 3: pool.moveSegment(of: name, 0, done)
    default: pool.removeVolume(name, done)
    }
  }
}
