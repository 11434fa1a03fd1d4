import BlockEngine
import ExtentPool
import HostInterface
import LinuxBlockDevices
import ReplicatedVolume

/// Describes a pool of which only the legs are left, or that another machine made: all else stands on them.
///
/// Nothing is written to a leg.
package struct PoolImport: Sendable {
  /// What the pool is to be called here.
  package var name: PoolName
  /// All of its legs, in any order; where those are to be that are not there just now.
  package var legs: [LegAddress]

  /// An import of the pool on these legs.
  package init(name: PoolName, legs: [LegAddress]) { (self.name, self.legs) = (name, legs) }

  /// What was found, and is to be known of it.
  package struct Proposal: Sendable {
    /// The description to be written; nil when the pool is described so already.
    package var description: PoolDescription?
    /// What else the reader should know: legs that are not there, and why the pool would not be opened.
    package var warnings: [String] = []
  }

  /// Looks at the legs.
  ///
  /// - Throws: ``Failure`` with code `exists` when the name, or the pool, is another's; `refused` when the legs are not
  ///   all those of one pool; `inUse` when somebody uses one; `invalid` or `notFound` when there is no pool on them.
  package func proposal(on host: any Host, _ places: PoolPlaces) throws -> Proposal {
    try PoolCreation(name: name, legs: legs).checkArguments(places)
    if let existing = try places.read(name, on: host) {
      guard Set(existing.legs) == Set(legs) else { throw PoolCreation.hasOtherLegs(existing) }
      try OpenPool.refuseIncomplete(existing)
      return Proposal()
    }
    let (description, problems) = try describe()
    for other in try places.names(on: host) where try places.read(other, on: host)?.id == description.id {
      throw Failure(
        .exists, "pool \(name)", "is the pool \(other) of this machine",
        remedy: "use it by that name, or remove \(places.description(of: other)) if it is not right")
    }
    var proposal = Proposal(description: description, warnings: problems)
    let report = try PoolReport.examining(description, on: AIOLoop(), options: OpenPool.Options())
    if let refusal = report.refusal { proposal.warnings.append("\(refusal.failure)") }
    return proposal
  }

  /// Writes the description.
  package func perform(on host: any Host, _ places: PoolPlaces) throws -> Proposal {
    let proposal = try proposal(on: host, places)
    if let description = proposal.description { try places.write(description, on: host) }
    return proposal
  }

  /// Describes what stands on the legs, and tells which are missing.
  private func describe() throws -> (PoolDescription, missing: [String]) {
    let loop = try AIOLoop()
    let opened = try PoolLegs(legs, on: loop)
    let missing = zip(legs, opened.problems).compactMap { address, problem in
      problem.map { "leg \(address) is missing: \($0)" }
    }
    if let only = opened.present.first, legs.count == 1, let id = try poolID(of: only, loop) {
      return (PoolDescription(name: name, id: PoolDescription.id(of: id), legs: legs), missing)
    }
    let found = try zip(legs, opened.devices).map { address, device in
      try device.map { (address, try MirrorExamination.of($0, on: loop)) }
    }
    guard let first = found.compactMap({ $0 }).first else {
      throw Failure(.notFound, "pool \(name)", "none of its legs can be opened")
    }
    let legs = try ordered(found, first)
    return (PoolDescription(name: name, id: PoolDescription.id(of: first.1.id), legs: legs), missing)
  }

  /// The id of a pool that has no mirror below it; nil when the device is a leg of one.
  private func poolID(of device: any BlockDevice, _ loop: AIOLoop) throws -> [UInt8]? {
    if (try? MirrorExamination.of(device, on: loop)) != nil { return nil }
    let opened: Result<ExtentPool, Failure> = try loop.finish(device.name, limit: OpenPool.limit) {
      ExtentPool.open(on: ReadOnlyView(device, size: device.size), $0)
    }
    return try opened.get().id
  }

  /// The legs of a mirror in the order of their numbers; those that are not there take the places that are left.
  private func ordered(
    _ found: [(LegAddress, MirrorExamination)?], _ known: (LegAddress, MirrorExamination)
  ) throws -> [LegAddress] {
    let (address, first) = known
    guard first.legCount == legs.count else {
      throw Failure(
        .refused, "pool \(name)", "has \(first.legCount) legs, and \(legs.count) are named",
        remedy: "name all of them; one that is not there, where it is to be")
    }
    var byIndex = [LegAddress?](repeating: nil, count: legs.count)
    for (other, leg) in found.compactMap({ $0 }) {
      guard leg.id == first.id, leg.legCount == first.legCount, let index = leg.indexes[0] else {
        throw Failure(
          .refused, "leg \(other)", "is a leg of another pool than \(address)",
          remedy: "name the legs of one pool")
      }
      if let same = byIndex[index] {
        throw Failure(
          .refused, "leg \(other)",
          "is the same leg as \(same): a copy of it, or a disk that was replaced",
          remedy: "name the one that was used last")
      }
      byIndex[index] = other
    }
    var missing = zip(legs, found).filter { $0.1 == nil }.map(\.0)
    return byIndex.map { $0 ?? missing.removeFirst() }
  }
}
