import HostInterface
import ReplicatedVolume
import SystemPackage
import TargetCore

/// The targets above the volumes.
extension StackRun {
  mutating func applyTargets() async throws {
    try await growUnits()
    for part in stack.parts {
      var state = part.state
      var absent: [TargetName: String] = [:]
      for target in state.targets { if let reason = absence(of: target) { absent[target.name] = reason } }
      state.targets.removeAll { absent[$0.name] != nil }
      for target in part.state.targets {
        guard let reason = absent[target.name] else { continue }
        report.leftOut.append(LeftOut(subject: "target \(target.name)", reason: reason))
      }
      if !absent.isEmpty { try await warnOfLive(absent, part.implementation) }
      try await apply(state, part.implementation, sparing: Set(absent.keys))
    }
  }

  private mutating func apply(
    _ state: DesiredState, _ implementation: Implementation, sparing absent: Set<TargetName>
  ) async throws {
    var (state, reconciling) = (state, options.reconciling)
    reconciling.spared = absent
    let waiting = isDry ? state.targets.filter(isWaiting) : []
    if !waiting.isEmpty {
      let names = Set(waiting.map(\.name))
      state.targets.removeAll { names.contains($0.name) }
      reconciling.spared.formUnion(names)
      report.later += try await implementation.intended(DesiredState(targets: waiting), reconciling)
        .map(\.description)
    }
    // A node that has nothing to export needs no implementation that runs.
    let isNeeded = !state.targets.isEmpty || state.discovery != nil || reconciling.prune
    guard isNeeded || (absent.isEmpty && waiting.isEmpty) else { return }
    let proposal = try await implementation.apply(state, reconciling: reconciling, options: options.perform)
    report.targets.append((implementation.descriptor.name, proposal))
  }

  /// Why this node does not export a target in its role; nil when it does.
  private func absence(of target: TargetSpec) -> String? {
    for unit in target.units ?? [] {
      guard case .path(let path) = unit.backing else { continue }
      if let (_, reason) = absentPools.sorted(by: { $0.key < $1.key }).first(where: { pool, _ in
        path.hasPrefix("/dev/\(pool)/") || path.hasPrefix(Self.mapperPrefix(of: pool))
      }) {
        return "lun \(unit.lun) is on \(path), and \(reason)"
      }
      guard let state, let name = resource(of: path, state), !pending.contains(name),
        let reason = VolumeReconciler(state).absence(of: name)
      else { continue }
      return "lun \(unit.lun) is on \(path), and \(reason)"
    }
    return nil
  }

  /// How device mapper names the volumes of a group: a hyphen in a name is doubled.
  private static func mapperPrefix(of pool: PoolName) -> String {
    "/dev/mapper/" + pool.description.replacing("-", with: "--") + "-"
  }

  /// The resource of the file whose device a path is.
  private func resource(of path: String, _ state: VolumeState) -> ResourceName? {
    stack.volumes.resources.first { spec in
      spec.resource.nodes.contains { node in node.volumes.contains { $0.device.description == path } }
    }?.resource.name
  }

  /// Whether a target stands on what a dry run has not made.
  private func isWaiting(_ target: TargetSpec) -> Bool {
    (target.units ?? []).contains { unit in
      guard case .path(let path) = unit.backing else { return false }
      if pendingDevices.contains(path) { return true }
      return state.flatMap { resource(of: path, $0) }.map(pending.contains) ?? false
    }
  }

  /// What a node exports that is not primary any longer is not taken away unasked, and told.
  private mutating func warnOfLive(_ absent: [TargetName: String], _ implementation: Implementation)
    async throws
  {
    let live: LiveState
    do {
      live = try await implementation.read()
    } catch let failure as Failure where failure.code == .unavailable {
      return
    }
    for (name, reason) in absent.sorted(by: { $0.key < $1.key }) where live.targets[name] != nil {
      report.warnings.append(
        "target \(name) is still there, though \(reason); "
          + "`quartet target delete -i \(implementation.descriptor.name) \(name)` takes it away")
    }
  }

  /// Tells the logical units of volumes that have grown, whichever implementation exports them.
  private mutating func growUnits() async throws {
    var sizes: [String: UInt64] = [:]
    for spec in stack.volumes.pools where absentPools[spec.name] == nil {
      for volume in spec.volumes {
        let path = spec.path(of: volume)
        if let live = state?.pools?[path] { sizes[path.device] = live.size }
      }
    }
    guard !sizes.isEmpty else { return }
    var implementations = stack.parts.map(\.implementation)
    if !grownDevices.isEmpty {
      let named = Set(implementations.map(\.descriptor.name))
      implementations += try ImplementationChoice.all.filter { !named.contains($0.name) }.map {
        try Implementation($0, on: stack.host)
      }
    }
    for implementation in implementations where await implementation.backend.probe(stack.host).running {
      // What cannot be resized is told now; later it is the size that tells it, where that is to be seen.
      let isAble = implementation.backend.capabilities.resizesUnits
      let concerned = isAble ? sizes : sizes.filter { grownDevices.contains($0.key) }
      let changes = try await implementation.resizes(of: concerned, grown: grownDevices)
      let remedies = changes.compactMap(implementation.remedy)
      report.warnings += remedies
      guard !changes.isEmpty, remedies.isEmpty else { continue }
      if isDry {
        report.later += changes.map(\.description)
      } else {
        let proposal = try await implementation.perform(changes, options: options.perform)
        report.targets.append((implementation.descriptor.name, proposal))
      }
    }
  }
}

extension Implementation {
  /// The changes that ``apply(_:reconciling:options:)`` would make if all backings were there.
  func intended(_ desired: DesiredState, _ reconciling: Reconciler.Options) async throws -> [Change] {
    let reconciler = Reconciler(capabilities: backend.capabilities, options: reconciling)
    return try reconciler.changes(
      to: desired, from: try await read(ReadDetail(parameters: .all, shared: true)))
  }
}
