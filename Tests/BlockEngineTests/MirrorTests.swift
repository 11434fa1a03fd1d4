import BlockEngine
import BlockSimulation
import HostInterface
import Testing

@Suite struct MirrorTests {
  private let world: MirrorWorld

  init() throws { world = try MirrorWorld() }

  @Test func bothLegsHoldWhatIsWritten() throws {
    let mirror = try world.open()
    #expect(mirror.size == MirrorWorld.dataSize)
    try world.write(mirror, 7, block: 3, blocks: 100)
    #expect(world.legsAreEqual)
    #expect(try world.read(mirror, block: 50) == 7)
    try world.run { mirror.submit(.writeZeroes(offset: 0, count: MirrorWorld.dataSize, durable: true), $0) }
    #expect(try world.read(mirror, block: 50) == 0)
    #expect(world.legsAreEqual)
    try world.run(mirror.close)
    #expect(world.code { try world.write(mirror, 7, block: 3) } == .unavailable)
    #expect(try world.open().legStatus == [.upToDate, .upToDate], "after a close nothing is resynced")
  }

  @Test func aLegThatReturnsGetsOnlyWhatItMissed() throws {
    let mirror = try world.open()
    try world.write(mirror, 1, block: 0, blocks: 256)
    try world.run { mirror.submit(.flush, $0) }
    world.disks[1].die()
    try world.write(mirror, 2, block: 10)
    #expect(mirror.legStatus == [.upToDate, .dropped])
    try world.write(mirror, 3, block: 200, blocks: 2)
    world.disks[1].recover()
    let before = world.disks[1].bytesWritten
    try world.run { mirror.attach(world.disks[1], $0) }
    #expect(world.settle(mirror))
    // Three blocks, what was in flight when it failed (an extent of the log), and metadata.
    #expect(world.disks[1].bytesWritten - before < 40 * 4096)
    #expect(world.legsAreEqual)
    #expect(mirror.outOfSync == 0 || world.clock.run { mirror.outOfSync == 0 })
  }

  @Test func whatIsBeingWrittenIsNoHole() throws {
    let mirror = try world.open()
    let range = 4096 * 10..<4096 * 20
    #expect(try world.get { mirror.blockStatus(of: range, $0) }.allSatisfy { $0.isHole })
    for disk in world.disks { disk.slowest = .milliseconds(10) }
    for block in 10..<20 {
      var isWritten = false
      mirror.submit(
        .write(offset: 4096 * block, BlockBuffer([UInt8](repeating: 1, count: 4096)), durable: false)
      ) {
        isWritten = $0 == nil
      }
      let part = 4096 * block..<4096 * (block + 1)
      let found = try world.get { mirror.blockStatus(of: part, $0) }
      #expect(isWritten && found.allSatisfy { !$0.isHole })
    }
  }

  @Test func aLegThatIsLostTellsOfNoHoles() throws {
    let mirror = try world.open()
    world.disks[0].hold()
    // The first leg does not answer, and is dropped; the other one has what is written meanwhile.
    var found: Result<[BlockStatus], Failure>?
    mirror.blockStatus(of: 4096 * 100..<4096 * 101) { found = $0 }
    try world.write(mirror, 5, block: 1)
    #expect(mirror.legStatus == [.dropped, .upToDate])
    _ = world.clock.run { found != nil }
    #expect(try #require(found).get().allSatisfy { $0.isHole }, "the other leg is asked")
    #expect(try world.get { mirror.blockStatus(of: 4096..<8192, $0) }.first?.isHole == false)
    world.disks[1].die()
    #expect(world.code { try world.write(mirror, 5, block: 1) } == .unavailable)
    #expect(world.code { _ = try world.get { mirror.blockStatus(of: 0..<4096, $0) } } == .unavailable)
  }

