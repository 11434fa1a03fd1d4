/// What drbdadm(8) and the kernel behind it do; the answers are those of the recordings.
extension World {
  /// One call of drbdadm.
  struct Request {
    var node: String
    var verb: String
    var options: Set<String>
    var resource: ConfiguredResource
    /// The volumes that are meant.
    var volumes: [ConfiguredResource.Volume]

    var name: String { resource.name }
    var host: ConfiguredResource.Host? { resource.host(node) }
    /// The addresses of this node and of the other.
    var addresses: [String] {
      let others = resource.hosts.filter { $0.name != node }
      return ([host].compactMap { $0 } + others).map { host in
        host.family == "ipv6" ? "[\(host.address)]:\(host.port)" : "\(host.address):\(host.port)"
      }
    }
    var connectWords: String {
      "connect \(name) " + addresses.map { "ipv4:\($0)" }.joined(separator: " ")
    }
  }

  mutating func administer(_ request: Request) -> Answer {
    defer { meet() }
    switch request.verb {
    case "create-md": return each(request) { world, volume in world.createMetadata(request, volume) }
    case "wipe-md": return each(request) { world, volume in world.wipeMetadata(request, volume) }
    case "up": return up(request)
    case "down": return down(request)
    case "attach": return each(request) { world, volume in world.attach(request, volume) }
    case "detach": return each(request) { world, volume in world.detach(request, volume) }
    case "connect": return connect(request)
    case "disconnect": return disconnect(request)
    case "adjust":
      guard request.options.isDisjoint(with: ["-d", "--dry-run"]) else { return adjustments(request) }
      return adjust(request)
    case "primary": return primary(request)
    case "secondary": return secondary(request)
    case "outdate": return each(request) { world, volume in world.outdate(request, volume) }
    case "invalidate": return each(request) { world, volume in world.invalidate(request, volume) }
    case "verify": return each(request) { world, volume in world.verify(request, volume) }
    case "pause-sync": return each(request) { world, volume in world.pause(request, volume, true) }
    case "resume-sync": return each(request) { world, volume in world.pause(request, volume, false) }
    case "suspend-io", "resume-io": return suspend(request)
    case "new-current-uuid": return each(request) { world, volume in world.newGeneration(request, volume) }
    case "resize": return each(request) { world, volume in world.resize(request, volume) }
    case "disk-options": return .done
    case "role": return role(request)
    case "cstate": return connectionState(request)
    case "dstate": return diskStates(request)
    default: return .failed(1, "drbdadm: unknown command '\(request.verb)'\n")
    }
  }

  private mutating func each(
    _ request: Request, _ body: (inout World, ConfiguredResource.Volume) -> Answer
  ) -> Answer {
    for volume in request.volumes {
      let answer = body(&self, volume)
      if answer != .done || volume == request.volumes.last { return answer }
    }
    return .done
  }

  // MARK: - Up and down

  private mutating func up(_ request: Request) -> Answer {
    let node = request.node
    guard let host = request.host else { return .failed(1, "") }
    self[node].isModuleLoaded = true
    let index = ensure(request)
    for volume in host.volumes {
      let minor = volume.minor ?? 0
      if let place = self[node].place(ofMinor: minor),
        self[node].resources[place.resource].name != request.name
      {
        return .failed(
          10,
          "\(request.name): Failure: (161) Minor or volume exists already (delete it first)\n"
            + "Command 'drbdsetup-84 new-minor \(request.name) \(minor) \(volume.number)' terminated with exit code 10\n"
        )
      }
      if !self[node].resources[index].volumes.contains(where: { $0.number == volume.number }) {
        self[node].resources[index].volumes.append(
          RunningResource.Volume(number: volume.number, minor: minor))
      }
    }
    for volume in host.volumes where volume.disk != "none" {
      let answer = attach(request, volume, duringUp: true)
      if answer.status != 0 { return answer }
    }
    return connect(request)
  }

  private mutating func ensure(_ request: Request) -> Int {
    if let index = self[request.node].running(request.name) { return index }
    self[request.node].resources.append(
      RunningResource(name: request.name, net: request.resource.options("net")))
    return self[request.node].resources.count - 1
  }

