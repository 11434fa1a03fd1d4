import HostInterface

/// Logical volumes.
extension VolumePlanner {
  func volumeSteps(_ change: VolumeChange) throws -> [Step] {
    switch change {
    case .createVolume(let path, let size):
      return try create(
        path, size, layout: "linear", options: ["--wipesignatures", "y", "--type", "linear"], change)
    case .createThinPool(let path, let size):
      return try create(path, size, layout: "thin,pool", options: ["--type", "thin-pool"], change)
    case .createThinVolume(let path, let thinPool, let bytes):
      return try createThin(path, from: thinPool, bytes: bytes, change)
    case .snapshot(let path, let origin, let size): return try snapshot(path, of: origin, size, change)
    case .extendVolume(let path, let size): return try extend(path, size, change)
    case .reduceVolume(let path, let size, let force): return try reduce(path, size, force: force, change)
    case .renameVolume(let path, let name): return try rename(path, to: name, change)
    case .removeVolume(let path):
      guard let volume = try existing(path.pool).volume(path.volume) else { return [] }
      try refuseOpen(volume, path, "removed")
      let users = try existing(path.pool).volumes.filter {
        $0.origin == volume.name && volume.thinPool == nil || $0.thinPool == volume.name
      }
      guard users.isEmpty else {
        throw Failure(
          .inUse, "volume \(path)", "is needed by \(users.map(\.name).joined(separator: ", "))",
          remedy: "remove those first")
      }
      return [step(lvm(["lvremove", "--yes", Text(path.description)]), change)]
    default: return []
    }
  }

  private func create(
    _ path: VolumePath, _ size: VolumeSize, layout: String, options: [Text], _ change: VolumeChange
  ) throws -> [Step] {
    let pool = try existing(path.pool)
    let extents = try pool.extents(size)
    if let volume = pool.volume(path.volume) {
      if volume.layout == layout, volume.size == extents * pool.extentSize { return [] }
      throw Failure(
        .exists, "volume \(path)", "exists already, and otherwise (\(volume.layout), \(volume.size) bytes)",
        remedy: "extend it, or choose another name")
    }
    try refuseTooLarge(path, extents, in: pool)
    // Extents that are free again may have old signatures; those are wiped without asking.
    return [
      step(
        lvm(
          ["lvcreate", "--yes"] + options + [
            "--extents", Text("\(extents)"), "--name", Text(path.volume.description),
            Text(path.pool.description),
          ]),
        undo: [lvm(["lvremove", "--yes", Text(path.description)])], change)
    ]
  }

  private func createThin(
    _ path: VolumePath, from thinPool: VolumeName, bytes: UInt64, _ change: VolumeChange
  )
    throws -> [Step]
  {
    let pool = try existing(path.pool)
    let extents = try pool.extents(.bytes(bytes))
    if let volume = pool.volume(path.volume) {
      if volume.thinPool == thinPool.description, volume.size == extents * pool.extentSize { return [] }
      throw Failure(
        .exists, "volume \(path)", "exists already, and otherwise (\(volume.layout), \(volume.size) bytes)",
        remedy: "choose another name")
    }
    guard pool.volume(thinPool)?.isThinPool == true else {
      throw Failure(
        .notFound, "thin pool \(path.pool)/\(thinPool)", "does not exist",
        remedy: "make it with `quartet pool create-volume \(path.pool)/\(thinPool) --thin-pool`")
    }
    return [
      step(
        lvm([
          "lvcreate", "--yes", "--type", "thin", "--virtualsize", "\(extents * pool.extentSize)b",
          "--thinpool",
          Text(thinPool.description), "--name", Text(path.volume.description), Text(path.pool.description),
        ]),
        undo: [lvm(["lvremove", "--yes", Text(path.description)])], change)
    ]
  }

  private func snapshot(
    _ path: VolumePath, of origin: VolumeName, _ size: VolumeSize?, _ change: VolumeChange
  )
    throws -> [Step]
  {
    let pool = try existing(path.pool)
    guard let source = pool.volume(origin) else { throw missing(VolumePath(path.pool, origin)) }
    if let volume = pool.volume(path.volume) {
      if volume.origin == source.name { return [] }
      throw Failure(.exists, "volume \(path)", "exists already, and is no snapshot of \(origin)")
    }
    var words: [Text] = ["lvcreate", "--yes", "--snapshot", "--setactivationskip", "n"]
    if source.thinPool == nil {
      guard let size else {
        throw Failure(
          .invalid, "snapshot \(path)",
          "has no size: \(origin) is not thin, so that a snapshot needs extents of its own",
          remedy: "say how many bytes may change while it exists")
      }
      let extents = try pool.extents(size)
      try refuseTooLarge(path, extents, in: pool)
      words += ["--extents", Text("\(extents)")]
    } else if size != nil {
      throw Failure(
        .invalid, "snapshot \(path)", "cannot have a size: \(origin) is thin", remedy: "leave the size out")
    }
    return [
      step(
        lvm(words + ["--name", Text(path.volume.description), "\(path.pool)/\(origin)"]),
        undo: [lvm(["lvremove", "--yes", Text(path.description)])], change)
    ]
  }

