/// Two machines with a link between them.
struct World: Sendable, Hashable {
  /// The machines by name.
  var machines: [String: Machine] = [:]
  var isLinkUp = true
  /// What the peers have not answered yet.
  var questions: [Question] = []
  /// Whether a resync is over as soon as it begins.
  var syncsAtOnce = true
  /// The last number that was given to a generation, an identity or a mark.
  var lastNumber: UInt64 = 16
  /// What must never happen, told when it did: data that was erased, or used where it may be stale.
  var damage: [String] = []

  mutating func nextNumber() -> UInt64 {
    lastNumber += 1
    return lastNumber
  }

  func peer(of name: String) -> String? { machines.keys.first { $0 != name } }

  subscript(_ node: String) -> Machine {
    get { machines[node] ?? Machine() }
    set { machines[node] = newValue }
  }

  /// The peer's place of a resource, while the two are connected.
  func connectedPeer(of node: String, _ name: String) -> (node: String, resource: Int)? {
    guard let mine = self[node].running(name), self[node].resources[mine].connection == .connected,
      let peer = peer(of: node), let index = self[peer].running(name)
    else { return nil }
    return (peer, index)
  }

  // MARK: - Connections

  /// Connects what waits for one another on both sides.
  mutating func meet() {
    guard isLinkUp, machines.values.allSatisfy(\.isOn) else { return }
    for (node, machine) in machines.sorted(by: { $0.key < $1.key }) {
      for resource in machine.resources where resource.connection == .connecting {
        guard let peer = peer(of: node), node < peer, let other = self[peer].running(resource.name),
          self[peer].resources[other].connection == .connecting,
          resource.addresses == self[peer].resources[other].addresses.reversed()
        else { continue }
        shakeHands(resource.name, node, peer)
      }
    }
  }

  /// What the generations of two copies mean to one another (drbd_uuid_compare() of drbd_receiver.c).
  enum Relation: Sendable, Hashable {
    case alike
    case source(full: Bool)
    case target(full: Bool)
    case splitBrain
    case unrelated
  }

  static func relation(_ mine: Metadata, _ theirs: Metadata) -> Relation {
    switch (mine.current == Metadata.justCreated, theirs.current == Metadata.justCreated) {
    case (true, true): return .alike
    case (true, false): return .target(full: true)
    case (false, true): return .source(full: true)
    case (false, false): break
    }
    if mine.current == theirs.current { return .alike }
    if mine.bitmap == theirs.current { return .source(full: false) }
    if theirs.bitmap == mine.current { return .target(full: false) }
    if mine.history.contains(theirs.current) { return .source(full: true) }
    if theirs.history.contains(mine.current) { return .target(full: true) }
    return mine.bitmap != 0 && mine.bitmap == theirs.bitmap ? .splitBrain : .unrelated
  }

  private mutating func shakeHands(_ name: String, _ left: String, _ right: String) {
    guard let mine = self[left].running(name), let theirs = self[right].running(name) else { return }
    var relations: [Relation] = []
    let (a, b) = (self[left].resources[mine], self[right].resources[theirs])
    for volume in a.volumes {
      guard let other = b.volumes.first(where: { $0.number == volume.number }),
        let one = metadata(left, volume), let two = metadata(right, other)
      else { continue }
      var relation = Self.relation(one, two)
      if relation == .splitBrain || relation == .unrelated, a.discardsMine != b.discardsMine {
        relation = a.discardsMine ? .target(full: false) : .source(full: false)
      }
      relations.append(relation)
    }
    let refusal: String? =
      relations.contains(.splitBrain)
      ? "Split-Brain detected but unresolved, dropping connection!"
      : relations.contains(.unrelated) ? "Unrelated data, aborting!" : nil
    let bothPrimary = a.isPrimary && b.isPrimary
    if refusal != nil || bothPrimary {
      for (node, index) in [(left, mine), (right, theirs)] {
        if let refusal {
          let minor = self[node].resources[index].volumes.first?.minor ?? 0
          self[node].log.append("block drbd\(minor): \(refusal)")
        }
        self[node].resources[index].part(.standAlone)
      }
      return
    }
    for (node, index, other) in [(left, mine, b), (right, theirs, a)] {
      self[node].resources[index].connection = .connected
      self[node].resources[index].peerIsPrimary = other.isPrimary
      self[node].resources[index].discardsMine = false
      for volume in self[node].resources[index].volumes.indices {
        self[node].resources[index].volumes[volume].replication = "Established"
      }
    }
    for volume in a.volumes { tellSizes(name, volume.number, left, right) }
    for (volume, relation) in zip(a.volumes, relations) {
      switch relation {
      case .source(let full): sync(name, volume.number, from: left, to: right, full: full)
      case .target(let full): sync(name, volume.number, from: right, to: left, full: full)
      default: agree(name, volume.number, left, right)
      }
    }
    tellDiskStates(name)
  }