  private mutating func down(_ request: Request) -> Answer {
    let node = request.node
    guard let index = self[node].running(request.name) else { return .done }
    let resource = self[node].resources[index]
    func failed(_ text: String, _ more: String) -> Answer {
      .failed(
        11,
        "\(request.name): State change failed: \(text)\nadditional info from kernel:\n\(more)\n"
          + "Command 'drbdsetup-84 down \(request.name)' terminated with exit code 11\n")
    }
    if self[node].isHeld(resource.volumes.map { "/dev/drbd\($0.minor)" }) {
      return failed("(-12) Device is held open by someone", "failed to demote")
    }
    if let (peer, other) = connectedPeer(of: node, request.name), self[peer].resources[other].isPrimary,
      self[peer].resources[other].volumes.contains(where: { $0.state == .diskless })
    {
      return failed("(-10) State change was refused by peer node", "failed to disconnect")
    }
    part(node, request.name, .standAlone)
    for volume in self[node].resources[index].volumes { saveBitmap(node, volume) }
    self[node].resources.remove(at: index)
    return .done
  }

  /// What the bitmap says when the disk is let go.
  private mutating func saveBitmap(_ node: String, _ volume: RunningResource.Volume) {
    changeMetadata(node, volume) {
      $0.outOfSync = volume.outOfSync
      $0.wasPrimary = false
    }
  }

  /// Leaves the peer, which waits then.
  mutating func part(_ node: String, _ name: String, _ connection: RunningResource.Connection) {
    let other = connectedPeer(of: node, name)
    if let index = self[node].running(name) { self[node].resources[index].part(connection) }
    if let other { self[other.node].resources[other.resource].part(.connecting) }
  }

  private mutating func attach(
    _ request: Request, _ volume: ConfiguredResource.Volume, duringUp: Bool = false
  )
    -> Answer
  {
    let node = request.node
    let minor = volume.minor ?? 0
    let end = call(volume, "apply-al", exit: 20)
    guard let (index, place) = self[node].place(ofMinor: minor) else {
      return .failed(10, "\(minor): Failure: (127) Device minor not allocated\n")
    }
    guard self[node].resources[index].volumes[place].disk == nil else {
      return .failed(duringUp ? 1 : 20, "Device '\(minor)' is configured!\n" + end)
    }
    let path = metadataPath(volume)
    guard let disk = self[node].disks[path] else {
      return .failed(duringUp ? 1 : 20, "open(\(path)) failed: No such file or directory\n" + end)
    }
    guard !disk.isBroken else {
      return .failed(
        10,
        "pread(5,...,4096,\(disk.size - 4096)) in v08_md_disk_to_cpu failed: Input/output error\n"
          + call(volume, "apply-al", exit: 10))
    }
    guard holder(node, path) == nil, holder(node, volume.disk) == nil else {
      return .failed(
        duringUp ? 1 : 20, "open(\(path)) failed: Device or resource busy\n" + end,
        output: "Operation canceled.\n")
    }
    guard let metadata = disk.metadata else {
      return .failed(duringUp ? 1 : 20, "No valid meta data found\n")
    }
    let size =
      volume.metadata == "internal" ? disk.usableKiB : (self[node].disks[volume.disk]?.size ?? 0) / 1024
    var found = self[node].resources[index].volumes[place]
    (found.disk, found.metadataDisk) = (volume.disk, path)
    found.size = found.size == 0 ? size : min(size, found.size)
    found.outOfSync = metadata.outOfSync ?? found.size
    found.state =
      !metadata.isConsistent ? .inconsistent : metadata.wasUpToDate ? .upToDate : .outdated
    self[node].resources[index].volumes[place] = found
    if metadata.outOfSync == nil { changeMetadata(node, found) { $0.outOfSync = size } }
    rejoin(node, request.name, volume.number)
    return .done
  }

  /// Brings a disk that was attached to a resource that is connected into agreement.
  private mutating func rejoin(_ node: String, _ name: String, _ number: UInt16) {
    guard let (peer, _) = connectedPeer(of: node, name), let (one, from) = place(node, name, number),
      let (two, to) = place(peer, name, number),
      let mine = metadata(node, self[node].resources[one].volumes[from]),
      let theirs = metadata(peer, self[peer].resources[two].volumes[to])
    else { return }
    tellSizes(name, number, node, peer)
    switch Self.relation(mine, theirs) {
    case .source(let full): sync(name, number, from: node, to: peer, full: full)
    case .target(let full): sync(name, number, from: peer, to: node, full: full)
    case .alike where mine.current != Metadata.justCreated:
      // What was written meanwhile is in the peer's bitmap.
      sync(name, number, from: peer, to: node, full: false)
    default: tellDiskStates(name)
    }
  }

