import HostInterface

/// What is durable before a write reaches a leg: the activity log, and the bitmap.
extension Mirror {
  /// Calls back when an extent is in the log, durably, and kept there for the caller; or when the mirror has failed.
  func ensureLogged(_ extent: UInt32, _ then: @escaping () -> Void) {
    if log.pin(extent) { return then() }
    logWaiting.append((extent, then))
    startLogTransaction()
  }

  /// Enters what waits, if that is possible now; called again whenever something changes.
  func startLogTransaction() {
    // As long as the loss of a leg is not durable, the log tells what that leg may lack.
    guard !isLogBusy, !isTransition || options.defects.contains(.forgetfulLog), !logWaiting.isEmpty,
      failure == nil
    else { return }
    var wanted: [UInt32] = []
    for extent in logWaiting.map(\.extent) where !log.contains(extent) && !wanted.contains(extent) {
      wanted.append(extent)
    }
    let flushed = Array(log.idle(flushed: lastFlushed).prefix(max(0, wanted.count - log.room)))
    if log.room + flushed.count == 0, !wanted.isEmpty {
      guard !log.idle(flushed: nil).isEmpty else { return }
      isLogBusy = true
      return flushLegs { [self] in
        isLogBusy = false
        startLogTransaction()
      }
    }
    wanted = Array(wanted.prefix(log.room + flushed.count))
    isLogBusy = true
    log.remove(flushed)
    writeLog(adding: wanted) { [self] in
      isLogBusy = false
      log.add(wanted)
      admitLogged()
      startLogTransaction()
    }
  }

  private func admitLogged() {
    var admitted: [() -> Void] = []
    logWaiting = logWaiting.filter { entry in
      guard log.pin(entry.extent) else { return true }
      admitted.append(entry.then)
      return false
    }
    for then in admitted { then() }
  }

  /// Writes the whole log with more extents into its next slot on every connected leg.
  func writeLog(adding extents: [UInt32], _ completion: @escaping () -> Void) {
    log.sequence += 1
    let block = ActivityLog.encoded(log.extents + extents, sequence: log.sequence)
    let slot = Int(log.sequence % 2)
    sendToAll({ .write(offset: $0.record.layout.logOffsets[slot], block, durable: true) }, completion)
  }

  /// Calls back when these pages of the bitmap are durable on every connected leg, or the mirror has failed.
  func ensureMarked(_ pages: some Sequence<Int>, _ then: @escaping () -> Void) {
    let needed = pages.map { ($0, bitmap.version(of: $0)) }.filter { !bitmap.isDurable($0.0, version: $0.1) }
    if needed.isEmpty || failure != nil { return then() }
    bitmapWaiting.append((needed, then))
    writeBitmap()
  }

  /// How many pages of the bitmap are written at once, and how many stand in one request.
  private static let pagesAtOnce = 1024
  static let pagesInRequest = 64

  /// Writes what is waited for, and what changes meanwhile in the next round.
  private func writeBitmap() {
    guard !isBitmapBusy, !bitmapWaiting.isEmpty else { return }
    isBitmapBusy = true
    let pages = nextPages().map { (page: $0, version: bitmap.version(of: $0)) }
    let all = Completion { [self] _ in
      for (page, version) in pages { bitmap.markDurable(page, version: version) }
      isBitmapBusy = false
      let waiting = bitmapWaiting
      bitmapWaiting = []
      for var entry in waiting {
        entry.pages.removeAll { bitmap.isDurable($0.0, version: $0.1) }
        if failure != nil || entry.pages.isEmpty { entry.then() } else { bitmapWaiting.append(entry) }
      }
      writeBitmap()
    }
    for run in runs(of: pages.map(\.page)) {
      let block = bitmap.encoded(run)
      let end = all.expect()
      sendToAll({ .write(offset: $0.record.layout.pageOffset(run.lowerBound), block, durable: true) }) {
        end(nil)
      }
    }
    all.seal()
  }

  /// The pages that are waited for longest.
  private func nextPages() -> [Int] {
    var pages: Set<Int> = []
    for entry in bitmapWaiting {
      for (page, _) in entry.pages {
        pages.insert(page)
        if pages.count == Self.pagesAtOnce { return pages.sorted() }
      }
    }
    return pages.sorted()
  }

  /// Neighbouring pages together, as far as they go into one request.
  private func runs(of pages: [Int]) -> [Range<Int>] {
    var runs: [Range<Int>] = []
    for page in pages {
      if let last = runs.last, last.upperBound == page, last.count < Self.pagesInRequest {
        runs[runs.count - 1] = last.lowerBound..<page + 1
      } else {
        runs.append(page..<page + 1)
      }
    }
    return runs
  }
}
