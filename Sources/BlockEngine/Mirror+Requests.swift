import HostInterface

extension Mirror {
  package func submit(_ request: BlockRequest, _ completion: @escaping (Failure?) -> Void) {
    if let refusal = failure ?? refusal(of: request) { return completion(refusal) }
    if isClosing { return completion(Failure(.unavailable, name, "it is being closed")) }
    active += 1
    let end: (Failure?) -> Void = { [self] failure in
      completion(failure)
      endRequest()
    }
    switch request {
    // A former owner would read what another one is changing.
    case .read: whenOwned(lately: options.ownTime) { [self] in read(request, end) }
    case .flush: flush(end)
    default: change(request, request.range ?? 0..<0, end)
    }
  }

  private func endRequest() {
    active -= 1
    if active == 0, let whenIdle {
      self.whenIdle = nil
      whenIdle()
    }
  }

  /// Asks the leg that is read from.
  ///
  /// The range is locked as for a change: changes that were submitted before are over on every leg when the leg is asked,
  /// and later ones wait for its answer. So no change is in flight there, on no leg, at the moment of which the leg
  /// tells; and a leg that is up to date has all that was acknowledged. One that is dropped meanwhile is not believed,
  /// since writes go on without it: another one is asked. A leg that cannot tell is not dropped for that.
  package func blockStatus(
    of range: Range<Int>, _ completion: @escaping (Result<[BlockStatus], Failure>) -> Void
  ) {
    if let refusal = failure ?? refusal(of: range) { return completion(.failure(refusal)) }
    if isClosing { return completion(.failure(Failure(.unavailable, name, "it is being closed"))) }
    active += 1
    let blocks = range.lowerBound / LegLayout.block..<(range.upperBound - 1) / LegLayout.block + 1
    locks.acquire(blocks) { [self] token in
      askStatus(of: range) { [self] result in
        locks.release(token)
        completion(result)
        endRequest()
      }
    }
  }

  private func askStatus(
    of range: Range<Int>, _ completion: @escaping (Result<[BlockStatus], Failure>) -> Void
  ) {
    let mayBeBehind = options.defects.contains(.holesOfAnyLeg)
    guard let leg = mayBeBehind ? connected.first : source else {
      return completion(.failure(failure ?? noLeg))
    }
    scheduleSweep()
    leg.blockStatus(of: range, at: clock.now) { [self] result in
      guard leg.isConnected else { return askStatus(of: range, completion) }
      let unknown = [BlockStatus(count: range.count, isHole: false)]
      completion(.success((try? result.get()) ?? unknown))
    }
  }

  private func read(_ request: BlockRequest, _ completion: @escaping (Failure?) -> Void) {
    guard let leg = source else { return completion(failure ?? noLeg) }
    send(request, to: leg) { [self] isDone in
      if isDone { completion(nil) } else { read(request, completion) }
    }
  }

  private var noLeg: Failure { Failure(.unavailable, name, "no leg that is up to date is left") }

  private func flush(_ completion: @escaping (Failure?) -> Void) {
    flushLegs { [self] in acknowledge(completion) }
  }

  /// Makes durable, on every connected leg, what was complete before.
  func flushLegs(_ completion: @escaping () -> Void) {
    let complete = lastWrite
    sendToAll({ _ in .flush }) { [self] in
      lastFlushed = max(lastFlushed, complete)
      completion()
    }
  }

  /// Answers when nothing that the answer relies on is still to be made durable.
  private func acknowledge(_ completion: @escaping (Failure?) -> Void) {
    if let failure { return completion(failure) }
    guard isTransition else { return completion(nil) }
    paused.append { [self] in acknowledge(completion) }
  }

  /// Does a change in parts that each lie in one extent of the activity log, eight at a time.
  private func change(
    _ request: BlockRequest, _ range: Range<Int>, _ completion: @escaping (Failure?) -> Void
  ) {
    let extent = 1 << identity.logShift
    if range.isEmpty { return completion(nil) }
    if range.lowerBound / extent == (range.upperBound - 1) / extent {
      return changePart(request, range, completion)
    }
    let some = Completion { [self] failure in
      if let failure { return completion(failure) }
      let rest = min((range.lowerBound / extent + 8) * extent, range.upperBound)..<range.upperBound
      change(request, rest, completion)
    }
    for number in range.lowerBound / extent..<range.lowerBound / extent + 8 {
      let part = range.clamped(to: number * extent..<(number + 1) * extent)
      if !part.isEmpty { changePart(request, part, some.expect()) }
    }
    some.seal()
  }

  private func changePart(
    _ request: BlockRequest, _ part: Range<Int>, _ completion: @escaping (Failure?) -> Void
  ) {
    let blocks = part.lowerBound / LegLayout.block..<(part.upperBound - 1) / LegLayout.block + 1
    locks.acquire(blocks) { [self] token in
      intend(
        Change(request.part(part), blocks: blocks, extent: UInt32(part.lowerBound >> identity.logShift)) {
          [self] in
          locks.release(token)
          completion($0)
        })
    }
  }

  /// A change within one extent of the log, which holds its lock.
  final class Change {
    let request: BlockRequest
    let blocks: Range<Int>
    let extent: UInt32
    /// Whether it keeps its extent in the log.
    var isPinned = false
    let completion: (Failure?) -> Void

    init(
      _ request: BlockRequest, blocks: Range<Int>, extent: UInt32, completion: @escaping (Failure?) -> Void
    ) {
      self.request = request
      self.blocks = blocks
      self.extent = extent
      self.completion = completion
    }
  }

  /// Marks a change where it is durable, and goes on.
  private func intend(_ change: Change) {
    if isOwned(lately: options.ownTime) { return intendOwned(change) }
    whenOwned(lately: options.ownTime) { [self] in intendOwned(change) }
  }

  private func intendOwned(_ change: Change) {
    if let failure { return change.completion(failure) }
    if isTransition { return paused.append { [self] in intend(change) } }
    if isWhole {
      if options.defects.contains(.noActivityLog) { return perform(change) }
      ensureLogged(change.extent) { [self] in
        change.isPinned = failure == nil
        goOn(change)
      }
    } else {
      bitmap.set(change.blocks, to: true)
      if options.defects.contains(.lateBitmap) { return perform(change) }
      ensureMarked(DirtyBitmap.pages(of: change.blocks)) { [self] in goOn(change) }
    }
  }

  private func goOn(_ change: Change) {
    // Marked in the log, and meanwhile a leg is missing: it has to be in the bitmap as well.
    guard failure == nil, !isTransition, !change.isPinned || isWhole else {
      unpin(change, write: nil)
      return intend(change)
    }
    perform(change)
  }

  private func unpin(_ change: Change, write: Int?) {
    guard change.isPinned else { return }
    change.isPinned = false
    log.unpin(change.extent, write: write)
    startLogTransaction()
  }

  private func perform(_ change: Change) {
    sendToAll({ _ in change.request }) { [self] in
      lastWrite += 1
      unpin(change, write: lastWrite)
      acknowledge(change.completion)
      if options.defects.contains(.lateBitmap) { ensureMarked(DirtyBitmap.pages(of: change.blocks)) {} }
    }
  }
}
