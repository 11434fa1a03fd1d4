import HostInterface

/// Which of the legs that are there counts, and what the others need: decided on what stands on them, and by no I/O.
struct MirrorAssembly {
  enum Need: Equatable {
    case nothing
    /// What the bitmap and the activity log name.
    case changes
    case everything
    /// It is not to be used: another disk has taken its place.
    case replaced
  }

  /// The place, among the legs that were given, of the one that counts.
  let reference: Int
  /// By the place of the leg.
  let needs: [Need]
  /// Whether the mirror was not closed: the activity log counts.
  let isAfterCrash: Bool

  init(_ records: [LegRecord], names: [String], options: MirrorOptions) throws {
    try Self.check(records, names, options)
    reference = try Self.chooseReference(records, names, options)
    let count = records[reference]
    var needs: [Need] = []
    var isAfterCrash = count.isInUse
    for record in records where record.history.current == count.history.current {
      isAfterCrash = isAfterCrash || record.isInUse
    }
    for (place, record) in records.enumerated() {
      switch count.history.relation(of: record.history) {
      case _ where place == reference: needs.append(.nothing)
      case _ where !count.history.isCurrent(record) && !options.defects.contains(.forgottenReplacement):
        needs.append(.replaced)
      case .same where !record.isInconsistent && !isAfterCrash: needs.append(.nothing)
      case .same, .behind: needs.append(.changes)
      case .longBehind: needs.append(.everything)
      case .ahead, .diverged: needs.append(.everything)
      }
    }
    self.needs = needs
    self.isAfterCrash = isAfterCrash
  }

  /// What is wrong with a disk that was replaced.
  static func replaced(_ name: String) -> Failure {
    Failure(
      .refused, name, "another disk has taken its place in the mirror",
      remedy: "name that one, or let this one replace it")
  }

  private static func check(_ records: [LegRecord], _ names: [String], _ options: MirrorOptions) throws {
    guard let first = records.first else { throw Failure(.invalid, "mirror", "no leg is named") }
    for (place, record) in records.enumerated() {
      guard record.mirrorID == first.mirrorID, record.legCount == first.legCount,
        record.layout.dataSize == first.layout.dataSize, record.logShift == first.logShift
      else { throw Failure(.refused, names[place], "it is a leg of another mirror than \(names[0])") }
      if let other = records[..<place].firstIndex(where: { $0.index == record.index }) {
        throw Failure(
          .refused, names[place], "it is the same leg as \(names[other]), a copy of it, or the same device")
      }
    }
    let missing = (0..<first.legCount).filter { index in !records.contains { $0.index == index } }
    // Who is noted as behind by all that are there has nothing that they lack.
    let isKnown = missing.allSatisfy { index in records.allSatisfy { $0.history.behind >> index & 1 == 1 } }
    guard isKnown || options.allowsMissingLegs else {
      throw Failure(
        .refused, "mirror", "\(missing.count) of its \(first.legCount) legs are missing",
        remedy: "say that legs may be missing, if those that are there have the newest data")
    }
  }

  private static func chooseReference(
    _ records: [LegRecord], _ names: [String], _ options: MirrorOptions
  ) throws -> Int {
    let candidates = records.indices.filter {
      !records[$0].isInconsistent && !options.discarding.contains(records[$0].index)
    }
    guard !candidates.isEmpty else {
      throw Failure(
        .refused, "mirror", "none of the legs has complete data: \(names.joined(separator: ", "))",
        remedy: "add the leg from which they were being brought up to date")
    }
    let kept = records.indices.filter { !options.discarding.contains(records[$0].index) }
    let newest = candidates.filter { candidate in
      kept.allSatisfy { place in
        let relation = records[candidate].history.relation(of: records[place].history)
        return relation != .ahead && relation != .diverged
      }
    }
    guard let reference = newest.max(by: { records[$0].sequence < records[$1].sequence }) else {
      throw Failure(
        .refused, "mirror",
        "split brain: \(names.joined(separator: " and ")) were written without each other",
        remedy: "name the leg whose changes are to be discarded")
    }
    return reference
  }
}
