import BlockEngine
import HostInterface

/// The volumes of a pool and its free extents, in memory.
///
/// Invariant: every extent is either free or belongs to one place of one volume. ``apply(_:)`` and decoding refuse
/// whatever would break it, so that damaged metadata never maps two volumes to one extent.
struct PoolState {
  let extentCount: UInt32
  private(set) var free = FreeExtents()
  private(set) var volumes: [UInt64: MappedVolume] = [:]
  private(set) var names: [VolumeName: UInt64] = [:]
  private(set) var nextID: UInt64 = 1
  /// The length of ``encode()``, kept up to date so that nobody encodes just to know it.
  private(set) var encodedCount = PoolState.fixedCount
  private static let fixedCount = 16
  private static func encodedCount(_ volume: MappedVolume) -> Int {
    8 + 1 + volume.name.description.utf8.count + 4 + 8 * volume.segments.count
  }

  init(extentCount: UInt32) {
    self.extentCount = extentCount
    _ = free.give(ExtentRun(start: 0, count: extentCount))
  }

  func volume(_ name: VolumeName) throws -> MappedVolume {
    guard let id = names[name], let volume = volumes[id] else {
      throw Failure(.notFound, "volume \(name)", "there is no volume of this name in the pool")
    }
    return volume
  }

  /// Takes these runs from the free extents in place, for choosing among them.
  mutating func choose(
    _ wanted: UInt32, _ policy: AllocationPolicy, after last: UInt32?, subject: String
  ) throws -> [ExtentRun] {
    try free.choose(wanted, policy, after: last, subject: subject)
  }

  mutating func apply(_ change: PoolChange) throws {
    switch change {
    case .create(let id, let name, let runs):
      guard volumes[id] == nil, names[name] == nil, id >= nextID, id < .max, !runs.isEmpty else {
        throw impossible("volume \(name) is created a second time, or empty")
      }
      var volume = MappedVolume(id: id, name: name)
      try take(runs, for: &volume)
      put(volume)
      names[name] = id
      nextID = id + 1
    case .extend(let id, let runs):
      var volume = try takeOut(id)
      defer { put(volume) }
      try take(runs, for: &volume)
    case .shrink(let id, let count):
      var volume = try takeOut(id)
      defer { put(volume) }
      guard count > 0, count < volume.count else {
        throw impossible("volume \(volume.name) is shrunk to \(count)")
      }
      for run in volume.truncate(to: count) { _ = free.give(run) }
    case .remove(let id):
      let volume = try takeOut(id)
      names[volume.name] = nil
      for run in volume.segments { _ = free.give(run) }
    case .rename(let id, let name):
      guard names[name] == nil else { throw impossible("there is a volume \(name) already") }
      var volume = try takeOut(id)
      names[volume.name] = nil
      names[name] = id
      volume.name = name
      put(volume)
    case .move(let id, let extent, let place):
      var volume = try takeOut(id)
      defer { put(volume) }
      let target = ExtentRun(start: place, count: 1)
      guard free.contains(target), let old = volume.replace(extent, by: place) else {
        throw impossible("extent \(extent) of volume \(volume.name) is moved to \(place)")
      }
      free.take(target)
      _ = free.give(ExtentRun(start: old, count: 1))
    }
  }

  private mutating func take(_ runs: [ExtentRun], for volume: inout MappedVolume) throws {
    for run in runs {
      guard free.contains(run) else {
        throw impossible(
          "volume \(volume.name) gets extents \(run.start) to \(run.end - 1), which are not all free")
      }
      free.take(run)
      volume.append(run)
    }
  }

  /// Takes a volume out of the table, so that it is changed in place; ``put(_:)`` brings it back.
  private mutating func takeOut(_ id: UInt64) throws -> MappedVolume {
    guard let volume = volumes.removeValue(forKey: id) else { throw impossible("there is no volume \(id)") }
    encodedCount -= Self.encodedCount(volume)
    return volume
  }

  private mutating func put(_ volume: MappedVolume) {
    encodedCount += Self.encodedCount(volume)
    volumes[volume.id] = volume
  }

  fileprivate mutating func skipIDs(to id: UInt64) { nextID = max(nextID, id) }

  private func impossible(_ problem: String) -> Failure {
    Failure(.garbled, "pool metadata", "a change contradicts the state before it: \(problem)")
  }

  /// The whole state: next id, number of volumes; for each its id, name and segments.
  func encode() -> [UInt8] {
    var writer = ByteWriter()
    writer.put(nextID)
    writer.put(UInt64(volumes.count))
    for id in volumes.keys.sorted() {
      guard let volume = volumes[id] else { continue }
      writer.put(volume.id)
      writer.put(volume.name)
      writer.put(volume.segments)
    }
    return writer.bytes
  }

  /// Reads a state back.
  init(_ bytes: UnsafeRawBufferPointer, extentCount: UInt32, subject: String) throws {
    var reader = ByteReader(bytes, subject: subject)
    self.extentCount = extentCount
    nextID = try reader.get()
    let count = try reader.get(UInt64.self)
    var used: [UInt64] = []
    for _ in 0..<count {
      let id = try reader.get(UInt64.self)
      var volume = MappedVolume(id: id, name: try reader.name())
      for run in try reader.runs() {
        volume.append(run)
        used.append(UInt64(run.start) << 32 | UInt64(run.count))
      }
      guard id < nextID, volumes[id] == nil, names[volume.name] == nil, volume.count > 0 else {
        throw reader.garbled("volume \(volume.name) stands there twice, or is empty")
      }
      names[volume.name] = id
      put(volume)
    }
    guard reader.isAtEnd else { throw reader.garbled("there is something behind the last volume") }
    try free(between: used.sorted(), reader)
  }

  /// Frees what lies between the runs in use, which are sorted.
  private mutating func free(between used: [UInt64], _ reader: ByteReader) throws {
    var next: UInt32 = 0
    for packed in used {
      let run = ExtentRun(start: UInt32(packed >> 32), count: UInt32(truncatingIfNeeded: packed))
      guard run.start >= next, run.end <= extentCount else {
        throw reader.garbled(
          "extents \(run.start) to \(run.end - 1) belong to two volumes, or are not in the pool")
      }
      _ = free.give(ExtentRun(start: next, count: run.start - next))
      next = run.end
    }
    _ = free.give(ExtentRun(start: next, count: extentCount - next))
  }
}

extension PoolState {
  /// The same state, whose next volume gets no id that another version gave away.
  func afterIDs(of other: PoolState) -> PoolState {
    var state = self
    state.skipIDs(to: other.nextID)
    return state
  }
}