  @Test func aLegThatStallsIsDroppedAndWritesGoOn() throws {
    let mirror = try world.open()
    world.disks[0].hold()
    try world.write(mirror, 5, block: 1)
    #expect(mirror.legStatus == [.dropped, .upToDate])
    #expect(try world.read(mirror, block: 1) == 5)
    world.disks[0].recover()
    try world.run { mirror.attach(world.disks[0], $0) }
    #expect(world.settle(mirror) && world.legsAreEqual)
  }

  @Test func withoutAnyLegNothingIsAcknowledged() throws {
    let mirror = try world.open()
    for disk in world.disks { disk.die() }
    #expect(world.code { try world.write(mirror, 1, block: 1) } == .unavailable)
    #expect(world.code { _ = try world.read(mirror, block: 1) } == .unavailable)
  }

  @Test func splitBrainIsRefusedUntilAVictimIsNamed() throws {
    try world.run(try world.open().close)
    for leg in [0, 1] {
      let alone = try world.open([leg])
      try world.write(alone, UInt8(10 + leg), block: leg)
      try world.run(alone.close)
    }
    let before = world.disks.map { $0.peek(0..<$0.size) }
    #expect(world.code { _ = try world.open() } == .refused)
    #expect(world.disks.map { $0.peek(0..<$0.size) } == before, "nothing is written")
    let alone = try world.open([0])
    #expect(world.code { try world.run { alone.attach(world.disks[1], $0) } } == .refused)
    try world.run(alone.close)
    world.options.discarding = [1]
    let mirror = try world.open()
    #expect(world.settle(mirror) && world.legsAreEqual)
    #expect(try world.read(mirror, block: 0) == 10)
    #expect(try world.read(mirror, block: 1) == 0)
  }

  @Test func aStaleLegIsBroughtUpToDateWhicheverIsNamedFirst() throws {
    try world.run(try world.open().close)
    let alone = try world.open([1])
    try world.write(alone, 9, block: 4)
    try world.run(alone.close)
    let mirror = try world.open([0, 1])
    #expect(try world.read(mirror, block: 4) == 9)
    #expect(world.settle(mirror) && world.legsAreEqual)
  }

