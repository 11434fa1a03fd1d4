import HostInterface

/// Which extents a volume gets, by LVM's names (lvm(8), "--alloc").
package enum AllocationPolicy: String, Sendable, CaseIterable {
  /// One run; what is added to a volume stands directly behind its last extent.
  case contiguous
  /// First what stands behind the last extent, then the first run that holds all of it, else the longest runs:
  /// few segments.
  case normal
  /// The free extents with the lowest numbers, in as many segments as that takes.
  case anywhere
}

extension FreeExtents {
  /// The runs that a policy chooses; nothing is taken.
  ///
  /// - Parameters:
  ///   - wanted: How many extents, at least one.
  ///   - last: The end of the volume's last segment, if there is one.
  ///   - subject: What failures are about.
  /// - Throws: ``Failure`` when there are not so many free extents, or no such run.
  mutating func choose(
    _ wanted: UInt32, _ policy: AllocationPolicy, after last: UInt32?, subject: String
  ) throws -> [ExtentRun] {
    guard Int(wanted) <= count else {
      throw Failure(
        .refused, subject, "\(wanted) extents are needed, and \(count) are free",
        remedy: "ask for less, or remove a volume")
    }
    if policy == .contiguous { return [try chooseOne(wanted, after: last, subject: subject)] }
    var chosen: [ExtentRun] = []
    var missing = wanted
    if policy == .normal, let last, let behind = run(holding: last) {
      choose(from: behind, &missing, &chosen)
    }
    while missing > 0 {
      let least = policy == .anywhere ? 1 : min(missing, longest)
      guard let run = first(atLeast: least) else { break }
      choose(from: run, &missing, &chosen)
    }
    // They were taken only so that no run is chosen twice.
    for run in chosen { _ = give(run) }
    return chosen
  }

  private mutating func choose(from run: ExtentRun, _ missing: inout UInt32, _ chosen: inout [ExtentRun]) {
    let part = ExtentRun(start: run.start, count: min(run.count, missing))
    take(part)
    missing -= part.count
    chosen.append(part)
  }

  private func chooseOne(_ wanted: UInt32, after last: UInt32?, subject: String) throws -> ExtentRun {
    guard let last else {
      if let run = first(atLeast: wanted) { return ExtentRun(start: run.start, count: wanted) }
      throw Failure(
        .refused, subject, "\(wanted) contiguous extents are needed, and the longest free run has \(longest)",
        remedy: "ask for less, or choose the allocation policy normal")
    }
    let free = run(holding: last)?.count ?? 0
    guard free >= wanted else {
      throw Failure(
        .refused, subject, "\(wanted) extents are needed behind its last one, and \(free) are free there",
        remedy: "ask for less, or choose the allocation policy normal")
    }
    return ExtentRun(start: last, count: wanted)
  }
}
