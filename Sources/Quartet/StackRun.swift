import HostInterface
import ReplicatedVolume
import TargetCore

/// One run of a stack on one node.
struct StackRun {
  let stack: Stack
  let options: StackOptions
  let driver: VolumeDriver
  var report = StackReport()
  /// What the node has, as it was read last; nil before.
  var state: VolumeState?
  /// Resources that a dry run finds to be set up or made primary.
  var pending: Set<ResourceName> = []
  /// The pools that this node does not have in its role, with the reason.
  var absentPools: [PoolName: String] = [:]
  /// The devices of volumes that a dry run finds to be made, or to appear with their pool.
  var pendingDevices: Set<String> = []
  /// The devices of volumes that have grown, or would.
  var grownDevices: Set<String> = []

  var isDry: Bool { options.perform.dryRun }
}

/// Resources and pools.
extension StackRun {
  mutating func applyVolumes() async throws {
    var state = try await driver.read()
    try await refuseBeforehand(state)
    for spec in stack.volumes.resources {
      guard spec.resource.node(state.node) != nil else {
        leaveOut("resource \(spec.resource.name)", "it has no node \(state.node), which is this machine")
        continue
      }
      for change in try VolumeReconciler(state).changes(to: spec) {
        let isDone = try await make(change, in: state)
        if isDone, isDry, state.status(spec.resource.name) == nil { pending.insert(spec.resource.name) }
      }
    }
    state = try await current(state)
    let isFiltered = try await filter(state)
    state = try await promote(try await current(state), isFiltered: isFiltered)
    for spec in stack.volumes.pools { try await apply(spec, in: state, isFiltered: isFiltered) }
    self.state = try await current(state)
  }

  /// What cannot be done is refused before anything is touched, as far as it can be told from what is there.
  private func refuseBeforehand(_ state: VolumeState) async throws {
    let reconciler = VolumeReconciler(state)
    for spec in stack.volumes.resources {
      for change in try reconciler.changes(to: spec) { _ = try await driver.propose(change, in: state) }
    }
    // Without the filter what LVM sees may be the copy below DRBD.
    guard !reconciler.needsFilter(for: stack.volumes.pools) else { return }
    for spec in stack.volumes.pools where state.pools?[spec.name] != nil {
      if let below = reconciler.resource(below: spec), reconciler.absence(of: below) != nil { continue }
      _ = try reconciler.changes(to: spec)
    }
  }

  /// Makes a change, or plans it in a dry run.
  ///
  /// - Parameter isLater: Whether it is made on what is not there yet, so that a dry run cannot plan it.
  /// - Returns: Whether there was anything to do.
  @discardableResult
  private mutating func make(_ change: VolumeChange, in state: VolumeState, isLater: Bool = false)
    async throws
    -> Bool
  {
    if isDry, isLater {
      report.later.append(change.description)
      return true
    }
    let proposal: VolumeDriver.Proposal
    if isDry {
      proposal = try await driver.propose(change, in: state)
    } else {
      var options = VolumeDriver.Options()
      options.isLocked = true
      options.observe = self.options.perform.observe
      proposal = try await driver.perform([change], options: options)
    }
    report.volumes.append(proposal)
    return !proposal.changes.isEmpty
  }

  private mutating func leaveOut(_ subject: String, _ reason: String) {
    report.leftOut.append(LeftOut(subject: subject, reason: reason))
  }

  /// The state after what was done; a dry run has done nothing.
  private func current(_ state: VolumeState) async throws -> VolumeState {
    isDry || report.volumes.changes.isEmpty ? state : try await driver.read()
  }

  /// Keeps LVM off the disks below the resources that pools are on; it would find the pools twice.
  ///
  /// - Returns: Whether that is so already.
  private mutating func filter(_ state: VolumeState) async throws -> Bool {
    let isLater = stack.volumes.pools.contains {
      resource(below: $0, in: state).map(pending.contains) ?? false
    }
    guard isLater || VolumeReconciler(state).needsFilter(for: stack.volumes.pools) else { return true }
    return try await !make(.applyFilter, in: state, isLater: isLater) || !isDry
  }

  /// Makes this node primary where that is asked for and no node is.
  private mutating func promote(_ state: VolumeState, isFiltered: Bool) async throws -> VolumeState {
    guard options.promote else { return state }
    var state = state
    for spec in stack.volumes.resources where spec.resource.node(state.node) != nil {
      let name = spec.resource.name
      guard !pending.contains(name) else {
        report.later.append(
          "make this node primary for resource \(name), if the disks are new on all nodes or up to date")
        continue
      }
      state = try await awaitPeers(of: name, state)
      for change in try VolumeReconciler(state).promotion(of: spec) {
        try await make(change, in: state, isLater: pending.contains(name) || !isFiltered)
        if isDry { pending.insert(name) }
      }
      state = try await current(state)
    }
    return state
  }

  /// Waits a moment for the other nodes: one of them may be primary, or have the data.
  private func awaitPeers(of name: ResourceName, _ state: VolumeState) async throws -> VolumeState {
    var state = state
    var left = isDry ? .zero : options.connectLimit
    let interval = Duration.milliseconds(200)
    while left > .zero, let status = state.status(name), status.role != .primary,
      status.peers.contains(where: \.isOnItsWay)
    {
      try await driver.host.sleep(interval)
      left -= interval
      state = try await driver.read()
    }
    return state
  }

  /// The resource that a pool is on: one of this node's, else one of the file's.
  private func resource(below pool: PoolSpec, in state: VolumeState) -> ResourceName? {
    if let name = VolumeReconciler(state).resource(below: pool) { return name }
    let devices = Set(pool.devices)
    return stack.volumes.resources.first { spec in
      spec.resource.nodes.contains { $0.volumes.contains { devices.contains($0.device) } }
    }?.resource.name
  }

  private mutating func apply(_ spec: PoolSpec, in state: VolumeState, isFiltered: Bool) async throws {
    let below = resource(below: spec, in: state)
    let reconciler = VolumeReconciler(state)
    let isPromised = below.map { pending.contains($0) && options.promote } ?? false
    if let below, !isPromised, let reason = reconciler.absence(of: below) {
      absentPools[spec.name] = reason
      return leaveOut("pool \(spec.name)", reason)
    }
    if isPromised { pendingDevices.formUnion(spec.volumes.map { spec.path(of: $0).device }) }
    if isPromised, let below, let status = state.status(below),
      status.volumes.contains(where: { $0.disk != .inconsistent })
    {
      report.later.append("see what is in pool \(spec.name), once this node is primary for \(below)")
      return
    }
    var isLater = isPromised || below != nil && !isFiltered
    for change in try reconciler.changes(to: spec) {
      try await make(change, in: state, isLater: isLater)
      switch change {
      case .createPool, .extendPool: isLater = true
      case .createThinPool(let path, _), .createVolume(let path, _), .createThinVolume(let path, _, _):
        if isDry { pendingDevices.insert(path.device) }
        if case .createThinPool = change { isLater = true }
      case .activate: pendingDevices.formUnion(spec.volumes.map { spec.path(of: $0).device })
      case .extendVolume(let path, _): grownDevices.insert(path.device)
      default: break
      }
    }
  }
}

extension ResourceStatus.Peer {
  /// Whether it is being looked for, or was just found and has not told all.
  fileprivate var isOnItsWay: Bool {
    switch connection {
    case .standAlone, .disconnecting: false
    case .connected: volumes.contains { [.unknown, .negotiating, .attaching].contains($0.disk) }
    default: true
    }
  }
}