  /// Copies that are alike: what was outdated is up to date by that.
  private mutating func agree(_ name: String, _ number: UInt16, _ left: String, _ right: String) {
    let places = [left, right].compactMap { node in place(node, name, number).map { (node, $0.0, $0.1) } }
    let states = places.map { self[$0.0].resources[$0.1].volumes[$0.2].state }
    let differs = places.map { self[$0.0].resources[$0.1].volumes[$0.2].outOfSync }.max() ?? 0
    guard states.contains(.upToDate) else { return }
    for (node, index, volume) in places
    where [.outdated, .consistent].contains(self[node].resources[index].volumes[volume].state) {
      setDisk(node, index, volume, .upToDate)
    }
    // What a verification found is brought into agreement at the next connect.
    if differs > 0,
      let source = places.first(where: { self[$0.0].resources[$0.1].isPrimary }) ?? places.first,
      let target = places.first(where: { $0.0 != source.0 })
    {
      sync(name, number, from: source.0, to: target.0, full: false)
    }
  }

  func place(_ node: String, _ name: String, _ number: UInt16) -> (Int, Int)? {
    guard let index = self[node].running(name),
      let volume = self[node].resources[index].volumes.firstIndex(where: { $0.number == number })
    else { return nil }
    return (index, volume)
  }

  // MARK: - Metadata and disks

  func metadata(_ node: String, _ volume: RunningResource.Volume) -> Metadata? {
    guard volume.state != .diskless, let path = volume.metadataDisk else { return nil }
    return self[node].disks[path]?.metadata
  }

  mutating func changeMetadata(
    _ node: String, _ volume: RunningResource.Volume, _ body: (inout Metadata) -> Void
  ) {
    guard let path = volume.metadataDisk, var metadata = self[node].disks[path]?.metadata else { return }
    body(&metadata)
    machines[node]?.disks[path]?.metadata = metadata
  }

  /// Gives a disk another state, in the kernel and in its metadata.
  mutating func setDisk(_ node: String, _ resource: Int, _ volume: Int, _ state: DiskState) {
    self[node].resources[resource].volumes[volume].state = state
    let isPrimary = self[node].resources[resource].isPrimary
    changeMetadata(node, self[node].resources[resource].volumes[volume]) { metadata in
      metadata.isConsistent = ![.inconsistent, .failed, .diskless].contains(state)
      metadata.wasUpToDate = state == .upToDate
      metadata.wasPrimary = isPrimary
    }
  }

  /// Tells each side of a connection what the other one's disks and role are.
  mutating func tellDiskStates(_ name: String) {
    for node in machines.keys {
      guard let (peer, other) = connectedPeer(of: node, name), let mine = self[node].running(name) else {
        continue
      }
      self[node].resources[mine].peerIsPrimary = self[peer].resources[other].isPrimary
      for index in self[node].resources[mine].volumes.indices {
        let number = self[node].resources[mine].volumes[index].number
        guard let volume = self[peer].resources[other].volumes.first(where: { $0.number == number }) else {
          continue
        }
        self[node].resources[mine].volumes[index].peerState = volume.state
        self[node].resources[mine].volumes[index].isPausedThere = volume.isPausedHere
      }
    }
  }

  // MARK: - Resync

