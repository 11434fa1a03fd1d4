import HostInterface

/// What keeps two processes from writing to legs that no lock protects, which are those behind a network.
///
/// Who opens a mirror writes a number of its own into the superblocks of such legs. Who finds the number of another one
/// there has lost the mirror, and sends nothing more to any leg. Everyone looks before it writes superblocks, and before
/// other changes when it has not looked for `ownTime`. Who opens a mirror that was not closed waits for twice as long
/// before it reads what the former owner has left, should that one still be there.
extension Mirror {
  /// Makes the legs without a lock those of a new owner.
  ///
  /// A leg that cannot be written is left to be dropped later.
  ///
  /// - Parameter completion: Called with the superblocks and the number of the owner, or with ``Failure/Code/inUse``
  ///   when another one came in between.
  static func claim(
    _ devices: [any BlockDevice], _ records: [LegRecord], _ clock: any EngineClock, _ options: MirrorOptions,
    _ random: () -> UInt64, _ completion: @escaping (Result<([LegRecord], UInt64), Failure>) -> Void
  ) {
    let shared = devices.indices.filter { devices[$0].isRemote }
    if shared.isEmpty { return completion(.success((records, 0))) }
    let owner = random() | 1
    var claimed = records
    let written = Completion { _ in
      let done = { completion(.success((claimed, owner))) }
      guard shared.contains(where: { records[$0].isInUse }) else { return done() }
      clock.schedule(after: options.ownTime * 2) {
        let read = Completion { $0.map { completion(.failure($0)) } ?? done() }
        for place in shared { confirm(devices[place], claimed[place].owner, clock, options, read.expect()) }
        read.seal()
      }
    }
    for place in shared {
      var record = records[place]
      (record.owner, record.sequence) = (owner, record.sequence + 1)
      let (device, end) = (devices[place], written.expect())
      clock.limited(options.stallLimit, device.name) {
        device.submitInOrder(record.writes, $0)
      } _: { failure in
        if failure == nil { claimed[place] = record }
        end(nil)
      }
    }
    written.seal()
  }

  /// Fails when a leg has another owner now.
  private static func confirm(
    _ device: any BlockDevice, _ owner: UInt64, _ clock: any EngineClock, _ options: MirrorOptions,
    _ completion: @escaping (Failure?) -> Void
  ) {
    clock.limited(options.stallLimit, device.name) { end in
      readRecord(of: device) { result in
        guard case .success(let record?) = result, record.owner != owner else { return end(nil) }
        end(taken(device.name))
      }
    } _: { failure in
      // One that does not answer is dropped later.
      completion(failure?.code == .inUse ? failure : nil)
    }
  }

  private static func taken(_ name: String) -> Failure {
    Failure(
      .inUse, name, "another process has opened the mirror that it is a leg of",
      remedy: "use the mirror there, or end that process and open the mirror again")
  }

  /// Puts this mirror's number into the superblock of a leg that has no lock.
  func own(_ leg: MirrorLeg) {
    guard leg.device.isRemote else { return }
    if owner == 0 { owner = random() | 1 }
    leg.record.owner = owner
  }

  private func isShared(_ leg: MirrorLeg?) -> Bool {
    leg.map { $0.isConnected && $0.device.isRemote } ?? false
  }

  /// Whether the legs were this mirror's when that was looked at last, not longer ago than this.
  func isOwned(lately time: Duration) -> Bool {
    if failure != nil || !legs.contains(where: isShared) { return true }
    return lastOwned.map { clock.now - $0 < time } ?? false
  }

  /// Calls back when the legs are known to be this mirror's, or the mirror has failed.
  func whenOwned(lately time: Duration, _ then: @escaping () -> Void) {
    if isOwned(lately: time) || options.defects.contains(.unfenced) { return then() }
    ownWaiting.append(then)
    if ownWaiting.count > 1 { return }
    let start = clock.now
    var loss: MirrorLeg?
    let read = Completion { [self] _ in
      if let loss { lose(by: loss) } else { lastOwned = start }
      let waiting = ownWaiting
      ownWaiting = []
      for go in waiting { go() }
    }
    for leg in legs where isShared(leg) {
      guard let leg else { continue }
      for offset in leg.record.layout.superblockOffsets {
        let (block, end) = (BlockBuffer(count: LegLayout.block), read.expect())
        send(.read(offset: offset, block), to: leg) { isDone in
          if isDone, let found = LegRecord(block), found.owner != leg.record.owner { loss = leg }
          end(nil)
        }
      }
    }
    read.seal()
  }

  /// Lets go of every leg: another process writes to them.
  private func lose(by leg: MirrorLeg) {
    let reason = Self.taken(leg.device.name)
    let lost = connected
    for leg in lost { leg.state = .dropped(reason) }
    fail(reason)
    for leg in lost { leg.abandon(reason) }
  }
}
