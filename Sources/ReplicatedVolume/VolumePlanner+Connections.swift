import HostInterface

/// Bringing resources up and down, and what goes on between their copies.
extension VolumePlanner {
  func connectionSteps(_ change: VolumeChange) throws -> [Step] {
    switch change {
    case .up(let name):
      _ = try known(name)
      if state.status(name) != nil {
        // What an `up` that was killed has left is finished.
        return pending.isEmpty ? [] : [step(DRBD.run("adjust", name), change)]
      }
      return bringUp(name, after: step(.loadModule(name: "drbd"), change), change)
    case .down(let name):
      guard let status = state.status(name) else { return [] }
      try refusePrimary(status)
      return [step(DRBD.run("down", name), undo: [DRBD.run("up", name)], change, patience: .seconds(5))]
    case .connect(let name):
      let status = try running(name)
      // What is on its way needs no second word, which DRBD would refuse.
      guard status.peers.isEmpty || status.peers.contains(where: { $0.connection == .standAlone }) else {
        return []
      }
      return [step(DRBD.run("connect", name), undo: [DRBD.run("disconnect", name)], change)]
    case .disconnect(let name):
      let status = try running(name)
      if status.peers.allSatisfy({ $0.connection == .standAlone }) { return [] }
      return [step(DRBD.run("disconnect", name), undo: [DRBD.run("connect", name)], change)]
    case .attach(let name):
      guard try running(name).volumes.contains(where: { $0.disk == .diskless || $0.disk == .failed }) else {
        return []
      }
      return [step(DRBD.run("attach", name), undo: [DRBD.run("detach", name)], change)]
    case .detach(let name):
      let status = try running(name)
      if status.volumes.allSatisfy({ $0.disk == .diskless }) { return [] }
      if status.role == .primary, !peersAreUpToDate(status) {
        throw Failure(
          .refused, "resource \(name)", "has the only copy that is up to date on this node",
          remedy: "wait until another node is connected and up to date")
      }
      return [step(DRBD.run("detach", name), undo: [DRBD.run("attach", name)], change)]
    case .adjust(let name):
      _ = try known(name)
      return pending.isEmpty ? [] : [step(DRBD.run("adjust", name), change)]
    default: return []
    }
  }

  /// Whether every volume has a copy that is up to date on a node that is connected.
  private func peersAreUpToDate(_ status: ResourceStatus) -> Bool {
    status.volumes.allSatisfy { volume in
      status.peers.contains { peer in
        peer.connection == .connected
          && peer.volumes.contains { $0.number == volume.number && $0.disk == .upToDate }
      }
    }
  }

  func firstSync(_ name: ResourceName, _ change: VolumeChange) throws -> [Step] {
    let status = try running(name)
    if status.role == .primary, status.volumes.allSatisfy({ $0.disk == .upToDate }) { return [] }
    guard status.volumes.allSatisfy({ $0.disk == .inconsistent }) else {
      let states = status.volumes.map(\.disk.rawValue).joined(separator: ", ")
      throw Failure(
        .refused, "resource \(name)", "is not new: the disk of this node is \(states), not Inconsistent",
        remedy: "use `quartet volume promote \(name)`")
    }
    let others = status.peers.flatMap { peer in peer.volumes.map { (peer, $0.disk) } }
    if let (peer, disk) = others.first(where: { [.upToDate, .consistent, .outdated].contains($0.1) }) {
      throw Failure(
        .refused, "resource \(name)",
        "is not new: another node\(peer.name.isEmpty ? "" : " (\(peer.name))") has a disk "
          + "that is \(disk.rawValue)", remedy: "promote that node; its data come here by themselves")
    }
    // Without an inverse: the data are declared, and go to the peer.
    return [step(.run(DRBD.command(["primary", "--force", Text(name.description)])), change)]
  }

  func skipFirstSync(_ name: ResourceName, _ change: VolumeChange) throws -> [Step] {
    let status = try running(name)
    if status.isWhole { return [] }
    let isNew =
      status.volumes.allSatisfy { $0.disk == .inconsistent } && status.role == .secondary
      && !status.peers.isEmpty
      && status.peers.allSatisfy { peer in
        peer.connection == .connected && peer.role == .secondary
          && peer.volumes.allSatisfy { $0.disk == .inconsistent }
      }
    guard isNew else {
      throw Failure(
        .refused, "resource \(name)",
        "does not connect new disks on all of its nodes, so that a sync is needed",
        remedy: "bring it up on every node, or run `quartet volume sync \(name)` on the node with the data")
    }
    return status.volumes.map { volume in
      step(.run(DRBD.command(["new-current-uuid", "--clear-bitmap", "\(name)/\(volume.number)"])), change)
    }
  }

  func verify(_ name: ResourceName, _ change: VolumeChange) throws -> [Step] {
    let status = try running(name)
    guard try known(name).resource.settings[.net]?["verify-alg"] != nil else {
      throw Failure(
        .invalid, "resource \(name)", "cannot be verified: its file has no verify-alg",
        remedy: "create it with --set net.verify-alg=crc32c, or add that to its file and adjust it")
    }
    if status.peers.contains(where: { $0.volumes.contains { $0.replication.isVerification } }) { return [] }
    try needWhole(status, "verified")
    return [step(DRBD.run("verify", name), change)]
  }

  func needWhole(_ status: ResourceStatus, _ what: String) throws {
    guard !status.isWhole else { return }
    throw Failure(
      .refused, "resource \(status.name)", "cannot be \(what) while a node is missing or not up to date",
      remedy: "see `quartet volume status \(status.name)`")
  }

  func invalidate(_ name: ResourceName, _ change: VolumeChange) throws -> [Step] {
    let status = try running(name)
    if status.peers.contains(where: { $0.volumes.contains { $0.replication == .syncTarget } }) { return [] }
    // DRBD takes it from a connected primary, and fetches the whole device again while it is in use.
    try refusePrimary(status)
    guard peersAreUpToDate(status) else {
      throw Failure(
        .refused, "resource \(name)", "has no other copy that is up to date and connected",
        remedy: "connect it to the node that has the data")
    }
    return [step(DRBD.run("invalidate", name), change)]
  }

  func discardMine(_ name: ResourceName, _ change: VolumeChange) throws -> [Step] {
    let status = try running(name)
    try refusePrimary(status)
    if status.peers.contains(where: { $0.connection == .connected }) { return [] }
    var steps: [Step] = []
    if status.peers.contains(where: { $0.connection != .standAlone }) {
      steps.append(step(DRBD.run("disconnect", name), undo: [DRBD.run("connect", name)], change))
    }
    // Without an inverse: to leave the peer in the middle of it would leave this node with neither data.
    return steps + [
      step(.run(DRBD.command(["connect", "--discard-my-data", Text(name.description)])), change)
    ]
  }
}
