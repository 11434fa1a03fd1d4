import HostInterface
import ReplicatedVolume

/// Embedded pools, which need no role, and are there before the targets.
extension StackRun {
  /// What cannot be done is refused before anything is touched.
  func refuseEmbedded() async throws {
    for spec in stack.volumes.pools where try stack.engine?.has(spec.name) == true {
      throw Failure(
        .exists, "pool \(spec.name)", "is an embedded pool here, and has devices in the file",
        remedy: "name its legs, or choose another name")
    }
    for spec in stack.volumes.embeddedPools { _ = try await changes(to: spec) }
  }

  private func changes(to spec: EmbeddedPoolSpec) async throws -> [EmbeddedPoolChange] {
    guard let engine = stack.engine else {
      throw Failure(.unsupported, "pool \(spec.name)", "has legs, and this program no engine for them")
    }
    return try await engine.changes(to: spec, attaching: exported(of: spec.name))
  }

  /// The volumes of a pool that the file's targets export, by the place at which they are once they are attached.
  private func exported(of pool: PoolName) -> Set<VolumePath> {
    let units = stack.parts.flatMap { $0.state.targets.flatMap { $0.units ?? [] } }
    return Set(
      units.compactMap { unit in
        guard case .path(let path) = unit.backing else { return nil }
        return PoolPlaces.usual.volume(at: path).flatMap { $0.pool == pool ? $0 : nil }
      })
  }

  mutating func applyEmbedded() async throws {
    for spec in stack.volumes.embeddedPools {
      for change in try await changes(to: spec) {
        if !isDry, let engine = stack.engine { report.warnings += try await engine.perform(change) }
        report.embedded.append(change)
        if isDry, case .attach(let path) = change {
          pendingDevices.insert(PoolPlaces.usual.volume(path).string)
        }
      }
      // Also what an earlier run has told: it stays so until somebody does something about it.
      for line in try await stack.engine?.oldSizes(of: spec) ?? [] where !report.warnings.contains(line) {
        report.warnings.append(line)
      }
    }
  }
}