  /// Begins to copy one volume from a node to another.
  mutating func sync(_ name: String, _ number: UInt16, from source: String, to target: String, full: Bool) {
    guard let (one, from) = place(source, name, number), let (two, to) = place(target, name, number) else {
      return
    }
    let size = self[source].resources[one].volumes[from].size
    let differs = max(
      self[source].resources[one].volumes[from].outOfSync, self[target].resources[two].volumes[to].outOfSync)
    let amount = full ? size : min(differs, size)
    let generation = metadata(source, self[source].resources[one].volumes[from])?.current
    let base = generation.map { _ in nextNumber() }
    changeMetadata(source, self[source].resources[one].volumes[from]) { metadata in
      if metadata.bitmap == 0 || metadata.bitmap == Metadata.justCreated { metadata.bitmap = base ?? 0 }
    }
    let bitmap = metadata(source, self[source].resources[one].volumes[from])?.bitmap ?? 0
    changeMetadata(target, self[target].resources[two].volumes[to]) { metadata in
      metadata.history.insert(metadata.current, at: 0)
      metadata.current = bitmap
      metadata.bitmap = 0
    }
    setDisk(source, one, from, .upToDate)
    setDisk(target, two, to, .inconsistent)
    self[source].resources[one].volumes[from].replication = "SyncSource"
    self[target].resources[two].volumes[to].replication = "SyncTarget"
    self[source].resources[one].volumes[from].outOfSync = amount
    self[target].resources[two].volumes[to].outOfSync = amount
    tellDiskStates(name)
    if syncsAtOnce || amount == 0 { finishSync(name, number) }
  }

  /// Ends a resync or a verification of a volume as time does it, unless it is paused.
  mutating func finishSync(_ name: String, _ number: UInt16) {
    for source in machines.keys.sorted() {
      guard let (peer, _) = connectedPeer(of: source, name), let (one, from) = place(source, name, number),
        let (two, to) = place(peer, name, number)
      else { continue }
      let volume = self[source].resources[one].volumes[from]
      if volume.replication.hasPrefix("Verify") {
        self[source].resources[one].volumes[from].replication = "Established"
        self[peer].resources[two].volumes[to].replication = "Established"
        continue
      }
      guard volume.replication == "SyncSource" else { continue }
      copy(from: (source, volume), to: (peer, self[peer].resources[two].volumes[to]))
      let current = metadata(source, volume)?.current ?? 0
      changeMetadata(source, volume) { metadata in
        if metadata.bitmap != 0 { metadata.history.insert(metadata.bitmap, at: 0) }
        metadata.bitmap = 0
      }
      changeMetadata(peer, self[peer].resources[two].volumes[to]) { $0.current = current }
      for (node, index, place) in [(source, one, from), (peer, two, to)] {
        self[node].resources[index].volumes[place].replication = "Established"
        self[node].resources[index].volumes[place].outOfSync = 0
        setDisk(node, index, place, .upToDate)
      }
    }
    tellDiskStates(name)
  }

  private mutating func copy(
    from source: (node: String, volume: RunningResource.Volume),
    to target: (node: String, volume: RunningResource.Volume)
  ) {
    guard let from = source.volume.disk, let to = target.volume.disk,
      let content = self[source.node].disks[from]?.content
    else { return }
    machines[target.node]?.disks[to]?.content = content
  }

  // MARK: - Data

  /// What stands on a device of DRBD: on the disk below, or on the peer's where there is none.
  func content(of node: String, _ resource: Int, _ volume: Int) -> DiskContent? {
    let mine = self[node].resources[resource].volumes[volume]
    if mine.state == .upToDate, let disk = mine.disk { return self[node].disks[disk]?.content }
    guard let (peer, other) = connectedPeer(of: node, self[node].resources[resource].name),
      let theirs = self[peer].resources[other].volumes.first(where: { $0.number == mine.number }),
      let disk = theirs.disk
    else { return nil }
    return self[peer].disks[disk]?.content
  }

  /// Writes through a device of DRBD: to every copy that is connected, and with a new generation where one is missing.
  mutating func write(
    _ node: String, _ resource: Int, _ volume: Int, kib: UInt64 = 4, _ body: (inout DiskContent) -> Void
  ) {
    guard var content = content(of: node, resource, volume) else { return }
    body(&content)
    let mine = self[node].resources[resource].volumes[volume]
    let name = self[node].resources[resource].name
    if let disk = mine.disk, mine.state != .diskless { machines[node]?.disks[disk]?.content = content }
    if let (peer, other) = connectedPeer(of: node, name),
      let index = self[peer].resources[other].volumes.firstIndex(where: { $0.number == mine.number }),
      self[peer].resources[other].volumes[index].state != .diskless,
      let disk = self[peer].resources[other].volumes[index].disk
    {
      machines[peer]?.disks[disk]?.content = content
      if mine.state == .diskless { self[peer].resources[other].volumes[index].outOfSync += kib }
      return
    }
    self[node].resources[resource].volumes[volume].outOfSync += kib
    let hasBegun = (metadata(node, mine)?.bitmap ?? 1) != 0
    if !hasBegun {
      let generation = nextNumber()
      changeMetadata(node, mine) { $0.begin(generation) }
    }
  }
}
