import BlockEngine
import HostInterface

/// How an embedded pool does.
package struct PoolReport: Codable, Sendable, Hashable {
  /// A leg of the mirror.
  package struct Leg: Codable, Sendable, Hashable {
    /// Where it is, or was.
    package var address: String
    /// How it does.
    package var status: LegStatus
    /// Why it was dropped, or cannot be used.
    package var problem: String?
    /// Its size in bytes, where it is there.
    package var size: Int?
  }

  /// A volume.
  package struct Volume: Codable, Sendable, Hashable {
    package var name: String
    /// In bytes.
    package var size: Int
    /// Its segments in the order of its contents.
    package var segments: [Segment]
    /// Whether it is served to somebody just now.
    package var isOpen: Bool
  }

  /// Extents side by side.
  package struct Segment: Codable, Sendable, Hashable {
    package var start, count: UInt32
  }

  /// Something that takes its time.
  package struct Job: Codable, Sendable, Hashable {
    /// `verify` or `move`.
    package var kind: String
    /// In bytes; of a move it is not known how far it is.
    package var done, total: Int
    package var isRunning: Bool
    /// How many bytes differ between the legs, so far.
    package var differing: Int
    /// Why it ended too early.
    package var failure: StoredFailure?
  }

  /// The pool's name.
  package var name: String
  /// The size of its data in bytes, over all extents.
  package var extentSize, extents, free: Int
  /// The legs by their number; a pool on one leg has no mirror, and its only leg is always up to date.
  package var legs: [Leg]
  /// The volumes by name.
  package var volumes: [Volume]
  /// How many bytes some leg may lack.
  package var outOfSync: Int
  /// How many bytes a resync that runs has still to copy, and how many it had at its beginning.
  package var resyncLeft, resyncTotal: Int?
  /// How many bytes a second a resync copies at most.
  package var resyncRate: Int?
  /// What was last begun, if anything was.
  package var job: Job?
  /// The process that serves the pool; nil when nobody does.
  package var server: Int32?
  /// Why the pool could not be opened for use; nil when it could.
  package var refusal: StoredFailure?
  /// What happened to the legs, the oldest first.
  package var events: [String]

  /// Refuses another extent size than the pool has; it is chosen when a pool is made.
  ///
  /// - Parameters:
  ///   - size: What is asked for; nil takes what there is.
  ///   - option: How it was asked for.
  /// - Throws: ``Failure`` with code `exists`, or why the pool cannot be read.
  func refuseOtherExtents(_ size: UInt64?, named option: String) throws {
    guard let size, size != UInt64(clamping: extentSize) else { return }
    if extentSize == 0, let refusal { throw refusal.failure }
    throw Failure(
      .exists, "pool \(name)", "exists already, with extents of \(extentSize) bytes, not of \(size)",
      remedy: "leave \(option) out, or say \(extentSize); for other extents make another pool, and copy to it"
    )
  }

  /// Whether the legs were written without each other.
  package var isSplitBrain: Bool { legs.contains { $0.status == .diverged } }
  /// What the extents of the map are on: the mirror, or the only leg.
  package var mapDevice: String { legs.count == 1 ? legs[0].address : "mirror" }
  /// Which extents belong to which volume (nil: to none), in the order of the pool.
  package var map: [(segment: Segment, volume: String?)] {
    let used = volumes.flatMap { volume in volume.segments.map { (segment: $0, volume: String?(volume.name)) }
    }
    .sorted { $0.segment.start < $1.segment.start }
    var map: [(segment: Segment, volume: String?)] = []
    var next: UInt32 = 0
    for entry in used + [(Segment(start: UInt32(clamping: extents), count: 0), nil)] {
      if entry.segment.start > next {
        map.append((Segment(start: next, count: entry.segment.start - next), nil))
      }
      if entry.segment.count > 0 { map.append(entry) }
      next = max(next, entry.segment.start &+ entry.segment.count)
    }
    return map
  }
}
