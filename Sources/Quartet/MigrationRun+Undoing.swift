import HostInterface
import TargetCore

extension MigrationRun {
  /// Takes the destination back and lets the source serve again; returns what is to be thrown.
  func undone(_ error: any Error) async -> any Error {
    var failure =
      error as? Failure
      ?? Failure(
        .interrupted, "migration", "was interrupted, and what was begun is undone", answer: "\(error)")
    do {
      let there = try await destination.read(Migration.everything)
      let disabling = names.filter { there.targets[$0]?.enabled == true }.map(Change.disableTarget)
      try await destination.perform(disabling, options: options)
      let removal = names.filter { there.targets[$0] != nil }.map { Change.deleteTarget($0, force: true) }
      try await destination.perform(removal + addedPortals(there), options: options)
    } catch {
      return told(&failure, "\(migration.names.destination): the targets that were begun (\(error))")
    }
    do {
      try await source.apply(DesiredState(targets: record.origin), options: options)
      try journal.clear()
    } catch {
      return told(&failure, "\(migration.names.source): the targets in service (\(error))")
    }
    return failure
  }

  private func told(_ failure: inout Failure, _ leftover: String) -> Failure {
    failure.leftovers.append(leftover)
    failure.remedy = "run this again: \(journal.path) has what is exported"
    return failure
  }

  /// The portals of the whole destination that this run added.
  private func addedPortals(_ there: LiveState) -> [Change] {
    guard able.portalScope == .implementation else { return [] }
    return Set(record.specs.flatMap { $0.portals ?? [] }).subtracting(record.portalsThere)
      .intersection(there.portals).sorted().map { .removePortal(nil, $0) }
  }
}
