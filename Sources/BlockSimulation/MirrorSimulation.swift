import BlockEngine
import HostInterface

/// A mirror over simulated disks, used at random and hurt at random: one seed is one run.
///
/// Writes, reads, flushes and zeroes go on while legs die, stall, lose power and come back, the program is killed, and
/// the machine loses power. Every read, and everything that is there after each crash, must be what ``SectorModel``
/// allows. At the end all legs come back, are brought up to date, and must hold the same.
package final class MirrorSimulation {
  /// What a run is made of.
  package struct Settings {
    package var seed: UInt64
    /// How many requests are made.
    package var operations = 2000
    package var defects: MirrorDefects = []

    /// The ordinary settings for a seed.
    package init(seed: UInt64) { self.seed = seed }
  }

  /// What a run found.
  package struct Outcome {
    /// What went wrong, with the seed by which it happens again; nil when nothing did.
    package var problem: String?
    /// How many requests were answered.
    package var operations = 0
    /// How often the machine lost power or the program was killed.
    package var crashes = 0
    /// How often a leg was hurt.
    package var faults = 0
    /// How often a leg became up to date.
    package var resyncs = 0
    /// How often another disk took the place of a leg.
    package var replacements = 0

    /// Nothing found yet.
    package init() {}
  }

  let settings: Settings
  var random: SeededRandom
  let clock = SimulatedClock()
  var disks: [SimulatedDisk]
  /// The new disk of each leg whose replacement was begun, and may be done: nobody has seen its end.
  var replacing: [SimulatedDisk?]
  /// Whether the replacement of a leg is under way.
  var isReplacing = false
  /// Disks that were replaced.
  var retired: [SimulatedDisk] = []
  var connections: [SimulatedConnection] = []
  var mirror: Mirror?
  private var model: SectorModel
  let sectorCount: Int
  var outcome = Outcome()
  private var writes = 0
  private var outstanding = 0
  /// Counts crashes: what an earlier mirror answers is not heard.
  var life = 0
  /// Whether a leg may have lost its cache, so that a kill may lose what was not flushed.
  private var cachesLost = false
  var options = MirrorOptions()
  /// A disk that makes nothing durable when it is flushed.
  ///
  /// Nobody can keep its promises for it when it loses power, so it does not; everything else may happen to it.
  var liar: Int?
  private static let logExtent = 16 << 10

  private init(_ settings: Settings) {
    self.settings = settings
    random = SeededRandom(seed: settings.seed)
    let legs = random.oneIn(3) ? 3 : 2
    let blocks = Int.random(in: 24...96, using: &random)
    sectorCount = blocks * 8
    model = SectorModel(sectors: sectorCount)
    let clock = self.clock
    var seeds = random
    replacing = Array(repeating: nil, count: legs)
    disks = (0..<legs).map {
      SimulatedDisk("leg\($0)", size: blocks * 4096 + 5 * 4096, clock: clock, seed: seeds.next())
    }
    for disk in disks { disk.fragileRange = blocks * 4096..<disk.size }
    options.defects = settings.defects
    options.stallLimit = .milliseconds(20)
    options.activityLogCapacity = Int.random(in: 1...6, using: &random)
    if random.oneIn(3) { options.resyncRate = 64 << 20 }
    if random.oneIn(8) {
      let leg = Int.random(in: 0..<legs, using: &random)
      disks[leg].lies = true
      liar = leg
    }
  }

  /// Runs a simulation to its end.
  package static func run(_ settings: Settings) -> Outcome {
    let simulation = MirrorSimulation(settings)
    simulation.run()
    return simulation.outcome
  }

  func complain(_ problem: String) {
    guard outcome.problem == nil else { return }
    outcome.problem =
      "seed \(settings.seed), after \(outcome.operations) requests, \(outcome.crashes) crashes: \(problem)"
  }

  private var isOver: Bool { outcome.problem != nil }

  private func number() -> UInt64 { random.next() }

  private func run() {
    connections = disks.map { SimulatedConnection($0, clock: clock) }
    var created: Failure??
    Mirror.create(
      on: connections, id: Array(1...16), data: random.oneIn(2) ? .identical : .ofFirstLeg,
      logExtentSize: Self.logExtent, random: number
    ) { created = .some($0) }
    _ = clock.run { created != nil }
    guard case .some(nil) = created else { return complain("the mirror cannot be created") }
    open(Array(connections.indices))
    var begun = 0
    while begun < settings.operations, !isOver {
      if random.oneIn(40) { hurt() }
      if random.oneIn(150) { crash() }
      while outstanding < 12, random.oneIn(2) {
        request()
        begun += 1
      }
      for _ in 0..<Int.random(in: 0...8, using: &random) { _ = clock.step() }
    }
    finish()
  }

  // MARK: - Requests

  private func request() {
    guard let mirror else { return }
    let first = Int.random(in: 0..<sectorCount, using: &random)
    // Half of the requests are small, so that they meet in the same blocks; some span extents of the log.
    let longest = random.oneIn(2) ? 4 : random.oneIn(4) ? 120 : 24
    let sectors = first..<first + Int.random(in: 1...min(longest, sectorCount - first), using: &random)
    outstanding += 1
    switch Int.random(in: 0..<13, using: &random) {
    case 0: flush(mirror)
    case 1..<4: read(mirror, sectors)
    case 4: findHoles(mirror, sectors)
    default: write(mirror, sectors)
    }
  }

  private func answered(_ life: Int) -> Bool {
    guard life == self.life else { return false }
    outstanding -= 1
    outcome.operations += 1
    return true
  }

  private func write(_ mirror: Mirror, _ sectors: Range<Int>) {
    writes += 1
    let number = writes
    let isZero = random.oneIn(10)
    let id = isZero ? 0 : UInt64(number)
    let isDurable = random.oneIn(6)
    let offset = sectors.lowerBound * SimulatedDisk.sectorSize
    let request: BlockRequest =
      isZero
      ? .writeZeroes(offset: offset, count: sectors.count * SimulatedDisk.sectorSize, durable: isDurable)
      : .write(offset: offset, SectorContents.write(id, sectors), durable: isDurable)
    model.submit(number, id, sectors)
    let life = self.life
    mirror.submit(request) { [self] failure in
      guard answered(life), failure == nil else { return }
      model.answer(number, sectors, durable: isDurable)
    }
  }

  private func flush(_ mirror: Mirror) {
    let moment = model.moment()
    let life = self.life
    mirror.submit(.flush) { [self] failure in
      guard answered(life), failure == nil else { return }
      model.flushed(moment)
    }
  }

  private func read(_ mirror: Mirror, _ sectors: Range<Int>) {
    let buffer = BlockBuffer(count: sectors.count * SimulatedDisk.sectorSize)
    let moment = model.moment()
    let life = self.life
    mirror.submit(.read(offset: sectors.lowerBound * SimulatedDisk.sectorSize, buffer)) { [self] failure in
      guard answered(life), failure == nil else { return }
      for (place, sector) in sectors.enumerated() {
        let id = SectorContents.version(buffer.bytes, place, sector: sector)
        guard id.map({ !model.allows($0, sector, readAt: moment) }) ?? true else { continue }
        complain(
          "sector \(sector) reads as \(id.map { "\($0)" } ?? "garbage"), and may be \(model.describe(sector))"
        )
      }
    }
  }

  private func findHoles(_ mirror: Mirror, _ sectors: Range<Int>) {
    let size = SimulatedDisk.sectorSize
    let moment = model.moment()
    let life = self.life
    mirror.blockStatus(of: sectors.lowerBound * size..<sectors.upperBound * size) { [self] result in
      guard answered(life), let parts = try? result.get() else { return }
      var next = sectors.lowerBound
      for part in parts {
        for sector in next..<next + part.count / size
        where part.isHole && !model.allows(0, sector, readAt: moment) {
          complain("sector \(sector) is told to be a hole, and may be \(model.describe(sector))")
        }
        next += part.count / size
      }
      if next == sectors.lowerBound || next > sectors.upperBound {
        complain("for sectors \(sectors) there is an answer up to \(next)")
      }
    }
  }

  // MARK: - Faults

  private func hurt() {
    guard let mirror else { return }
    let status = mirror.legStatus
    let leg = Int.random(in: 0..<disks.count, using: &random)
    if random.oneIn(5) { return replace(leg) }
    if random.oneIn(20) { attachRetired() }
    switch status[leg] {
    case .missing, .dropped, .outdated, .diverged: revive(leg)
    case .upToDate where status.count { $0 == .upToDate } < 2 && !random.oneIn(20): return
    case .upToDate, .syncing:
      outcome.faults += 1
      switch Int.random(in: 0..<3, using: &random) {
      case 0:
        disks[leg].die()
        connections[leg].isBroken = true
      case 1: disks[leg].hold()
      default:
        // Power is lost and comes back at once, with what was in the cache gone.
        connections[leg].isBroken = true
        losePower(leg)
      }
    }
  }

  private func revive(_ leg: Int) {
    guard let mirror else { return }
    if replacing[leg] != nil, random.oneIn(2) { return replace(leg) }
    connections[leg].isBroken = true
    if random.oneIn(2) { losePower(leg) } else { disks[leg].recover() }
    let connection = SimulatedConnection(disks[leg], clock: clock)
    connections[leg] = connection
    mirror.attach(connection) { [self] failure in
      // It may be hurt again meanwhile; what must not be is that it is taken for a leg that diverged, or for none.
      if let failure, !connection.isBroken, replacing[leg] == nil,
        [.notFound, .garbled, .refused].contains(failure.code),
        disks[leg].condition == .well
      {
        complain("leg \(leg) is not taken back: \(failure)")
      }
    }
  }

  func losePower(_ leg: Int) {
    if leg == liar { return disks[leg].recover() }
    cachesLost = true
    disks[leg].losePower()
  }

  private func crash() {
    outcome.crashes += 1
    life += 1
    outstanding = 0
    isReplacing = false
    let status = mirror?.legStatus ?? []
    let isLosingLeg = mirror?.isLosingLeg ?? false
    mirror = nil
    let isKill = random.oneIn(3) || liar != nil
    let keepsCaches =
      isKill && !cachesLost && status.allSatisfy { $0 == .upToDate }
      && disks.allSatisfy { $0.condition == .well }
    for (leg, disk) in Array(disks.enumerated())
      + replacing.enumerated().compactMap({ leg, disk in disk.map { (leg, $0) } })
    {
      if isKill, disk.condition == .well || leg == liar { disk.loseUser() } else { disk.losePower() }
    }
    clock.cancelAll()
    connections = disks.map { SimulatedConnection($0, clock: clock) }
    let whole = Array(disks.indices)
    let current = whole.filter { status.indices.contains($0) && status[$0] == .upToDate }
    var chosen = whole
    // Who goes on with some of the legs while only others have a generation that had begun parts them.
    if random.oneIn(3), let kept = current.randomElement(using: &random), !isLosingLeg {
      chosen = whole.filter { $0 == kept || random.oneIn(2) }
    }
    if random.oneIn(3), chosen.count == whole.count { openRetired(current: current) }
    open(chosen.shuffled(using: &random))
    check(keepsCaches: keepsCaches)
  }

  private func open(_ legs: [Int]) {
    let usable = legs.filter { isUsable($0, among: legs) }
    // With two legs the one that is there knows that the other one was replaced.
    options.allowsMissingLegs = legs.count < disks.count || disks.count > 2 && usable.count < legs.count
    var opened: Result<Mirror, Failure>?
    Mirror.open(on: usable.map { connections[$0] }, clock: clock, options: options, random: number) {
      opened = $0
    }
    _ = clock.run { opened != nil }
    switch opened {
    case .success(let mirror)?:
      self.mirror = mirror
      mirror.onEvent = { [self] event in if event.hasPrefix("up to date") { outcome.resyncs += 1 } }
    case .failure(let failure)?: complain("the mirror cannot be opened: \(failure)")
    case nil: complain("opening the mirror has no end")
    }
  }

  /// Reads everything, which must be what a crash may leave, and is fixed from then on.
  private func check(keepsCaches: Bool) {
    guard let mirror else { return }
    let buffer = BlockBuffer(count: sectorCount * SimulatedDisk.sectorSize)
    var answer: Failure??
    mirror.submit(.read(offset: 0, buffer)) { answer = .some($0) }
    _ = clock.run { answer != nil }
    guard case .some(nil) = answer else { return complain("what a crash left cannot be read") }
    for sector in 0..<sectorCount {
      let id = SectorContents.version(buffer.bytes, sector, sector: sector)
      guard let id, model.allowsAfterCrash(id, sector, keepsCaches: keepsCaches) else {
        return complain(
          "after a crash sector \(sector) is \(id.map { "\($0)" } ?? "garbage"), and may be \(model.describe(sector))"
        )
      }
      model.settle(id, sector)
    }
    cachesLost = false
  }

  // MARK: - The end

  private func finish() {
    for _ in 0..<20 where !isOver {
      guard let mirror, !settle(mirror) else { break }
      // It has failed since every leg did: it is opened again.
      crash()
    }
    guard !isOver, let mirror else { return }
    guard mirror.isInSync, outstanding == 0 else {
      return complain(
        "it does not come to rest: \(mirror.legStatus), \(outstanding) requests are not answered")
    }
    check(keepsCaches: true)
    for disk in disks where !isOver {
      let data = 0..<sectorCount * SimulatedDisk.sectorSize
      if disk.peek(data) != disks[0].peek(data) { complain("\(disk.name) differs from \(disks[0].name)") }
    }
  }

  /// Brings every leg back; false when the mirror has failed.
  private func settle(_ mirror: Mirror) -> Bool {
    // A leg that was hurt while nobody used it is noticed by what is sent to it.
    outstanding += 1
    flush(mirror)
    for _ in 0..<200 {
      _ = clock.run(limit: 3000) { mirror.isInSync && outstanding == 0 }
      if mirror.isInSync, outstanding == 0 { return true }
      if !mirror.legStatus.contains(.upToDate) { return false }
      for (leg, status) in mirror.legStatus.enumerated() where status == .dropped || status == .missing {
        if replacing[leg] == nil { revive(leg) } else { replace(leg) }
      }
    }
    return true
  }
}
