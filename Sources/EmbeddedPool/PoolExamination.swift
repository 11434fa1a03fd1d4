import BlockEngine
import ExtentPool
import HostInterface
import LinuxBlockDevices
import ReplicatedVolume

/// What a look at the legs of a mirror told.
struct ExaminedLegs {
  let found: MirrorExamination

  /// What is wrong with a leg of the description; nil when nothing is.
  func problem(ofLeg place: Int, in legs: PoolLegs) -> Failure? {
    guard let device = legs.place(ofLeg: place) else { return legs.problems[place] }
    return found.problems[device]
  }
}

extension MirrorExamination {
  /// The index in the mirror of a leg of the description.
  func index(ofLeg place: Int, in legs: PoolLegs) -> Int? { legs.place(ofLeg: place).flatMap { indexes[$0] } }

  /// Looks at one device alone.
  ///
  /// - Throws: ``Failure`` when it is no leg.
  static func of(_ device: any BlockDevice, on loop: AIOLoop) throws -> MirrorExamination {
    let examined: Result<MirrorExamination, Failure> = try loop.finish(device.name, limit: OpenPool.limit) {
      Mirror.examine([device], clock: loop, $0)
    }
    return try examined.get()
  }

  /// Looks at the legs that could be opened.
  ///
  /// - Throws: ``Failure`` when none is a leg, or they are those of another pool than the one that is described.
  static func of(
    _ legs: PoolLegs, _ description: PoolDescription, on loop: AIOLoop, _ options: MirrorOptions
  ) throws -> ExaminedLegs {
    let result: Result<MirrorExamination, Failure> = try loop.finish(
      "pool \(description.name)", limit: OpenPool.limit
    ) { Mirror.examine(legs.present, clock: loop, options: options, $0) }
    let found = try result.get()
    guard found.id == description.idBytes else {
      throw Failure(
        .refused, "pool \(description.name)",
        "\(legs.present.first?.name ?? "the leg") is a leg of another pool than the one that is described",
        remedy: "correct the paths of the legs in the description")
    }
    return ExaminedLegs(found: found)
  }
}

extension PoolLegs {
  /// The devices that could be opened.
  var present: [any BlockDevice] { devices.compactMap { $0 } }

  /// Where a leg of the description stands among those.
  func place(ofLeg place: Int) -> Int? {
    devices[place] == nil ? nil : devices[..<place].count { $0 != nil }
  }
}

extension PoolReport {
  /// Looks at a pool that nobody serves, without writing anything.
  ///
  /// - Throws: ``Failure`` when it cannot even be looked at: no leg can be read, or a leg is in use elsewhere.
  static func examining(
    _ description: PoolDescription, on loop: AIOLoop, options: OpenPool.Options
  ) throws -> PoolReport {
    try OpenPool.refuseIncomplete(description)
    let legs = try PoolLegs(description.legs, on: loop)
    let events = EventLog { _ in }
    if description.legs.count == 1, let only = legs.present.first {
      let view = ReadOnlyView(only, size: only.size)
      let leg = Leg(
        address: description.legs[0].description, status: .upToDate, problem: nil, size: only.size)
      return try opened(view, description, [leg], on: loop, events)
    }
    let examination = try MirrorExamination.of(
      legs, description, on: loop, OpenPool.mirrorOptions(description, options, events))
    let found = examination.found
    let reports = description.legs.indices.map { place in
      let device = legs.devices[place]
      let index = found.index(ofLeg: place, in: legs)
      return Leg(
        address: description.legs[place].description,
        status: index.flatMap { found.legStatus.indices.contains($0) ? found.legStatus[$0] : nil }
          ?? .missing,
        problem: examination.problem(ofLeg: place, in: legs)?.description, size: device?.size)
    }
    let missing = description.legs.indices.filter { found.index(ofLeg: $0, in: legs) == nil }
      .map { description.legs[$0] }
    let refusal = found.refusal.map { refusal in
      let problems = Dictionary(
        uniqueKeysWithValues: description.legs.indices.compactMap { place in
          examination.problem(ofLeg: place, in: legs).map { (description.legs[place], $0) }
        })
      return StoredFailure(OpenPool.refusal(refusal, missing, problems, description))
    }
    var report: PoolReport
    if let counting = found.counting {
      let view = ReadOnlyView(legs.present[counting], size: found.dataSize)
      report = try opened(view, description, reports, on: loop, events)
    } else {
      report = PoolReport(description, legs: reports)
    }
    report.outOfSync = found.outOfSync
    report.resyncRate = description.resyncRate
    report.refusal = refusal
    return report
  }

  private static func opened(
    _ view: ReadOnlyView, _ description: PoolDescription, _ legs: [Leg], on loop: AIOLoop, _ events: EventLog
  ) throws -> PoolReport {
    let pool: Result<ExtentPool, Failure> = try loop.finish("pool \(description.name)", limit: OpenPool.limit)
    {
      ExtentPool.open(on: view, onEvent: events.add, $0)
    }
    var report = PoolReport(description, of: try pool.get(), legs: legs, outOfSync: 0)
    report.events = events.lines
    return report
  }

  /// A pool of which nothing is known but its legs.
  private init(_ description: PoolDescription, legs: [Leg]) {
    name = description.name.description
    (extentSize, extents, free, outOfSync) = (0, 0, 0, 0)
    self.legs = legs
    (volumes, events) = ([], [])
  }
}

extension OpenPool {
  /// Throws what stands against opening a pool, as far as a look at its legs tells; nothing is written.
  package static func examine(
    _ description: PoolDescription, on loop: AIOLoop, options: Options
  ) throws {
    let report = try PoolReport.examining(description, on: loop, options: options)
    if let refusal = report.refusal { throw refusal.failure }
  }
}
