/// Roles, generations, and what runs in the background.
extension World {
  mutating func primary(_ request: Request) -> Answer {
    let node = request.node
    let isForced = request.options.contains("--force")
    guard let index = self[node].running(request.name) else { return unknownMinor(request, "primary") }
    let minor = self[node].resources[index].volumes.first?.minor ?? 0
    func failed(_ status: Int32, _ text: String) -> Answer {
      .failed(
        status,
        "\(minor): State change failed: \(text)\nCommand 'drbdsetup-84 primary \(minor)\(isForced ? " --force" : "")'"
          + " terminated with exit code \(status)\n")
    }
    if self[node].resources[index].isPrimary, !isForced { return .done }
    if let (peer, other) = connectedPeer(of: node, request.name), self[peer].resources[other].isPrimary {
      return failed(11, "(-1) Multiple primaries not allowed by config")
    }
    for volume in self[node].resources[index].volumes {
      let isReachable = volume.replication != "Off" && volume.peerState == .upToDate
      if volume.state == .upToDate || isReachable { continue }
      guard isForced, [.inconsistent, .outdated, .consistent].contains(volume.state) else {
        return failed(17, "(-2) Need access to UpToDate data")
      }
    }
    self[node].resources[index].isPrimary = true
    let isConnected = self[node].resources[index].connection == .connected
    for place in self[node].resources[index].volumes.indices {
      let volume = self[node].resources[index].volumes[place]
      let isNew = isForced && volume.state != .upToDate && volume.state != .diskless
      if isNew { setDisk(node, index, place, .upToDate) }
      let isAlone = !isConnected || volume.peerState == .diskless
      if isNew || isAlone && (metadata(node, volume)?.bitmap ?? 1) == 0 {
        let generation = nextNumber()
        changeMetadata(node, volume) { $0.begin(generation) }
      }
      changeMetadata(node, volume) { $0.wasPrimary = true }
      if isNew, isConnected, let peer = peer(of: node) {
        sync(request.name, volume.number, from: node, to: peer, full: true)
      }
    }
    tellDiskStates(request.name)
    return .done
  }

  mutating func secondary(_ request: Request) -> Answer {
    let node = request.node
    guard let index = self[node].running(request.name) else { return unknownMinor(request, "secondary") }
    let resource = self[node].resources[index]
    let minor = resource.volumes.first?.minor ?? 0
    if self[node].isHeld(resource.volumes.map { "/dev/drbd\($0.minor)" }) {
      return .failed(
        11,
        "\(minor): State change failed: (-12) Device is held open by someone\n"
          + "Command 'drbdsetup-84 secondary \(minor)' terminated with exit code 11\n")
    }
    self[node].resources[index].isPrimary = false
    for volume in resource.volumes { changeMetadata(node, volume) { $0.wasPrimary = false } }
    tellDiskStates(request.name)
    return .done
  }

  private func unknownMinor(_ request: Request, _ verb: String) -> Answer {
    let minor = request.volumes.first?.minor ?? 0
    return .failed(
      10,
      "\(minor): Failure: (127) Device minor not allocated\nadditional info from kernel:\nunknown minor\n"
        + "Command 'drbdsetup-84 \(verb) \(minor)' terminated with exit code 10\n")
  }

  mutating func invalidate(_ request: Request, _ volume: ConfiguredResource.Volume) -> Answer {
    guard let (index, place) = place(request.node, request.name, volume.number) else {
      return unknownMinor(request, "invalidate")
    }
    guard let (peer, _) = connectedPeer(of: request.node, request.name) else {
      if !self[request.node].resources[index].isPrimary {
        setDisk(request.node, index, place, .inconsistent)
        return .done
      }
      return .failed(17, "\(volume.minor ?? 0): State change failed: (-2) Need access to UpToDate data\n")
    }
    sync(request.name, volume.number, from: peer, to: request.node, full: true)
    return .done
  }

  mutating func verify(_ request: Request, _ volume: ConfiguredResource.Volume) -> Answer {
    guard let (index, place) = place(request.node, request.name, volume.number) else {
      return unknownMinor(request, "verify")
    }
    func failed(_ text: String) -> Answer {
      .failed(
        11,
        "\(volume.minor ?? 0): State change failed: \(text)\nCommand 'drbdsetup-84 verify \(volume.minor ?? 0)' "
          + "terminated with exit code 11\n")
    }
    guard self[request.node].resources[index].net["verify-alg"] != nil else {
      return failed("(-14) Need a verify algorithm to start online verify")
    }
    guard let (peer, other) = connectedPeer(of: request.node, request.name),
      self[request.node].resources[index].volumes[place].replication == "Established",
      let there = self[peer].resources[other].volumes.firstIndex(where: { $0.number == volume.number })
    else { return failed("(-15) Need a connection to start verify or resync") }
    self[request.node].resources[index].volumes[place].replication = "VerifyS"
    self[peer].resources[other].volumes[there].replication = "VerifyT"
    if syncsAtOnce { finishSync(request.name, volume.number) }
    return .done
  }

