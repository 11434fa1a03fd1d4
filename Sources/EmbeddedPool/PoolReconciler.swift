import HostInterface
import ReplicatedVolume

/// Finds the changes between an embedded pool as it is and as it should be; pure.
package enum PoolReconciler {
  /// The changes to a pool and its volumes.
  ///
  /// - Parameters:
  ///   - spec: What it should be.
  ///   - description: What it is made of; nil when it is not there.
  ///   - report: What is in it; nil when it is not there, or not complete.
  /// - Throws: ``Failure`` for other legs or extents than there are, or extents that cannot be compared because the
  ///   pool cannot be read, and for a volume that would shrink.
  package static func changes(
    to spec: EmbeddedPoolSpec, _ description: PoolDescription?, _ report: PoolReport?
  ) throws -> [EmbeddedPoolChange] {
    if let description { try refuseOtherLegs(spec, description) }
    let rates: [EmbeddedPoolChange] = spec.resyncRate.map { [.setResyncRate(spec.name, $0)] } ?? []
    guard let report else {
      // A new pool has no limit.
      return [.createPool(spec)] + (spec.resyncRate?.limit == nil ? [] : rates)
        + spec.volumes.map { .createVolume(VolumePath(spec.name, $0.name), $0.size) }
    }
    try report.refuseOtherExtents(spec.extentSize, named: "extentSize")
    let isAsWanted = spec.resyncRate.map { rate in
      // The process that serves the pool may not have been told what the description says.
      [description?.resyncRate, report.resyncRate].allSatisfy { $0 == rate.limit }
    }
    return try (isAsWanted == false ? rates : [])
      + spec.volumes.compactMap { try change(to: $0, VolumePath(spec.name, $0.name), report) }
  }

  private static func refuseOtherLegs(_ spec: EmbeddedPoolSpec, _ description: PoolDescription) throws {
    guard Set(spec.legs) != Set(description.legs) else { return }
    throw Failure(
      .exists, "pool \(spec.name)", "has other legs than the file names",
      answer: description.legs.map(\.description).joined(separator: ", "),
      remedy: "name these legs; `apply` exchanges none, see `quartet pool --help` for what is done with a leg"
    )
  }

  private static func change(
    to volume: VolumeSpec, _ path: VolumePath, _ report: PoolReport
  ) throws -> EmbeddedPoolChange? {
    guard let live = report.volumes.first(where: { $0.name == volume.name.description }) else {
      return .createVolume(path, volume.size)
    }
    let now = UInt64(clamping: live.segments.reduce(0) { $0 + Int($1.count) })
    let extent = UInt64(clamping: report.extentSize)
    let wanted =
      switch volume.size {
      case .extents(let count): count
      case .bytes(let bytes): bytes / extent + (bytes % extent == 0 ? 0 : 1)
      }
    if wanted > now { return .extendVolume(path, volume.size) }
    guard wanted == now else {
      throw Failure(
        .refused, "volume \(path)",
        "has \(live.size) bytes, more than \(volume.size), and `apply` shrinks nothing",
        remedy: "name its size, or run `quartet pool reduce-volume \(path)` with that size first")
    }
    return nil
  }
}