  private func extend(_ path: VolumePath, _ size: VolumeSize, _ change: VolumeChange) throws -> [Step] {
    let (pool, volume) = try volume(path)
    let (old, new) = (volume.size / pool.extentSize, try pool.extents(size))
    if new == old { return [] }
    guard new > old else {
      throw Failure(
        .invalid, "volume \(path)", "cannot be extended to \(new) extents: it has \(old)",
        remedy: "reduce it, if what is behind may be lost")
    }
    if volume.thinPool == nil { try refuseTooLarge(path, new - old, in: pool) }
    // Nobody has written to what was just added, so that taking it back loses nothing.
    return [
      step(
        lvm(["lvextend", "--extents", Text("\(new)"), Text(path.description)]),
        undo: [lvm(["lvreduce", "--yes", "--force", "--extents", Text("\(old)"), Text(path.description)])],
        change)
    ]
  }

  private func reduce(_ path: VolumePath, _ size: VolumeSize, force: Bool, _ change: VolumeChange) throws
    -> [Step]
  {
    let (pool, volume) = try volume(path)
    let (old, new) = (volume.size / pool.extentSize, try pool.extents(size))
    if new == old { return [] }
    guard new < old else {
      throw Failure(.invalid, "volume \(path)", "cannot be reduced to \(new) extents: it has \(old)")
    }
    try refuseOpen(volume, path, "reduced")
    guard force else {
      throw Failure(
        .refused, "volume \(path)", "would lose \((old - new) * pool.extentSize) bytes at its end",
        remedy: "shrink what is on it first, then say --force")
    }
    return [
      step(
        lvm(["lvreduce", "--yes", "--force", "--extents", Text("\(new)"), Text(path.description)]), change)
    ]
  }

  private func rename(_ path: VolumePath, to name: VolumeName, _ change: VolumeChange) throws -> [Step] {
    let pool = try existing(path.pool)
    guard let volume = pool.volume(path.volume) else {
      // A run that was killed after it had renamed it is finished.
      if pool.volume(name) != nil { return [] }
      throw missing(path)
    }
    guard pool.volume(name) == nil else {
      throw Failure(.exists, "volume \(path.pool)/\(name)", "exists already", remedy: "choose another name")
    }
    try refuseOpen(volume, path, "renamed")
    let (old, new) = (Text(path.volume.description), Text(name.description))
    return [
      step(
        lvm(["lvrename", Text(path.pool.description), old, new]),
        undo: [lvm(["lvrename", Text(path.pool.description), new, old])], change)
    ]
  }

  private func volume(_ path: VolumePath) throws -> (Pool, Pool.Volume) {
    let pool = try existing(path.pool)
    guard let volume = pool.volume(path.volume) else { throw missing(path) }
    return (pool, volume)
  }

  private func missing(_ path: VolumePath) -> Failure {
    Failure(.notFound, "volume \(path)", "does not exist", remedy: "see `quartet pool list`")
  }

  private func refuseOpen(_ volume: Pool.Volume, _ path: VolumePath, _ what: String) throws {
    guard volume.isOpen, !volume.isThinPool else { return }
    throw Failure(
      .inUse, "volume \(path)", "cannot be \(what) while it is open",
      remedy: "remove the logical units and unmount the file systems that use it")
  }

  private func refuseTooLarge(_ path: VolumePath, _ extents: UInt64, in pool: Pool) throws {
    guard extents > pool.free else { return }
    throw Failure(
      .refused, "volume \(path)", "needs \(extents) extents, and pool \(pool.name) has \(pool.free) free",
      remedy: "extend the pool, or ask for at most \(pool.free * pool.extentSize) bytes")
  }
}

extension Pool {
  /// The volume of a name.
  func volume(_ name: VolumeName) -> Volume? { volumes.first { $0.name == name.description } }

  /// A size in whole extents.
  func extents(_ size: VolumeSize) throws -> UInt64 {
    switch size {
    case .bytes(let bytes): return try Self.extents(for: bytes, of: extentSize)
    case .extents(let count):
      guard count > 0, !count.multipliedReportingOverflow(by: extentSize).overflow else {
        throw Failure(
          .invalid, "volume of \(count) extents", "must have one at least, and no more than can be")
      }
      return count
    }
  }
}