  mutating func pause(_ request: Request, _ volume: ConfiguredResource.Volume, _ pauses: Bool) -> Answer {
    guard let (index, place) = place(request.node, request.name, volume.number) else {
      return unknownMinor(request, "pause-sync")
    }
    self[request.node].resources[index].volumes[place].isPausedHere = pauses
    let names = pauses ? ("Sync", "PausedSync") : ("PausedSync", "Sync")
    let spelled = ["SyncSource": "PausedSyncS", "SyncTarget": "PausedSyncT"]
    for node in machines.keys {
      guard let (index, place) = self.place(node, request.name, volume.number) else { continue }
      let old = self[node].resources[index].volumes[place].replication
      guard old.hasPrefix(names.0) else { continue }
      let new = pauses ? spelled[old] : spelled.first { $0.value == old }?.key
      self[node].resources[index].volumes[place].replication = new ?? old
    }
    tellDiskStates(request.name)
    return .done
  }

  mutating func suspend(_ request: Request) -> Answer {
    if let index = self[request.node].running(request.name) {
      self[request.node].resources[index].isSuspended = request.verb == "suspend-io"
    }
    return .done
  }

  mutating func newGeneration(_ request: Request, _ volume: ConfiguredResource.Volume) -> Answer {
    let failed = Answer.failed(
      10,
      "\(volume.minor ?? 0): Failure: (151) Need to be StandAlone\n"
        + "Command 'drbdsetup-84 new-current-uuid \(volume.minor ?? 0) --clear-bitmap' terminated with exit code 10\n"
    )
    guard let (peer, _) = connectedPeer(of: request.node, request.name),
      request.options.contains("--clear-bitmap"),
      let (one, from) = place(request.node, request.name, volume.number),
      let (two, to) = place(peer, request.name, volume.number)
    else { return failed }
    let sides = [(request.node, one, from), (peer, two, to)]
    let areNew = sides.allSatisfy { node, index, place in
      metadata(node, self[node].resources[index].volumes[place])?.current == Metadata.justCreated
    }
    guard areNew else { return failed }
    let generation = nextNumber()
    for (node, index, place) in sides {
      changeMetadata(node, self[node].resources[index].volumes[place]) {
        $0.current = generation
        $0.bitmap = 0
        $0.outOfSync = 0
      }
      self[node].resources[index].volumes[place].outOfSync = 0
      setDisk(node, index, place, .upToDate)
    }
    tellDiskStates(request.name)
    return .done
  }

  // MARK: - Short questions

  func role(_ request: Request) -> Answer {
    guard let index = self[request.node].running(request.name) else { return unknownMinor(request, "role") }
    let resource = self[request.node].resources[index]
    let peer = resource.peerIsPrimary.map { $0 ? "Primary" : "Secondary" } ?? "Unknown"
    return Answer(output: "\(resource.isPrimary ? "Primary" : "Secondary")/\(peer)\n")
  }

  func connectionState(_ request: Request) -> Answer {
    guard let index = self[request.node].running(request.name) else { return unknownMinor(request, "cstate") }
    let volumes = self[request.node].resources[index].volumes
    let lines = volumes.map { Self.connectionName(self[request.node].resources[index], $0) }
    return Answer(output: lines.map { $0 + "\n" }.joined())
  }

  func diskStates(_ request: Request) -> Answer {
    guard let index = self[request.node].running(request.name) else {
      let states = request.volumes.map { volume -> String in
        let metadata = self[request.node].disks[volume.disk]?.metadata
        return metadata?.isConsistent != true
          ? "Inconsistent" : metadata?.wasUpToDate == true ? "Consistent" : "Outdated"
      }
      return Answer(output: states.map { $0 + "\n" }.joined())
    }
    let volumes = self[request.node].resources[index].volumes
    return Answer(output: volumes.map { "\($0.state.rawValue)/\($0.peerState.rawValue)\n" }.joined())
  }

  /// The connection's state as 8.4 has it, where what a volume does is part of it.
  static func connectionName(_ resource: RunningResource, _ volume: RunningResource.Volume) -> String {
    switch resource.connection {
    case .standAlone: "StandAlone"
    case .connecting: "WFConnection"
    case .connected: volume.replication == "Established" ? "Connected" : volume.replication
    }
  }
}
