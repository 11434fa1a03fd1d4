import HostInterface

/// A synchronous mirror over two or more legs.
///
/// A write is acknowledged when every connected leg has completed it; a leg that fails or stalls is dropped, and the
/// mirror goes on. What keeps every acknowledged write through a loss of power, and the legs alike:
///
/// 1. Before a write reaches any leg, each of its blocks is marked durably on every connected leg: in the activity log
///    while all legs are connected, in the bitmap while one is missing.
/// 2. An extent leaves the activity log only when no write is in flight in it and every connected leg was flushed since;
///    and none while the loss of a leg is not durable (see 3), since that leg was not flushed.
/// 3. Once a leg is dropped nothing is acknowledged until a new generation is durable on the others, and the bitmap has
///    all that the leg may lack: what was in flight, and what it had not flushed and may have lost with its cache.
/// 4. A bit is cleared only when every leg of the mirror is connected and has been flushed since it got the block.
/// 5. Changes of the same block, by writes or by a resync, are never in flight together.
/// 6. After a crash one leg counts; the others get, from it, what log and bitmap name, and are read only then.
package final class Mirror: BlockDevice {
  package let name = "mirror"
  package let size: Int
  package let logicalBlockSize: Int

  let clock: any EngineClock
  var options: MirrorOptions
  let random: () -> UInt64
  let identity: LegRecord
  /// By index; nil for one that is missing.
  var legs: [MirrorLeg?]
  var history: GenerationHistory
  var bitmap: DirtyBitmap
  var log: ActivityLog
  let locks: RangeLocks

  /// Why nothing works any more.
  var failure: Failure?
  var isClosing = false
  /// Requests that are not answered.
  var active = 0
  var whenIdle: (() -> Void)?

  // The transition after a leg was dropped: see Mirror+Transition.
  var isTransition = false
  var needsGeneration = false
  var paused: [() -> Void] = []

  // The activity log: see Mirror+Intent.
  var logWaiting: [(extent: UInt32, then: () -> Void)] = []
  var isLogBusy = false
  /// The number of the last write that was complete, and the last that is durable on every connected leg.
  var lastWrite = 0
  var lastFlushed = 0

  // The bitmap on disk: see Mirror+Intent.
  var bitmapWaiting: [(pages: [(Int, Int)], then: () -> Void)] = []
  var isBitmapBusy = false

  // One after the other: transitions, attaching, the ends of resyncs, closing.
  private var control: [(@escaping () -> Void) -> Void] = []
  private var isControlBusy = false

  // What tells that legs without a lock are this process's own: see Mirror+Fencing.
  var owner: UInt64 = 0
  var lastOwned: Duration?
  var ownWaiting: [() -> Void] = []

  /// Whether a disk is on its way into the place of a leg: see Mirror+Replacing.
  var isReplacing = false
  var pass: ResyncPass?
  /// The next look for legs that stall, while something is in flight.
  private var sweep: ScheduledCall?
  /// What happened, in words: for a log, and for tests.
  package var onEvent: (String) -> Void

  init(
    _ legs: [MirrorLeg?], identity: LegRecord, history: GenerationHistory, bitmap: DirtyBitmap,
    log: ActivityLog,
    clock: any EngineClock, options: MirrorOptions, random: @escaping () -> UInt64
  ) {
    self.legs = legs
    self.identity = identity
    self.history = history
    self.bitmap = bitmap
    self.log = log
    self.clock = clock
    self.options = options
    onEvent = options.onEvent
    self.random = random
    size = identity.layout.dataSize
    logicalBlockSize = legs.compactMap { $0?.device.logicalBlockSize }.max() ?? 512
    locks = RangeLocks(isOpen: options.defects.contains(.unorderedWrites))
  }

  var connected: [MirrorLeg] { legs.compactMap { $0 }.filter(\.isConnected) }
  var upToDate: [MirrorLeg] { legs.compactMap { $0 }.filter { $0.state == .upToDate } }
  /// The leg to read from: one that is up to date, of this machine if possible.
  var source: MirrorLeg? {
    var remote: MirrorLeg?
    for case let leg? in legs where leg.state == .upToDate {
      if !leg.device.isRemote { return leg }
      remote = remote ?? leg
    }
    return remote
  }
  /// Whether every leg that the mirror has is connected.
  var isWhole: Bool { connected.count == legs.count }

  /// How each leg does, by its index.
  package var legStatus: [LegStatus] {
    legs.map { leg in
      switch leg?.state {
      case nil: .missing
      case .upToDate?: .upToDate
      case .syncTarget?: .syncing
      case .dropped?: .dropped
      }
    }
  }

  /// What is known of each leg, by its index: how it does, on which device, and why it was dropped.
  package var legReports: [(status: LegStatus, device: String?, reason: Failure?)] {
    zip(legs, legStatus).map { leg, status in
      if case .dropped(let reason)? = leg?.state { return (status, leg?.device.name, reason) }
      return (status, leg?.device.name, nil)
    }
  }

  /// The 16 bytes that no other mirror has.
  package var id: [UInt8] { identity.mirrorID }

  /// How many bytes a second a resync copies at most; nil for as many as it can.
  ///
  /// A change counts from the next chunk on.
  package var resyncRate: Int? {
    get { options.resyncRate }
    set { options.resyncRate = newValue }
  }

  /// How many bytes a resync that runs has still to copy; nil when none runs.
  ///
  /// Less than ``outOfSync``, where what is copied counts only when it is durable.
  package var resyncLeft: Int? {
    pass.map { outOfSync - $0.copied.reduce(0) { $0 + $1.count } * LegLayout.block }
  }

  /// How many bytes some leg may lack.
  package var outOfSync: Int { bitmap.count * LegLayout.block }
  /// Whether a leg was lost or is replaced and the others do not all know it yet: to go on with one of them alone may
  /// then be a split brain.
  package var isLosingLeg: Bool { isTransition || isReplacing }
  /// Whether every leg is up to date.
  package var isInSync: Bool { upToDate.count == legs.count && !isTransition }

  /// Sends a request to a leg; one that fails drops the leg.
  func send(_ request: BlockRequest, to leg: MirrorLeg, _ completion: @escaping (Bool) -> Void) {
    guard leg.isConnected else { return completion(false) }
    scheduleSweep()
    leg.submit(request, at: clock.now) { [self] failure in
      if let failure { drop(leg, failure) }
      completion(failure == nil)
    }
  }

  /// Sends a request to every connected leg, and calls back when all have answered.
  func sendToAll(_ request: (MirrorLeg) -> BlockRequest, _ completion: @escaping () -> Void) {
    let all = Completion { _ in completion() }
    for leg in connected {
      let end = all.expect()
      send(request(leg), to: leg) { _ in end(nil) }
    }
    all.seal()
  }

  /// Runs work when what was queued before is over; the work calls its argument at its end.
  func enqueue(_ work: @escaping (@escaping () -> Void) -> Void) {
    control.append(work)
    runControl()
  }

  private func runControl() {
    guard !isControlBusy, !control.isEmpty else { return }
    isControlBusy = true
    let work = control.removeFirst()
    work { [self] in
      isControlBusy = false
      runControl()
    }
  }

  /// Looks for legs that stall, as long as something is in flight.
  func scheduleSweep() {
    guard sweep == nil else { return }
    sweep = clock.schedule(after: options.stallLimit / 4) { [self] in
      sweep = nil
      for leg in connected {
        guard let oldest = leg.oldest, clock.now - oldest >= options.stallLimit else { continue }
        drop(leg, Failure(.timedOut, leg.device.name, "it did not answer for \(options.stallLimit)"))
      }
      if connected.contains(where: { $0.oldest != nil }) { scheduleSweep() }
    }
  }

  /// Writes the superblocks of legs, each copy durably before the other, and calls back when all have answered.
  func writeRecords(of legs: [MirrorLeg], _ completion: @escaping () -> Void) {
    whenOwned(lately: .zero) { [self] in writeOwnedRecords(of: legs, completion) }
  }

  private func writeOwnedRecords(of legs: [MirrorLeg], _ completion: @escaping () -> Void) {
    let all = Completion { _ in completion() }
    for leg in legs where leg.isConnected {
      leg.record.sequence += 1
      let block = leg.record.encoded()
      let places = leg.record.layout.superblockOffsets
      let end = all.expect()
      // The copy that is known to be good is overwritten when the other one is.
      let isSingle = options.defects.contains(.singleSuperblock)
      let (first, second) = (places[isSingle ? 0 : 1 - leg.record.copy], places[leg.record.copy])
      send(.write(offset: first, block, durable: true), to: leg) { [self] isDone in
        guard isDone, !isSingle else { return end(nil) }
        send(.write(offset: second, block, durable: true), to: leg) { _ in end(nil) }
      }
    }
    all.seal()
  }

  /// Ends the use of the mirror: what was begun is finished, everything is flushed, and the legs are marked as closed.
  package func close(_ completion: @escaping (Failure?) -> Void) {
    isClosing = true
    pass = nil
    if active == 0 { end(completion) } else { whenIdle = { [self] in end(completion) } }
  }

  private func end(_ completion: @escaping (Failure?) -> Void) {
    enqueue { [self] done in
      sendToAll({ _ in .flush }) { [self] in
        if isTransition {
          // A leg was lost just now: the others must know it first.
          done()
          return end(completion)
        }
        for leg in connected { leg.record.isInUse = false }
        writeRecords(of: connected) { [self] in
          done()
          // Or the clock would keep the mirror, and its legs in use, until then.
          sweep?.cancel()
          completion(failure)
        }
      }
    }
  }
}