  private mutating func detach(_ request: Request, _ volume: ConfiguredResource.Volume) -> Answer {
    let node = request.node
    guard let (index, place) = place(node, request.name, volume.number) else {
      return .failed(10, "\(volume.minor ?? 0): Failure: (127) Device minor not allocated\n")
    }
    let resource = self[node].resources[index]
    guard resource.volumes[place].disk != nil else { return .done }
    if resource.isPrimary, resource.connection != .connected || resource.volumes[place].peerState != .upToDate
    {
      return .failed(
        17,
        "\(volume.minor ?? 0): State change failed: (-2) Need access to UpToDate data\n"
          + "Command 'drbdsetup-84 detach \(volume.minor ?? 0)' terminated with exit code 17\n")
    }
    saveBitmap(node, resource.volumes[place])
    self[node].resources[index].volumes[place].state = .diskless
    self[node].resources[index].volumes[place].disk = nil
    self[node].resources[index].volumes[place].metadataDisk = nil
    self[node].resources[index].volumes[place].outOfSync = 0
    tellDiskStates(request.name)
    return .done
  }

  private mutating func outdate(_ request: Request, _ volume: ConfiguredResource.Volume) -> Answer {
    guard let (index, place) = place(request.node, request.name, volume.number) else { return .done }
    // A primary, and whoever is connected, stays as it is and answers 0 nevertheless.
    if self[request.node].resources[index].connection != .connected,
      !self[request.node].resources[index].isPrimary
    {
      setDisk(request.node, index, place, .outdated)
    }
    return .done
  }

  // MARK: - Connections

  private mutating func connect(_ request: Request) -> Answer {
    let node = request.node
    let isDiscarding = request.options.contains("--discard-my-data")
    let words = request.connectWords + (isDiscarding ? " --discard-my-data" : "")
    func failed(_ text: String) -> Answer {
      .failed(
        10,
        "\(request.name): Failure: \(text).\nCommand 'drbdsetup-84 \(words)' terminated with exit code 10\n")
    }
    guard let index = self[node].running(request.name) else { return failed("(158) Unknown resource") }
    let isTaken = self[node].resources.contains { $0.addresses.first == request.addresses.first }
    if isTaken { return failed("(102) Local address(port) already in use") }
    if isDiscarding, self[node].resources[index].isPrimary {
      return failed("(123) --discard-my-data not allowed when primary")
    }
    self[node].resources[index].connection = .connecting
    self[node].resources[index].addresses = request.addresses
    self[node].resources[index].discardsMine = isDiscarding
    self[node].resources[index].net = request.resource.options("net")
    return .done
  }

  private mutating func disconnect(_ request: Request) -> Answer {
    guard let index = self[request.node].running(request.name),
      self[request.node].resources[index].connection != .standAlone
    else {
      return .failed(
        10,
        "??: Failure: (162) Invalid configuration request\nadditional info from kernel:\nunknown connection\n"
          + "Command 'drbdsetup-84 disconnect "
          + request.addresses.map { "ipv4:\($0)" }.joined(separator: " ") + "' terminated with exit code 10\n"
      )
    }
    part(request.node, request.name, .standAlone)
    return .done
  }

  private mutating func adjust(_ request: Request) -> Answer {
    guard let index = self[request.node].running(request.name) else { return up(request) }
    let wanted = (request.host?.volumes ?? []).map(\.number)
    for volume in self[request.node].resources[index].volumes where !wanted.contains(volume.number) {
      saveBitmap(request.node, volume)
      self[request.node].resources[index].volumes.removeAll { $0.number == volume.number }
    }
    for volume in request.host?.volumes ?? [] where volume.disk != "none" {
      if !self[request.node].resources[index].volumes.contains(where: { $0.number == volume.number }) {
        self[request.node].resources[index].volumes.append(
          RunningResource.Volume(number: volume.number, minor: volume.minor ?? 0))
      }
      let place = self[request.node].resources[index].volumes.first { $0.number == volume.number }
      if place?.disk == nil {
        let answer = attach(request, volume)
        if answer.status != 0 { return answer }
      }
    }
    self[request.node].resources[index].net = request.resource.options("net")
    let resource = self[request.node].resources[index]
    if resource.connection == .standAlone { return connect(request) }
    if resource.addresses != request.addresses {
      part(request.node, request.name, .standAlone)
      return connect(request)
    }
    return .done
  }
}
