import BlockEngine
import BlockSimulation
import ExtentPool
import HostInterface
import Testing

@Suite struct PoolDamageTests {
  private let world = PoolWorld()
  private let junk = [UInt8](repeating: 0xa5, count: 512)
  /// Where the first record stands: label, header, and a state of at most 4 KiB before it.
  private let firstRecord = 3 * 4096

  init() throws {
    let pool = try world.create()
    for index in 0..<3 {
      let name = try VolumeName("v\(index)")
      try world.run { pool.createVolume(name, extents: 2, $0) }
    }
  }

  private var openFailure: Failure.Code? {
    do {
      _ = try world.open()
      return nil
    } catch {
      return (error as? Failure)?.code
    }
  }

  @Test func aDamagedLabelIsRepairedFromItsCopy() throws {
    world.disk.poke(junk, at: 0)
    #expect(try world.open().volumeCount == 3)
    #expect(world.disk.peek(0..<7) == Array("QUARTET".utf8))
  }

  @Test func aDamagedHeaderHasACopy() throws {
    world.disk.poke(junk, at: 4096)
    #expect(try world.open().volumeCount == 3)
  }

  @Test func aDamagedStateIsRefused() throws {
    world.disk.poke(junk, at: 2 * 4096)
    #expect(openFailure == .garbled)
  }

  @Test func aDamagedRecordInTheMiddleIsRefused() throws {
    world.disk.poke(junk, at: firstRecord + 4096)
    #expect(openFailure == .garbled)
  }

  @Test func aDamagedLastRecordIsATornWrite() throws {
    world.disk.poke(junk, at: firstRecord + 2 * 4096)
    #expect(try world.open().volumeCount == 2)
  }

  @Test func aDeviceWithoutAPoolIsSaidToHaveNone() throws {
    world.disk.poke([UInt8](repeating: 0, count: world.disk.size), at: 0)
    #expect(openFailure == .notFound)
  }

  /// Whatever a byte of the metadata becomes, opening answers, and never maps an extent twice.
  @Test(arguments: UInt64(0)..<200) func nothingTraps(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      let offset = Int.random(in: 0..<6 * 4096, using: &random)
      world.disk.poke([UInt8.random(in: 0...255, using: &random)], at: offset)
    }
    guard let pool = try? world.open() else { return }
    var next: UInt32 = 0
    for entry in pool.map {
      #expect(entry.run.start == next)
      next = entry.run.end
    }
  }

  @Test func aPoolTakesNoChangesAfterAFailedWrite() throws {
    let pool = try world.open()
    world.disk.die()
    let name = try VolumeName("late")
    #expect(throws: Failure.self) { try world.run { pool.createVolume(name, extents: 1, $0) } }
    world.disk.recover()
    #expect {
      try world.run { pool.createVolume(name, extents: 1, $0) }
    } throws: {
      ($0 as? Failure)?.code == .unavailable
    }
  }
}
