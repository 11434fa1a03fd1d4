import BlockEngine
import BlockSimulation
import HostInterface
import Testing

/// Two processes open a mirror whose legs no lock protects.
@Suite struct FencingTests {
  private let world: MirrorWorld

  init() throws {
    world = try MirrorWorld()
    for disk in world.disks { disk.isRemote = true }
    world.options.ownTime = .milliseconds(20)
  }

  private var contents: [[UInt8]] { world.disks.map { $0.peek(0..<$0.size) } }

  @Test func theFormerOwnerChangesNothingMore() throws {
    let former = try world.open()
    try world.write(former, 1, block: 0, blocks: 8)
    let next = try world.open()
    try world.write(next, 2, block: 0)
    #expect(world.settle(next))
    _ = world.clock.run(limit: 100_000) { false }
    let before = contents
    #expect(world.code { _ = try world.read(former, block: 0) } == .inUse)
    for block in [0, 1, 200] {
      #expect(world.code { try world.write(former, 3, block: block) } == .inUse)
    }
    #expect(world.code { try world.run { former.submit(.flush, $0) } } == .inUse)
    #expect(world.code { try world.run(former.close) } == .inUse)
    let isUnchanged = contents == before
    #expect(isUnchanged)
    #expect(try world.read(next, block: 0) == 2 && world.read(next, block: 1) == 1)
    try world.run(next.close)
    #expect(world.legsAreEqual)
    #expect(try world.open().legStatus == [.upToDate, .upToDate])
  }

  @Test func withoutAFenceItWouldGoOn() throws {
    world.options.defects = .unfenced
    let former = try world.open()
    _ = try world.open()
    try world.write(former, 3, block: 0)
    try world.run(former.close)
  }

  /// One that did nothing in the meantime learns it when it closes.
  @Test func theFormerOwnerClosesNothing() throws {
    let former = try world.open()
    let next = try world.open()
    _ = world.clock.run(limit: 100_000) { false }
    let before = contents
    #expect(world.code { try world.run(former.close) } == .inUse)
    let isUnchanged = contents == before
    #expect(isUnchanged)
    try world.write(next, 1, block: 0)
  }

  @Test(arguments: UInt64(0)..<20) func whatTheFormerOwnerWroteLastIsThere(seed: UInt64) throws {
    world.options.ownTime = .microseconds(Int64(500 + 700 * seed))
    let former = try world.open()
    var (acknowledged, failure): (Int, Failure?) = (0, nil)
    func writeOn(_ number: Int) {
      let buffer = BlockBuffer([UInt8](repeating: UInt8(number % 251), count: 4096))
      former.submit(.write(offset: number % 256 * 4096, buffer, durable: false)) {
        failure = $0
        if $0 != nil { return }
        acknowledged = number
        writeOn(number + 1)
      }
    }
    writeOn(1)
    _ = world.clock.run { acknowledged == 3 * Int(seed) }
    let next = try world.open()
    #expect(failure?.code == .inUse)
    let last = acknowledged
    for number in max(1, last - 254)...max(1, last) where number <= last {
      #expect(try world.read(next, block: number % 256) == UInt8(number % 251))
    }
    #expect(world.settle(next))
    try world.run(next.close)
    #expect(world.legsAreEqual && acknowledged == last)
  }

  @Test(arguments: [false, true]) func ofTwoThatComeTogetherAtMostOneStays(afterCrash: Bool) throws {
    var mirror = try world.open()
    try world.write(mirror, 1, block: 0)
    if !afterCrash { try world.run(mirror.close) }
    var answers: [Result<Mirror, Failure>] = []
    for _ in 0..<2 {
      Mirror.open(on: world.disks, clock: world.clock, options: world.options, random: world.number) {
        answers.append($0)
      }
    }
    _ = world.clock.run { answers.count == 2 }
    var wrote = 0
    for answer in answers {
      guard let opened = try? answer.get() else { continue }
      mirror = opened
      if world.code({ try world.write(opened, 2, block: 1) }) == nil { wrote += 1 }
    }
    #expect(wrote <= 1, "\(answers)")
  }

  /// As one whose disk is full: it is dropped, as it would be with a lock.
  @Test func aLegThatCannotBeWrittenDoesNotStopTheOthers() throws {
    try world.run(world.open().close)
    world.disks[1].isFull = true
    let mirror = try world.open()
    try world.write(mirror, 5, block: 0)
    #expect(mirror.legStatus == [.upToDate, .dropped])
  }
}
