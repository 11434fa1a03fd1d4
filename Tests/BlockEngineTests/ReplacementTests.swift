import BlockEngine
import BlockSimulation
import HostInterface
import Testing

/// A blank disk in place of a leg; the simulation does it at any moment.
@Suite struct ReplacementTests {
  private let world: MirrorWorld

  init() throws { world = try MirrorWorld() }

  private func disk(_ name: String, size: Int = MirrorWorld.dataSize + 5 * 4096) -> SimulatedDisk {
    SimulatedDisk(name, size: size, clock: world.clock, seed: 9)
  }

  private func open(_ disks: [SimulatedDisk], missing: Bool = false) throws -> Mirror {
    var options = world.options
    options.allowsMissingLegs = missing
    return try world.get {
      Mirror.open(on: disks, clock: world.clock, options: options, random: world.number, $0)
    }
  }

  @Test func aDeadLegIsReplacedAndTheOldDiskRefused() throws {
    let mirror = try world.open()
    try world.write(mirror, 1, block: 0, blocks: 256)
    try world.run { mirror.submit(.flush, $0) }
    world.disks[1].die()
    try world.write(mirror, 2, block: 10)
    // A larger one, so that its metadata stand elsewhere.
    let new = disk("new", size: MirrorWorld.dataSize + 40 * 4096)
    try world.run { mirror.replaceLeg(1, by: new, $0) }
    #expect(mirror.legStatus == [.upToDate, .syncing])
    #expect(mirror.outOfSync == MirrorWorld.dataSize)
    #expect(try world.read(mirror, block: 20) == 1, "a blank disk is not read")
    #expect(world.settle(mirror))
    #expect(new.peek(0..<MirrorWorld.dataSize) == world.disks[0].peek(0..<MirrorWorld.dataSize))
    world.disks[1].recover()
    for discard in [false, true] {
      #expect(
        world.code { try world.run { mirror.attach(world.disks[1], discard: discard, $0) } } == .refused)
    }
    try world.run(mirror.close)
    #expect(world.code { _ = try world.open([0, 1]) } == .refused)
    #expect(world.code { _ = try open([new, world.disks[1]], missing: true) } == .refused)
    let again = try open([new, world.disks[0]])
    #expect(again.legStatus == [.upToDate, .upToDate], "after a close nothing is resynced")
  }

  @Test func aLegThatWorksIsExchanged() throws {
    let mirror = try world.open()
    try world.write(mirror, 4, block: 0, blocks: 256)
    let new = disk("new")
    try world.run { mirror.replaceLeg(0, by: new, $0) }
    #expect(mirror.legStatus == [.syncing, .upToDate])
    #expect(world.settle(mirror))
    #expect(new.peek(0..<MirrorWorld.dataSize) == world.disks[1].peek(0..<MirrorWorld.dataSize))
    #expect(world.code { try world.run { mirror.attach(world.disks[0], $0) } } == .refused)
  }

  @Test func aSecondCallOnlyGoesOn() throws {
    let mirror = try world.open()
    let new = disk("new")
    try world.run { mirror.replaceLeg(1, by: new, $0) }
    #expect(world.settle(mirror) && world.clock.run { mirror.outOfSync == 0 })
    new.die()
    try world.write(mirror, 3, block: 7)
    new.recover()
    let before = new.bytesWritten
    try world.run { mirror.replaceLeg(1, by: new, $0) }
    #expect(world.settle(mirror))
    #expect(new.bytesWritten - before < 40 * 4096, "it is the leg already, and gets what it lacks")
  }

  @Test func whatCannotBeALegChangesNothing() throws {
    let mirror = try world.open()
    try world.write(mirror, 1, block: 0)
    let small = disk("small", size: MirrorWorld.dataSize + 4 * 4096)
    #expect(world.code { try world.run { mirror.replaceLeg(1, by: small, $0) } } == .invalid)
    let (a, b) = (disk("a"), disk("b"))
    try world.create(id: 2, on: [a, b])
    let foreign = a.peek(0..<a.size)
    #expect(world.code { try world.run { mirror.replaceLeg(1, by: a, $0) } } == .exists)
    #expect(a.peek(0..<a.size) == foreign)
    #expect(world.code { try world.run { mirror.replaceLeg(2, by: b, $0) } } == .notFound)
    // A leg by another name, as each path to a disk has one.
    for index in [0, 1] {
      let code = world.code {
        try world.run { mirror.replaceLeg(index, by: world.disks[0], overwrite: true, $0) }
      }
      #expect(code == .inUse)
    }
    #expect(mirror.legStatus == [.upToDate, .upToDate])
    let dead = disk("dead")
    dead.die()
    #expect(world.code { try world.run { mirror.replaceLeg(1, by: dead, $0) } } == .refused)
    #expect(mirror.legStatus == [.upToDate, .upToDate], "the leg stays while the new disk is no good")
    world.disks[0].die()
    try world.write(mirror, 1, block: 1)
    #expect(world.code { try world.run { mirror.replaceLeg(1, by: disk("new"), $0) } } == .refused)
    #expect(mirror.legStatus == [.dropped, .upToDate], "the last leg is not replaced")
    try world.run { mirror.replaceLeg(0, by: a, overwrite: true, $0) }
    #expect(world.settle(mirror))
  }

  /// Somebody tried to mend it by copying the leg that was left, while nobody used the mirror.
  @Test func aCopyOfALegMayBeOverwritten() throws {
    let copy = disk("copy", size: world.disks[0].size)
    copy.poke(world.disks[0].peek(0..<copy.size), at: 0)
    let mirror = try world.open()
    #expect(world.code { try world.run { mirror.replaceLeg(1, by: copy, $0) } } == .exists)
    try world.run { mirror.replaceLeg(1, by: copy, overwrite: true, $0) }
    #expect(world.settle(mirror))
    try world.run(mirror.close)
    _ = try open([world.disks[0], copy])
  }

  @Test func aLookTellsWhichDiskWasReplaced() throws {
    let mirror = try world.open()
    try world.run { mirror.replaceLeg(1, by: disk("new"), $0) }
    #expect(world.settle(mirror))
    try world.run(mirror.close)
    let found = try world.get { Mirror.examine(world.disks, clock: world.clock, $0) }
    #expect(found.indexes == [0, nil])
    #expect(found.problems[1]?.problem.contains("taken its place") == true)
    #expect(found.legStatus == [.upToDate, .missing])
  }
}
