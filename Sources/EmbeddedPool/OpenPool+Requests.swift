import BlockEngine
import ExtentPool
import HostInterface

/// The one implementation of each request, whoever it comes from.
extension OpenPool {
  /// Carries a request out.
  ///
  /// - Parameters:
  ///   - request: What is asked.
  ///   - completion: Called once, on the loop's thread.
  package func carryOut(_ request: PoolRequest, _ completion: @escaping (PoolAnswer) -> Void) {
    let completion: (PoolAnswer) -> Void = { [self] in completion(named($0)) }
    do {
      try carryOutChecked(request, completion)
    } catch {
      completion(.failed(error as? Failure ?? Failure(.invalid, "pool", "\(error)")))
    }
  }

  private func named(_ answer: PoolAnswer) -> PoolAnswer {
    if case .failed(let stored) = answer { .failed(named(stored.failure)) } else { answer }
  }

  /// The mirror does not know what the pool is called.
  private func named(_ failure: Failure) -> Failure {
    guard failure.subject == mirror?.name else { return failure }
    var failure = failure
    failure.subject = "pool \(name)"
    return failure
  }

  private func carryOutChecked(
    _ request: PoolRequest, _ completion: @escaping (PoolAnswer) -> Void
  ) throws {
    switch request {
    case .report: completion(.report(report(server: nil)))
    case .createVolume(let name, let size, let policy):
      let name = try VolumeName(name)
      let extents = try extents(of: size, name)
      if let existing = try? pool.segments(of: name) {
        guard existing.reduce(0, { $0 + Int($1.count) }) == extents else {
          throw Failure(
            .exists, "volume \(name)", "exists already, with another size", remedy: "choose another name")
        }
        return completion(.done(changed: false))
      }
      pool.createVolume(name, extents: extents, policy: try self.policy(policy), ended(completion))
    case .extendVolume(let name, let size, let policy):
      let name = try VolumeName(name)
      let more = try extents(of: size, name) - count(name)
      if more == 0 { return completion(.done(changed: false)) }
      guard more > 0 else {
        throw Failure(
          .invalid, "volume \(name)", "is larger than that already",
          remedy: "shrink it with `quartet pool reduce-volume`, which loses data")
      }
      pool.extendVolume(name, by: more, policy: try self.policy(policy), ended(completion))
    case .reduceVolume(let name, let size):
      let name = try VolumeName(name)
      let wanted = try extents(of: size, name)
      if wanted == (try count(name)) { return completion(.done(changed: false)) }
      pool.shrinkVolume(name, to: wanted, ended(completion))
    case .renameVolume(let name, let other):
      let (name, other) = (try VolumeName(name), try VolumeName(other))
      if name == other {
        _ = try count(name)
        return completion(.done(changed: false))
      }
      pool.renameVolume(name, to: other, ended(completion))
    case .removeVolume(let name): pool.removeVolume(try VolumeName(name), ended(completion))
    case .moveSegment(let name, let segment, let place):
      try begin(PoolReport.Job(kind: "move", done: 0, total: 0, isRunning: true, differing: 0))
      pool.moveSegment(of: try VolumeName(name), segment, to: place) { [self] in endJob($0) }
      completion(.begun)
    case .verify: try verify(completion)
    case .attachLeg(let address, let discard): try attachLeg(address, discard: discard, completion)
    case .detachLeg(let address): try detachLeg(address, completion)
    case .replaceLeg(let old, let new, let wipe): try replaceLeg(old, by: new, wipe: wipe, completion)
    case .setResyncRate(let rate):
      if let rate, rate <= 0 { throw Failure(.invalid, "resync rate", "must be positive, not \(rate)") }
      guard let mirror else { throw noMirror }
      let changed = mirror.resyncRate != rate
      mirror.resyncRate = rate
      completion(.done(changed: changed))
    }
  }

  private func ended(_ completion: @escaping (PoolAnswer) -> Void) -> (Failure?) -> Void {
    { completion($0.map(PoolAnswer.failed) ?? .done(changed: true)) }
  }

  private func count(_ name: VolumeName) throws -> Int {
    try pool.segments(of: name).reduce(0) { $0 + Int($1.count) }
  }

  private func extents(of size: ExtentDemand, _ name: VolumeName) throws -> Int {
    let wanted: UInt64 =
      switch size {
      case .bytes(let bytes): bytes == 0 ? 0 : (bytes - 1) / UInt64(pool.extentSize) + 1
      case .extents(let extents): extents
      }
    guard wanted > 0, wanted <= UInt64(pool.extentCount) else {
      throw Failure(
        .invalid, "volume \(name)",
        "cannot have \(wanted) extents of \(pool.extentSize) bytes: the pool has \(pool.extentCount)",
        remedy: "choose a size from 1 extent to what is free, see `quartet pool list`")
    }
    return Int(wanted)
  }

  private func policy(_ name: String) throws -> AllocationPolicy {
    guard let policy = AllocationPolicy(rawValue: name) else {
      let names = AllocationPolicy.allCases.map(\.rawValue).joined(separator: ", ")
      throw Failure(
        .invalid, "allocation policy \(name.debugDescription)", "is not known", remedy: "use one of \(names)")
    }
    return policy
  }

  var noMirror: Failure {
    Failure(.unsupported, "pool \(self.name)", "has one leg, and so nothing that is mirrored")
  }

  private func begin(_ new: PoolReport.Job) throws {
    if let job, job.isRunning {
      throw Failure(
        .inUse, "pool \(name)", "is busy: a \(job.kind) runs",
        remedy: "wait for it, see `quartet pool status`"
      )
    }
    job = new
  }

  private func endJob(_ failure: Failure?) {
    job?.isRunning = false
    job?.failure = failure.map { StoredFailure(named($0)) }
  }

  private func verify(_ completion: @escaping (PoolAnswer) -> Void) throws {
    guard let mirror else { throw noMirror }
    try begin(PoolReport.Job(kind: "verify", done: 0, total: mirror.size, isRunning: true, differing: 0))
    mirror.verify(progress: { [self] in job?.done = $0 }) { [self] result in
      switch result {
      case .success(let ranges):
        job?.done = mirror.size
        job?.differing = ranges.reduce(0) { $0 + $1.count }
        endJob(nil)
      case .failure(let failure): endJob(failure)
      }
    }
    completion(.begun)
  }
}
