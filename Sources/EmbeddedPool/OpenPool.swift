import BlockEngine
import ExtentPool
import HostInterface
import LinuxBlockDevices
import NBDClient
import ReplicatedVolume

/// An embedded pool in use: its legs, the mirror over them, and the extents on it.
///
/// It belongs to the thread of its loop, as everything that is built on a device does.
package final class OpenPool {
  /// How a pool is opened.
  package struct Options {
    /// Whether it may be opened although a leg is missing that may have newer data.
    package var allowsMissingLegs = false
    /// Legs whose diverged data are given up.
    package var discarding: Set<LegAddress> = []
    /// Writes into the pool's description that another leg is in the place of one, whole or not at all.
    package var recordLeg: (_ former: LegAddress, _ new: LegAddress) throws -> Void = { _, _ in }
    /// Told what happens, in words.
    package var onEvent: (String) -> Void = { _ in }

    /// Every leg must be there, or known to be behind.
    package init() {}
  }

  /// What the pool is made of; a leg that is exchanged changes it.
  package private(set) var description: PoolDescription
  /// The extents and volumes.
  package let pool: ExtentPool
  /// The mirror; nil for a pool on one leg.
  package let mirror: Mirror?
  let loop: AIOLoop
  private let events: EventLog
  /// How many bytes the resync that runs had at its beginning.
  private var resyncTotal = 0
  var job: PoolReport.Job?
  /// Why legs could not be opened, when that was tried last.
  var problems: [LegAddress: Failure]
  private let recordLeg: (LegAddress, LegAddress) throws -> Void

  private init(
    _ description: PoolDescription, _ pool: ExtentPool, _ mirror: Mirror?, on loop: AIOLoop,
    events: EventLog, problems: [LegAddress: Failure],
    recordLeg: @escaping (LegAddress, LegAddress) throws -> Void
  ) {
    (self.description, self.pool, self.mirror, self.loop) = (description, pool, mirror, loop)
    (self.events, self.problems) = (events, problems)
    self.recordLeg = recordLeg
  }

  /// Names another leg in the place of one from now on, in the pool's file first.
  func exchangeInDescription(_ former: LegAddress, _ new: LegAddress) throws {
    guard former != new else { return }
    try recordLeg(former, new)
    description.legs = description.legs.map { $0 == former ? new : $0 }
  }

  /// Opens a pool for use; legs that are not up to date are brought up to date in the background.
  ///
  /// The loop is run until it is open.
  ///
  /// - Throws: ``Failure`` when a leg is in use elsewhere, a leg is missing that may have newer data, both copies of
  ///   some metadata are damaged, or the legs diverged; nothing is written then.
  package static func open(
    _ description: PoolDescription, on loop: AIOLoop, options: Options = Options()
  ) throws -> OpenPool {
    try refuseIncomplete(description)
    let events = EventLog(options.onEvent)
    let legs = try PoolLegs(description.legs, on: loop, stallLimit: stallLimit(description))
    var problems: [LegAddress: Failure] = [:]
    for (address, problem) in zip(description.legs, legs.problems) { problems[address] = problem }
    var mirror: Mirror?
    let device: any BlockDevice
    if description.legs.count == 1, let only = legs.devices.first ?? nil {
      device = only
    } else {
      let open = try openMirror(description, legs, on: loop, options, events, &problems)
      mirror = open
      device = open
    }
    let opened: Result<ExtentPool, Failure> = try loop.finish("pool \(description.name)", limit: limit) {
      ExtentPool.open(on: device, onEvent: events.add, $0)
    }
    switch opened {
    case .success(let pool):
      return OpenPool(
        description, pool, mirror, on: loop, events: events, problems: problems, recordLeg: options.recordLeg)
    case .failure(let failure):
      if let mirror { _ = try loop.finish("pool", limit: limit) { mirror.close($0) } as Failure? }
      throw failure
    }
  }

  static let limit = Duration.seconds(120)

  static func refuseIncomplete(_ description: PoolDescription) throws {
    guard description.isBeingCreated else { return }
    throw Failure(
      .refused, "pool \(description.name)", "is not complete: the run that was to make it did not end",
      remedy: "run the same `quartet pool create` again, or `quartet pool remove \(description.name)`")
  }

  private static func openMirror(
    _ description: PoolDescription, _ legs: PoolLegs, on loop: AIOLoop, _ options: Options,
    _ events: EventLog, _ problems: inout [LegAddress: Failure]
  ) throws -> Mirror {
    var chosen = mirrorOptions(description, options, events)
    let examination = try MirrorExamination.of(legs, description, on: loop, chosen)
    for (place, address) in description.legs.enumerated() {
      if let problem = examination.problem(ofLeg: place, in: legs) { problems[address] = problem }
      if options.discarding.contains(address), let index = examination.found.index(ofLeg: place, in: legs) {
        chosen.discarding.insert(index)
      }
    }
    // What cannot be read is no leg just now; it counts as missing, which has to be allowed.
    let usable = description.legs.indices.filter { examination.found.index(ofLeg: $0, in: legs) != nil }
    let missing = description.legs.indices.filter { !usable.contains($0) }.map { description.legs[$0] }
    let opened: Result<Mirror, Failure> = try loop.finish("pool \(description.name)", limit: limit) {
      Mirror.open(
        on: usable.compactMap { legs.devices[$0] }, clock: loop, options: chosen,
        random: { .random(in: 1 ... .max) }, $0)
    }
    do {
      let mirror = try opened.get()
      for device in legs.present { watch(device, for: mirror) }
      return mirror
    } catch {
      throw refusal(error, missing, problems, description)
    }
  }

  /// Has a leg dropped when its server is lost, though nobody asks it anything.
  static func watch(_ device: any BlockDevice, for mirror: Mirror) {
    guard let leg = device as? NBDLeg else { return }
    leg.onLoss = { [weak mirror, weak leg] failure in
      if let leg { mirror?.drop(leg, because: failure) }
    }
  }

  static func stallLimit(_ description: PoolDescription) -> Duration {
    description.stallSeconds.map { .seconds($0) } ?? MirrorOptions().stallLimit
  }

  static func mirrorOptions(
    _ description: PoolDescription, _ options: Options, _ events: EventLog
  ) -> MirrorOptions {
    var chosen = MirrorOptions()
    chosen.allowsMissingLegs = options.allowsMissingLegs
    chosen.resyncRate = description.resyncRate
    chosen.stallLimit = stallLimit(description)
    chosen.onEvent = events.add
    return chosen
  }

  /// Says which leg is missing and why, where that is why the mirror is refused.
  static func refusal(
    _ failure: Failure, _ missing: [LegAddress], _ problems: [LegAddress: Failure],
    _ description: PoolDescription
  ) -> Failure {
    var failure = failure
    if failure.subject == "mirror" { failure.subject = "pool \(description.name)" }
    if failure.problem.hasPrefix("split brain") {
      failure.remedy = "decide whose changes are given up, and say --discard LEG"
    } else if let first = missing.first, failure.problem.contains("missing") {
      failure.answer = missing.map { address in
        problems[address].map { "\($0.subject): \($0.problem)\($0.answer.map { ": " + $0 } ?? "")" }
          ?? "\(address)"
      }.joined(separator: "; ")
      failure.remedy =
        "bring \(first) back, or say --missing-legs if the others have the newest data: it is then behind"
    }
    return failure
  }

  /// Ends the use: what was begun is finished, and the legs are marked as closed.
  ///
  /// The loop is run until it is over.
  package func close() throws {
    let device: any BlockDevice = pool.device
    let failure: Failure? = try loop.finish("pool \(description.name)", limit: Self.limit) { done in
      if let mirror { mirror.close(done) } else { device.submit(.flush, done) }
    }
    if let failure { throw failure }
  }

  /// What there is, now.
  package func report(server: Int32?) -> PoolReport {
    var report = PoolReport(description, of: pool, legs: legs, outOfSync: mirror?.outOfSync ?? 0)
    if let left = mirror?.resyncLeft {
      resyncTotal = max(resyncTotal, left)
      (report.resyncLeft, report.resyncTotal) = (left, resyncTotal)
    } else {
      resyncTotal = 0
    }
    report.resyncRate = mirror?.resyncRate
    report.job = job
    report.server = server
    report.events = events.lines
    return report
  }

  private var legs: [PoolReport.Leg] {
    guard let mirror else {
      return description.legs.map {
        PoolReport.Leg(address: $0.description, status: .upToDate, problem: nil, size: pool.device.size)
      }
    }
    let reports = mirror.legReports
    let connected = Set(reports.compactMap(\.device))
    var absent = description.legs.filter { !connected.contains($0.description) }[...]
    return reports.map { leg in
      let address = leg.device ?? absent.popFirst()?.description ?? "-"
      let known = (try? LegAddress(address)).flatMap { problems[$0] }
      let reason = leg.reason ?? (leg.device == nil ? known : nil)
      return PoolReport.Leg(
        address: address, status: leg.status, problem: reason.map(\.description), size: nil)
    }
  }
}

/// The last things that happened, for whoever asks later.
final class EventLog {
  private static let limit = 50
  private(set) var lines: [String] = []
  private let tell: (String) -> Void

  init(_ tell: @escaping (String) -> Void) { self.tell = tell }

  func add(_ line: String) {
    if lines.count == Self.limit { lines.removeFirst() }
    lines.append(line)
    tell(line)
  }
}

extension PoolReport {
  init(_ description: PoolDescription, of pool: ExtentPool, legs: [Leg], outOfSync: Int) {
    name = description.name.description
    (extentSize, extents, free) = (pool.extentSize, pool.extentCount, pool.freeCount)
    self.legs = legs
    volumes = pool.volumeNames.map { name in
      let segments = (try? pool.segments(of: name)) ?? []
      return Volume(
        name: name.description, size: segments.reduce(0) { $0 + Int($1.count) } * pool.extentSize,
        segments: segments.map { Segment(start: $0.start, count: $0.count) }, isOpen: pool.isAttached(name))
    }
    self.outOfSync = outOfSync
    events = []
  }
}
