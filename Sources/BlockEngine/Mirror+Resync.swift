import HostInterface

/// One walk through the bitmap, which brings legs up to date.
final class ResyncPass {
  let targets: [MirrorLeg]
  /// The next block to look at.
  var cursor = 0
  /// How many chunks are being copied.
  var inFlight = 0
  /// Copied since legs were flushed last.
  var copied: [Range<Int>] = []
  /// Whether what was copied before is being made durable.
  var isSettling = false
  /// Memory for chunks that are not being copied.
  var buffers: [BlockBuffer] = []

  init(_ targets: [MirrorLeg]) { self.targets = targets }
}

extension Mirror {
  /// How many blocks are copied at once, and how often at the same time.
  private static let chunk = 256
  private static let width = 4
  /// After how many chunks progress is made durable.
  private static let chunksBetweenFlushes = 64

  /// Starts to bring up to date the legs that are not, if there are any.
  func startResync() {
    guard pass == nil, !isTransition, !isClosing, failure == nil else { return }
    let targets = connected.filter { $0.state == .syncTarget }
    guard !targets.isEmpty else { return }
    let pass = ResyncPass(targets)
    self.pass = pass
    step(pass)
  }

  private func isCurrent(_ pass: ResyncPass) -> Bool { self.pass === pass && failure == nil && !isTransition }

  private func step(_ pass: ResyncPass) {
    // A rate is kept by one chunk at a time.
    let width = options.resyncRate == nil ? Self.width : 1
    while isCurrent(pass), pass.inFlight < width {
      guard let run = bitmap.nextRun(from: pass.cursor, most: Self.chunk) else {
        if pass.inFlight == 0, !pass.isSettling { finish(pass) }
        return
      }
      pass.cursor = run.upperBound
      pass.inFlight += 1
      locks.acquire(run) { [self] token in
        copy(run, pass) { [self] isDone in
          locks.release(token)
          guard isDone, isCurrent(pass) else { return }
          pass.copied.append(run)
          pace(run) { [self] in
            pass.inFlight -= 1
            settleNow(pass)
            step(pass)
          }
        }
      }
    }
  }

  private func pace(_ run: Range<Int>, _ next: @escaping () -> Void) {
    guard let rate = options.resyncRate else { return next() }
    let bytes = run.count * LegLayout.block
    clock.schedule(after: .nanoseconds(Int64(bytes) * 1_000_000_000 / Int64(max(1, rate))), next)
  }

  /// Makes progress durable now and then, while more is copied.
  private func settleNow(_ pass: ResyncPass) {
    guard isCurrent(pass), !pass.isSettling, pass.copied.count >= Self.chunksBetweenFlushes else { return }
    pass.isSettling = true
    settle(pass) { [self] in
      pass.isSettling = false
      if isCurrent(pass) { step(pass) }
    }
  }

  private func copy(_ run: Range<Int>, _ pass: ResyncPass, _ completion: @escaping (Bool) -> Void) {
    guard isCurrent(pass), let source else { return completion(false) }
    let memory = pass.buffers.popLast() ?? BlockBuffer(count: Self.chunk * LegLayout.block)
    let buffer = memory[0..<run.count * LegLayout.block]
    let offset = run.lowerBound * LegLayout.block
    send(.read(offset: offset, buffer), to: source) { [self] isDone in
      guard isDone, isCurrent(pass) else { return completion(false) }
      let all = Completion { _ in
        // Of a leg that was dropped some request may still use it; then the pass is over as well.
        pass.buffers.append(memory)
        completion(true)
      }
      for target in pass.targets {
        let end = all.expect()
        send(.write(offset: offset, buffer, durable: false), to: target) { _ in end(nil) }
      }
      all.seal()
    }
  }

  /// Whether no leg will lack anything once these targets are done, so that bits may go.
  private func completes(_ pass: ResyncPass) -> Bool {
    isWhole && connected.allSatisfy { leg in leg.state == .upToDate || pass.targets.contains { $0 === leg } }
  }

  /// Flushes, and clears the bits of what was copied before.
  private func settle(_ pass: ResyncPass, _ then: @escaping () -> Void) {
    let copied = pass.copied
    pass.copied = []
    flushLegs { [self] in
      guard isCurrent(pass) else { return }
      guard completes(pass) else { return then() }
      for run in copied { bitmap.set(run, to: false) }
      ensureMarked(bitmap.pending, then)
    }
  }

  /// Makes the targets legs like the others: first they know, then those that kept the bitmap for them.
  private func finish(_ pass: ResyncPass) {
    enqueue { [self] done in
      flushLegs { [self] in
        guard isCurrent(pass) else { return done() }
        // From now on a target may count after a crash: it needs the log that the others have.
        whenLogIsIdle { [self] in
          guard isCurrent(pass) else { return done() }
          isLogBusy = true
          writeLog(adding: []) { [self] in
            isLogBusy = false
            startLogTransaction()
            guard isCurrent(pass) else { return done() }
            promote(pass, done)
          }
        }
      }
    }
  }

  private func whenLogIsIdle(_ then: @escaping () -> Void) {
    if !isLogBusy { return then() }
    clock.schedule(after: .microseconds(10)) { [self] in whenLogIsIdle(then) }
  }

  private func promote(_ pass: ResyncPass, _ done: @escaping () -> Void) {
    let isComplete = completes(pass)
    // A leg that may have the current generation must not be noted as behind, or opening the mirror without it would
    // begin no new one.
    for target in pass.targets { history.behind &= ~(1 << UInt32(target.index)) }
    let sources = upToDate
    for leg in sources { leg.record.history = history }
    writeRecords(of: sources) { [self] in
      guard isCurrent(pass) else { return done() }
      for target in pass.targets {
        target.record.isInconsistent = false
        target.record.history = history
      }
      writeRecords(of: pass.targets) { [self] in
        guard isCurrent(pass) else { return done() }
        self.pass = nil
        for target in pass.targets { target.state = .upToDate }
        onEvent("up to date: legs \(pass.targets.map { "\($0.index)" }.joined(separator: ", "))")
        conclude(pass, isComplete: isComplete, done)
      }
    }
  }

  private func conclude(_ pass: ResyncPass, isComplete: Bool, _ done: @escaping () -> Void) {
    if isComplete { history.covered = 0 }
    for leg in upToDate { leg.record.history = history }
    writeRecords(of: upToDate) { [self] in
      if isComplete, isWhole, !isTransition {
        for run in pass.copied { bitmap.set(run, to: false) }
        ensureMarked(bitmap.pending) {}
      }
      done()
      startResync()
    }
  }
}