  @Test func legsThatAreMissingOrForeignAreRefused() throws {
    world.options.allowsMissingLegs = false
    #expect(
      world.code {
        let _: Mirror = try world.get {
          Mirror.open(
            on: [world.disks[0]], clock: world.clock, options: world.options, random: world.number, $0)
        }
      } == .refused)
    #expect(
      world.code {
        let _: Mirror = try world.get {
          Mirror.open(
            on: [world.disks[0], world.disks[0]], clock: world.clock, options: world.options,
            random: world.number, $0
          )
        }
      } == .refused, "one leg twice")
    let other = (0..<2).map {
      SimulatedDisk("other\($0)", size: world.disks[0].size, clock: world.clock, seed: 5)
    }
    try world.create(id: 2, on: other)
    #expect(
      world.code {
        let _: Mirror = try world.get {
          Mirror.open(
            on: [world.disks[0], other[1]], clock: world.clock, options: world.options, random: world.number,
            $0)
        }
      } == .refused)
    #expect(world.code { try world.create(id: 3, on: other) } == .exists)
    let small = SimulatedDisk("small", size: 16 << 10, clock: world.clock, seed: 5)
    #expect(world.code { try world.create(id: 3, on: [other[0], small], overwrite: true) } == .invalid)
  }

  @Test func onlyTheLegWithTheDataIsReadUntilTheOtherHasThem() throws {
    let world = try MirrorWorld(data: .ofFirstLeg)
    world.disks[0].poke([UInt8](repeating: 6, count: 4096), at: 8 * 4096)
    world.options.resyncRate = 1 << 20
    let mirror = try world.open()
    #expect(mirror.legStatus == [.upToDate, .syncing])
    #expect(try world.read(mirror, block: 8) == 6)
    // Writes are not held up by a resync that takes a second.
    let start = world.clock.now
    try world.write(mirror, 8, block: 250)
    #expect(world.clock.now - start < .milliseconds(10))
    #expect(world.settle(mirror) && world.legsAreEqual)
    #expect(world.clock.now - start > .milliseconds(500))
  }

  @Test func damagedMetadataIsRepairedOrRefused() throws {
    try world.run(try world.open().close)
    let disk = world.disks[0]
    let junk = [UInt8](repeating: 0x5a, count: 512)
    let copies = [disk.size - 16384, disk.size - 4096]
    for copy in copies {
      disk.poke(junk, at: copy)
      try world.run(try world.open().close)
      #expect(disk.peek(copy..<copy + 10) == Array("QUARTETLEG".utf8))
    }
    // The same for a leg that comes back.
    for copy in copies {
      let mirror = try world.open()
      var told: [String] = []
      mirror.onEvent = { told.append($0) }
      try world.run { mirror.detach(deviceNamed: disk.name, $0) }
      disk.poke(junk, at: copy)
      try world.run { mirror.attach(disk, $0) }
      #expect(told.contains { $0.contains("is damaged, and is repaired") })
      #expect(world.settle(mirror))
      try world.run(mirror.close)
      #expect(disk.peek(copy..<copy + 10) == Array("QUARTETLEG".utf8))
    }
    for copy in copies { disk.poke(junk, at: copy) }
    let before = disk.peek(0..<disk.size)
    #expect(world.code { _ = try world.open() } == .notFound)
    #expect(disk.peek(0..<disk.size) == before)
    var options = world.options
    options.allowsMissingLegs = true
    let other = [world.disks[1]]
    let mirror = try world.get {
      Mirror.open(on: other, clock: world.clock, options: options, random: world.number, $0)
    }
    #expect(world.code { try world.run { mirror.attach(disk, $0) } } == .notFound)
    #expect(disk.peek(0..<disk.size) == before)
  }

  @Test func withOneLegThereIsNothingToCompare() throws {
    let mirror = try world.open()
    try world.run { mirror.detach(deviceNamed: world.disks[0].name, $0) }
    #expect(world.code { _ = try world.get { mirror.verify($0) } } == .unavailable)
  }

  @Test func verifyFindsWhatDiffers() throws {
    let mirror = try world.open()
    try world.write(mirror, 1, block: 0, blocks: 20)
    let clean: [Range<Int>] = try world.get { mirror.verify($0) }
    #expect(clean == [])
    world.disks[1].poke([0xff], at: 17 * 4096 + 5)
    let found: [Range<Int>] = try world.get { mirror.verify($0) }
    #expect(found == [17 * 4096..<18 * 4096])
  }

  /// What a disk promised and did not keep cannot be brought back, but it is found.
  @Test(arguments: UInt64(0)..<40) func verifyFindsWhatALyingDiskLost(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let mirror = try world.open()
    world.disks[1].lies = true
    for _ in 0..<60 {
      let block = Int.random(in: 0..<MirrorWorld.blocks, using: &random)
      try world.write(mirror, UInt8.random(in: 1...255, using: &random), block: block)
      if random.oneIn(4) { try world.run { mirror.submit(.flush, $0) } }
    }
    try world.run { mirror.submit(.flush, $0) }
    for disk in world.disks { disk.losePower() }
    world.clock.cancelAll()
    let reopened = try world.open()
    #expect(world.settle(reopened))
    let found: [Range<Int>] = try world.get { reopened.verify($0) }
    let differing = (0..<MirrorWorld.blocks).map { $0 * 4096..<($0 + 1) * 4096 }.filter {
      world.disks[0].peek($0) != world.disks[1].peek($0)
    }
    #expect(found == differing)
  }

  /// Whatever a byte of the metadata becomes, opening answers.
  @Test(arguments: UInt64(0)..<150) func nothingTraps(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    for disk in world.disks {
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let place = disk.size - 5 * 4096 + Int.random(in: 0..<5 * 4096, using: &random)
        disk.poke([UInt8.random(in: 0...255, using: &random)], at: place)
      }
    }
    guard let mirror = try? world.open() else { return }
    _ = world.settle(mirror)
  }
}
