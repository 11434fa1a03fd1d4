import BlockEngine
import HostInterface
import LinuxBlockDevices
import ReplicatedVolume
import SystemPackage

/// The embedded pools of a machine: those that have a description.
///
/// While a process serves a pool, requests go to it over its control socket; else the legs are opened for as long as
/// the request takes.
package struct EmbeddedPools: Sendable {
  /// The machine.
  package let host: any Host
  /// Where descriptions and sockets are.
  package let places: PoolPlaces

  /// The pools of a machine.
  package init(on host: any Host, places: PoolPlaces = .usual) { (self.host, self.places) = (host, places) }

  /// How requests are made.
  package struct Options: Sendable {
    /// Whether a leg may be missing that may have newer data.
    package var allowsMissingLegs = false
    /// Called with what there is, now and then, while something goes on.
    package var progress: @Sendable (PoolReport) -> Void = { _ in }
    /// Called with what happens to the legs, in words.
    package var onEvent: @Sendable (String) -> Void = { _ in }

    /// Every leg must be there, and nobody is told anything.
    package init() {}
  }

  /// A pool's description; nil when it is none of these pools.
  package func description(of name: PoolName) throws -> PoolDescription? { try places.read(name, on: host) }

  /// A pool's description.
  ///
  /// - Throws: ``Failure`` with code `notFound` when it is none of these pools.
  package func existing(_ name: PoolName) throws -> PoolDescription {
    guard let description = try description(of: name) else {
      throw Failure(.notFound, "pool \(name)", "is no embedded pool", remedy: "see `quartet pool list`")
    }
    return description
  }

  /// Writes into a pool's description, as it is now, that another leg is in the place of one.
  package func record(_ new: LegAddress, inPlaceOf former: LegAddress, in name: PoolName) throws {
    var description = try existing(name)
    description.legs = description.legs.map { $0 == former ? new : $0 }
    try places.write(description, on: host)
  }

  /// Bounds what a resync of a pool copies in a second, now and whenever the pool is opened.
  ///
  /// - Returns: Whether that was otherwise before.
  package func setResyncRate(_ rate: ResyncRate, of name: PoolName) async throws -> Bool {
    let description = try existing(name)
    guard description.legs.count > 1 else {
      throw Failure(.unsupported, "pool \(name)", "has one leg, and so no resync that has a rate")
    }
    var isChanged = false
    if try await report(description).server != nil {
      isChanged = try await perform(.setResyncRate(bytes: rate.limit), on: description).changed
    }
    let lock = try await host.lock("pool-\(name)", limit: .seconds(30))
    defer { lock.release() }
    // As it is now: a leg may have been exchanged meanwhile.
    var current = try existing(name)
    guard current.resyncRate != rate.limit else { return isChanged }
    current.resyncRate = rate.limit
    try places.write(current, on: host)
    return true
  }

  /// How long the process that serves a pool may take to answer.
  private static let answerLimit = Duration.seconds(60)

  /// Everything that there is to know of a pool; nothing is written to its legs.
  package func report(_ description: PoolDescription) async throws -> PoolReport {
    for _ in 0..<Self.endings {
      guard let client = try ControlClient(places.control(of: description.name)) else { break }
      do { return try Self.report(from: client) } catch let failure as Failure
        where failure.code == .unavailable
      {
        // The process was just ending, and is soon gone.
        try await host.sleep(.milliseconds(20))
      }
    }
    return try PoolReport.examining(description, on: AIOLoop(), options: OpenPool.Options())
  }

  /// How often a process may end instead of answering before its legs are looked at.
  private static let endings = 50

  private static func report(from client: ControlClient) throws -> PoolReport {
    guard case .report(var report) = try client.ask(.report, limit: answerLimit).orFailure() else {
      throw Failure(.garbled, "control socket", "the answer is no report")
    }
    report.server = client.server
    return report
  }

  /// Carries a request out to its end.
  ///
  /// - Returns: Whether anything was changed, and how the pool does afterwards.
  package func perform(
    _ request: PoolRequest, on description: PoolDescription, options: Options = Options()
  ) async throws -> (changed: Bool, report: PoolReport) {
    do {
      return try await attempt(request, on: description, options: options)
    } catch let unsure as UnsureFailure { throw unsure.failure }
  }

  /// A failure after which a request may have been carried out all the same, or may still be.
  struct UnsureFailure: Error {
    let failure: Failure

    /// Runs what comes after the request.
    static func during<Value>(_ body: () throws -> Value) throws -> Value {
      do { return try body() } catch { throw UnsureFailure(of: error) }
    }

    init(of error: any Error) {
      failure = error as? Failure ?? Failure(.invalid, "pool", "\(error)")
    }
  }

  /// The same for who has to know what a failure means.
  ///
  /// - Throws: ``UnsureFailure``, or another error when the request was not carried out, and nobody is at it.
  func attempt(
    _ request: PoolRequest, on description: PoolDescription, options: Options
  ) async throws -> (changed: Bool, report: PoolReport) {
    let lock = try await host.lock("pool-\(description.name)", limit: .seconds(30))
    defer { lock.release() }
    let control = places.control(of: description.name)
    guard let client = try ControlClient(control) else {
      return try performHere(request, description, options)
    }
    let answer = try UnsureFailure.during { try client.ask(request, limit: Self.answerLimit) }.orFailure()
    do { return try await watch(answer, control, options) } catch { throw UnsureFailure(of: error) }
  }

  /// Waits for the end of what the process that serves the pool has begun.
  private func watch(
    _ answer: PoolAnswer, _ control: FilePath, _ options: Options
  ) async throws -> (Bool, PoolReport) {
    while true {
      guard let client = try ControlClient(control) else {
        throw Failure(
          .unavailable, "\(control)", "the process that serves the pool has ended",
          remedy: "see `quartet pool status`, and run the same command again")
      }
      let report = try Self.report(from: client)
      if case .done(let changed) = answer { return (changed, report) }
      guard let job = report.job, job.isRunning else {
        if let failure = report.job?.failure { throw failure.failure }
        return (true, report)
      }
      options.progress(report)
      try await host.sleep(.milliseconds(200))
    }
  }

  private func performHere(
    _ request: PoolRequest, _ description: PoolDescription, _ options: Options
  ) throws -> (Bool, PoolReport) {
    let loop = try AIOLoop()
    var opening = OpenPool.Options()
    opening.allowsMissingLegs = options.allowsMissingLegs
    opening.onEvent = options.onEvent
    opening.recordLeg = { try record($1, inPlaceOf: $0, in: description.name) }
    if case .attachLeg(let leg, discard: true) = request { opening.discarding.insert(try LegAddress(leg)) }
    let open = try OpenPool.open(description, on: loop, options: opening)
    do {
      let answer = try loop.finish("pool \(open.name)", limit: OpenPool.limit) {
        open.carryOut(request, $0)
      }.orFailure()
      return try UnsureFailure.during { try end(open, request, answer, options) }
    } catch {
      try? open.close()
      throw error
    }
  }

  /// Waits for the end of what has begun here, and closes the pool.
  private func end(
    _ open: OpenPool, _ request: PoolRequest, _ answer: PoolAnswer, _ options: Options
  ) throws -> (Bool, PoolReport) {
    try wait(for: open, request, answer, options)
    var answer = answer
    if case .begun = answer {
      if let failure = open.job?.failure { throw failure.failure }
      answer = .done(changed: true)
    }
    let report = open.report(server: nil)
    try open.close()
    if case .done(let changed) = answer { return (changed, report) }
    return (false, report)
  }

  /// Runs the loop until what was begun has ended.
  private func wait(
    for open: OpenPool, _ request: PoolRequest, _ answer: PoolAnswer, _ options: Options
  ) throws {
    var isBusy: () -> Bool = { false }
    if case .begun = answer { isBusy = { open.job?.isRunning == true } }
    switch request {
    case .attachLeg, .replaceLeg:
      isBusy = { open.mirror.map { $0.resyncLeft != nil || $0.legStatus.contains(.syncing) } ?? false }
    default: break
    }
    while isBusy() {
      let before = open.loop.now
      // A timer, so that the loop has something to wait for even while nothing is in flight.
      open.loop.schedule(after: .milliseconds(500)) {}
      try open.loop.run { !isBusy() || open.loop.now - before >= .milliseconds(500) }
      options.progress(open.report(server: nil))
    }
  }
}
