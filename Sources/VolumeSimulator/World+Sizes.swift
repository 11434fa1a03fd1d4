/// How large devices are: what both disks have room for, as far as the nodes have told one another.
///
/// Source: drbd_nl.c and drbd_receiver.c of Linux 6.1, drbd_new_dev_size() and receive_sizes(); Fixtures/DRBD/resize.jsonl.
extension World {
  /// A size that one node has told the other, which has not answered yet.
  struct Question: Sendable, Hashable {
    var node: String
    var name: String
    var number: UInt16
    /// Whether the node that asks has grown already by what it knew.
    var hasGrown: Bool
    /// When it is answered, by the clock of the node that asks; nil until that is known.
    var due: Duration?
  }

  /// What a node's disk has room for, in KiB.
  private func room(_ node: String, _ volume: RunningResource.Volume) -> UInt64 {
    guard let path = volume.disk, let disk = self[node].disks[path] else { return 0 }
    return volume.metadataDisk == path ? disk.usableKiB : disk.size / 1024
  }

  /// Grows a device as far as its node knows that it may; whether it did.
  private mutating func grow(_ node: String, _ resource: Int, _ volume: Int) -> Bool {
    let found = self[node].resources[resource].volumes[volume]
    let size = min(room(node, found), found.peerRoom)
    if size > 0, size < found.size, metadata(node, found)?.current == Metadata.justCreated {
      // Nobody has written to it yet.
      self[node].resources[resource].volumes[volume].size = size
      self[node].resources[resource].volumes[volume].outOfSync = size
    }
    guard size > found.size else { return false }
    self[node].resources[resource].volumes[volume].size = size
    self[node].resources[resource].volumes[volume].outOfSync += size - found.size
    return true
  }

  /// `drbdadm resize`: the node takes what it knows that the peer has room for, and tells the peer, which answers later.
  mutating func resize(_ request: Request, _ volume: ConfiguredResource.Volume) -> Answer {
    func failed(_ text: String) -> Answer {
      let minor = volume.minor ?? 0
      return .failed(
        10,
        "\(minor): Failure: \(text).\nCommand 'drbdsetup-84 resize \(minor)' terminated with exit code 10\n")
    }
    guard let (index, place) = place(request.node, request.name, volume.number) else {
      return failed("(127) Device minor not allocated")
    }
    let resource = self[request.node].resources[index]
    guard ["Off", "Established"].contains(resource.volumes[place].replication) else {
      return failed("(130) Resize not allowed during resync")
    }
    guard resource.isPrimary || resource.peerIsPrimary != false else {
      return failed("(131) Need one Primary node to resize")
    }
    guard resource.volumes[place].disk != nil else {
      return failed("(138) Device does not have a disk-config")
    }
    let hasGrown = grow(request.node, index, place)
    if resource.connection == .connected {
      questions.append(
        Question(node: request.node, name: request.name, number: volume.number, hasGrown: hasGrown))
    }
    return .done
  }

  /// The peer takes what it was told by a node until now, and answers; what is new is copied from the primary.
  mutating func answer(_ node: String, now: Duration) {
    let due = questions.filter { $0.node == node && $0.due.map { $0 <= now } == true }
    questions.removeAll(where: due.contains)
    for question in due {
      guard let (peer, _) = connectedPeer(of: node, question.name),
        let hasGrown = tellSizes(question.name, question.number, node, peer),
        hasGrown || question.hasGrown
      else { continue }
      let primary = [node, peer].first { name in
        self[name].running(question.name).map { self[name].resources[$0].isPrimary } == true
      }
      guard let primary else { continue }
      sync(question.name, question.number, from: primary, to: primary == peer ? node : peer, full: false)
    }
  }

  /// Tells both nodes what the other one's disk has room for, and lets both devices grow; whether one did.
  @discardableResult
  mutating func tellSizes(_ name: String, _ number: UInt16, _ one: String, _ two: String) -> Bool? {
    guard let (mine, volume) = place(one, name, number), let (theirs, other) = place(two, name, number) else {
      return nil
    }
    self[one].resources[mine].volumes[volume].peerRoom = room(two, self[two].resources[theirs].volumes[other])
    self[two].resources[theirs].volumes[other].peerRoom = room(
      one, self[one].resources[mine].volumes[volume])
    let first = grow(one, mine, volume)
    let second = grow(two, theirs, other)
    return first || second
  }
}
