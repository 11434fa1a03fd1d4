import HostInterface
import SystemPackage
import TargetCore

/// Carries a migration out, part by part.
///
/// Every part can be done again: what it finds done it leaves alone.
struct MigrationRun: Sendable {
  let migration: Migration
  let record: MigrationRecord
  let journal: MigrationJournal

  var source: Implementation { migration.source }
  var destination: Implementation { migration.destination }
  var able: Capabilities { destination.backend.capabilities }
  var from: Capabilities { source.backend.capabilities }
  var names: [TargetName] { record.specs.map(\.name) }

  /// How long sessions may take to end, and caches to be written.
  private static let quietLimit = Duration.seconds(30)

  // MARK: What is to be

  /// The destination's targets out of service, without what would take the source's place.
  private var closed: DesiredState {
    DesiredState(
      targets: record.specs.enumerated().map { index, spec in
        var spec = spec
        spec.enabled = false
        if !able.daemonListens { spec.portals = nil }
        spec.units?.removeAll { isSwapped($0.lun, index) }
        return spec
      })
  }

  /// The destination's targets as they are to serve.
  private var serving: DesiredState { DesiredState(targets: record.specs) }

  /// The logical units that both hold alone, so that the source's go before the destination's come.
  private func isSwapped(_ lun: LUN, _ index: Int) -> Bool {
    func held(_ spec: TargetSpec, _ able: Capabilities) -> Bool {
      spec.units?.contains { $0.lun == lun && MigrationTranslator.isHeld($0, able) } ?? false
    }
    return held(record.specs[index], able) && held(record.origin[index], from)
  }

  /// The portals that the source lets go of, since the destination opens them itself.
  private func portalsToRelease(_ live: LiveState) -> [Change] {
    guard !able.daemonListens, !from.daemonListens else { return [] }
    let wanted = Set(record.specs.flatMap { $0.portals ?? [] })
    func clashes(_ portal: Portal) -> Bool { wanted.contains { portal.clashes(with: $0, isDaemon: false) } }
    if from.portalScope == .implementation {
      return live.portals.filter(clashes).sorted().map { .removePortal(nil, $0) }
    }
    return names.flatMap { name in
      (live.targets[name]?.portals ?? []).filter(clashes).sorted().map { .removePortal(name, $0) }
    }
  }

  // MARK: Rehearsal

  /// What each part would do, as far as that can be said before the one before it is done.
  func rehearse() async throws -> [Migration.Report.Part] {
    let live = try await source.read(Migration.everything)
    var rehearsal = options
    rehearsal.dryRun = true
    let building = try await destination.apply(closed, options: rehearsal)
    let stopping = try await source.perform(stoppingChanges(live), options: rehearsal)
    var parts = [
      part("make the targets, out of service", destination, building),
      part("take the source out of service", source, stopping),
    ]
    // The rest is planned on a state that is not there yet: its changes are known, and not all of its steps.
    let whole = try await destination.apply(serving, options: rehearsal)
    let openings = whole.changes.filter { !building.changes.contains($0) }
    let enabling = names.filter { name in record.specs.contains { $0.name == name && $0.enabled != false } }
    parts.append(
      Migration.Report.Part(
        title: "put the destination into service", implementation: migration.names.destination,
        changes: openings + enabling.map(Change.enableTarget).filter { !openings.contains($0) },
        plan: Plan(stages: [])))
    let removal = names.filter { live.targets[$0] != nil }.map { Change.deleteTarget($0, force: true) }
    parts.append(
      part(
        "remove the targets from the source", source, try await source.perform(removal, options: rehearsal)))
    return parts
  }

  var options: PerformOptions {
    var options = migration.options.perform
    options.dryRun = false
    options.announce = { _ in }
    return options
  }

  private func part(_ title: String, _ place: Implementation, _ proposal: Proposal) -> Migration.Report.Part {
    Migration.Report.Part(
      title: title, implementation: place.descriptor.name, changes: proposal.changes, plan: proposal.plan)
  }

  private func stoppingChanges(_ live: LiveState) -> [Change] {
    names.flatMap { name -> [Change] in
      guard let target = live.targets[name] else { return [] }
      return (target.enabled ? [.disableTarget(name)] : [])
        + target.sessions.map { .closeSession(name, id: $0.id) }
    }
  }

  // MARK: The run

  /// Does what is not done yet.
  func carryOut(isResumed: Bool) async throws -> [Migration.Report.Part] {
    var parts: [Migration.Report.Part] = []
    let waiting = isResumed ? try await targetsNotServed() : names
    if waiting.isEmpty {
      // The destination serves already: whatever happens now, it stays so.
      parts.append(
        part("finish the targets", destination, try await destination.apply(serving, options: options)))
      try await prove()
    } else {
      do {
        parts.append(
          part(
            "make the targets, out of service", destination,
            try await destination.apply(closed, options: options)))
        parts += try await switchOver()
        try await prove()
      } catch {
        // Not a part of this task, so that what cancelled it does not stop the undoing.
        throw await Task { [self] in await undone(error) }.value
      }
    }
    parts.append(try await remove())
    try journal.clear()
    return parts
  }

  /// The targets that the destination does not serve yet.
  ///
  /// - Throws: ``Failure`` with code `inUse` when both serve one: only the user can know which of them is right.
  private func targetsNotServed() async throws -> [TargetName] {
    let live = try await source.read(Migration.everything)
    let there = try await destination.read(Migration.everything)
    return try record.specs.filter { spec in
      let isWanted = spec.enabled != false
      guard let target = there.targets[spec.name], target.enabled, !target.initiators.isEmpty, isWanted else {
        // What is not to serve is done when the source has let go of it.
        return isWanted || live.targets[spec.name] != nil
      }
      if let old = live.targets[spec.name], old.enabled, !old.initiators.isEmpty {
        throw Failure(
          .inUse, "target \(spec.name)",
          "is in service at both \(migration.names.source) and "
            + migration.names.destination,
          remedy: "disable it at the one whose data are not right, then run this again")
      }
      return false
    }.map(\.name)
  }

  private func switchOver() async throws -> [Migration.Report.Part] {
    var parts: [Migration.Report.Part] = []
    let live = try await source.read(Migration.everything)
    let disabling = names.filter { live.targets[$0]?.enabled == true }.map(Change.disableTarget)
    parts.append(
      part("take the source out of service", source, try await source.perform(disabling, options: options)))
    try await closeSessions()
    try await writeCaches()
    var releases = portalsToRelease(try await source.read(Migration.everything))
    let there = try await source.read(Migration.everything)
    for (index, spec) in record.origin.enumerated() {
      for unit in spec.units ?? []
      where isSwapped(unit.lun, index) && there.targets[spec.name]?.units[unit.lun] != nil {
        releases.append(.removeUnit(spec.name, unit.lun, force: true))
      }
    }
    if !releases.isEmpty {
      parts.append(
        part("let go of what only one can hold", source, try await source.perform(releases, options: options))
      )
    }
    parts.append(
      part(
        "put the destination into service", destination,
        try await destination.apply(serving, options: options)))
    return parts
  }

  /// Closes the sessions of the source and awaits their end, for a limited time.
  private func closeSessions() async throws {
    var left = Self.quietLimit
    while true {
      let live = try await source.read(Migration.everything)
      let closing = names.flatMap { name in
        (live.targets[name]?.sessions ?? []).map { Change.closeSession(name, id: $0.id) }
      }
      if closing.isEmpty { return }
      guard left > .zero else {
        throw Failure(
          .timedOut, "migration",
          "sessions of \(migration.names.source) are still open after \(Self.quietLimit): "
            + closing.map(\.description).joined(separator: ", "),
          remedy: "log the initiators out")
      }
      do {
        try await source.perform(closing, options: options)
      } catch let failure as Failure where failure.code == .notFound || failure.code == .notTaken {
        // One that ended by itself, or that has not ended yet: the next look tells.
      }
      try await migration.host.sleep(.milliseconds(100))
      left -= .milliseconds(100)
    }
  }

  /// Writes what the source may have in the page cache: the destination may read past it.
  private func writeCaches() async throws {
    let paths = Set(
      record.origin.flatMap { $0.units ?? [] }.compactMap { unit -> String? in
        if case .path(let path) = unit.backing { path } else { nil }
      }
    ).sorted().filter { (try? migration.host.status(FilePath($0))) != nil }
    guard !paths.isEmpty else { return }
    let command = Command(["sync", "--"] + paths.map { Text($0) }, limit: Self.quietLimit)
    let step = Step(.run(command), reason: "write what is cached of the backings")
    let plan = Plan(stages: [
      Stage(title: "write caches", chains: [Chain(subject: "the backings", steps: [step])])
    ])
    try await source.executor(options.observe).run(plan, on: migration.host)
  }

  /// Reads the destination back and compares all that was asked for, and what initiators see of it.
  private func prove() async throws {
    let there = try await destination.read(Migration.everything)
    let missing = try Reconciler(capabilities: able).changes(to: serving, from: there)
    guard missing.isEmpty else {
      throw Failure(
        .notTaken, migration.names.destination, "reported success, but reading back shows otherwise",
        answer: missing.map(\.description).joined(separator: "; "))
    }
    for spec in record.specs {
      for unit in spec.units ?? [] {
        guard var now = there.targets[spec.name]?.units[unit.lun] else { continue }
        for field in UnitField.allCases where now[field] == nil { now[field] = unit[field] }
        let wanted = destination.backend.view(of: unit)
        if let first = wanted.differences(from: destination.backend.view(of: now)).first {
          throw Failure(
            .notTaken, "lun \(unit.lun) of \(spec.name)",
            "initiators would see the \(first.name) \(first.theirs), not \(first.mine)")
        }
      }
    }
  }

  private func remove() async throws -> Migration.Report.Part {
    let live = try await source.read(Migration.everything)
    let removal = names.filter { live.targets[$0] != nil }.map { Change.deleteTarget($0, force: true) }
    do {
      return part(
        "remove the targets from the source", source, try await source.perform(removal, options: options))
    } catch var failure as Failure {
      failure.leftovers +=
        removal.map { "\(migration.names.source): \($0)" }
      failure.remedy =
        "the targets are served by \(migration.names.destination); run this again to remove them from "
        + migration.names.source
      throw failure
    }
  }
}
