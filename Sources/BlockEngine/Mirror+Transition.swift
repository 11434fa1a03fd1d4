import HostInterface

/// What happens when a leg is lost: nothing is acknowledged until the others know it durably.
extension Mirror {
  /// Goes on without a leg.
  func drop(_ leg: MirrorLeg, _ reason: Failure) {
    guard leg.isConnected else { return }
    // One that has, or may have, the current generation: the others need another one.
    if leg.state == .upToDate || leg.record.history.current == history.current { needsGeneration = true }
    leg.state = .dropped(reason)
    history.behind |= 1 << UInt32(leg.index)
    pass = nil
    onEvent("leg \(leg.index) is dropped: \(reason)")
    if !options.defects.contains(.forgottenCache) {
      for extent in log.unsettled(flushed: lastFlushed) {
        let first = Int(extent) << identity.logShift / LegLayout.block
        bitmap.set(first..<first + (1 << identity.logShift) / LegLayout.block, to: true)
      }
    }
    let isRunning = isTransition
    isTransition = true
    if upToDate.isEmpty { failMirror(reason) }
    leg.abandon(reason)
    // One that runs already sees at its end that there is more to do.
    if !isRunning, failure == nil { enqueue { [self] in transition($0) } }
  }

  /// Goes on without a leg whose device is known to be lost; without effect when that is none any more.
  package func drop(_ device: any BlockDevice, because reason: Failure) {
    if let leg = connected.first(where: { $0.device === device }) { drop(leg, reason) }
  }

  /// Goes on without a leg that is to go; the last one that is up to date is refused.
  ///
  /// - Parameter completion: Called when the others know it durably.
  package func detach(deviceNamed device: String, _ completion: @escaping (Failure?) -> Void) {
    guard let leg = connected.first(where: { $0.device.name == device }) else {
      return completion(Failure(.notFound, device, "it is no leg that is connected"))
    }
    guard upToDate.contains(where: { $0 !== leg }) else {
      return completion(
        Failure(.refused, device, "it is the only leg that is up to date", remedy: "wait for the resync"))
    }
    drop(leg, Failure(.interrupted, device, "it was detached"))
    enqueue { done in
      done()
      completion(nil)
    }
  }

  /// The device of a leg that was dropped; nil when there is none of this name.
  package func droppedDevice(named device: String) -> (any BlockDevice)? {
    legs.compactMap { $0 }.first { $0.device.name == device && !$0.isConnected }?.device
  }

  /// Lets go of the device of a leg that was dropped, so that it can be opened anew; what it still had in flight has no
  /// effect on the mirror.
  ///
  /// - Returns: Whether there was one.
  package func release(deviceNamed device: String) -> Bool {
    var isFound = false
    for (index, leg) in legs.enumerated() where leg?.device.name == device && leg?.isConnected == false {
      legs[index] = nil
      isFound = true
    }
    return isFound
  }

  /// Makes the loss durable: bits first, then the generation that relies on them.
  private func transition(_ done: @escaping () -> Void) {
    if failure != nil { return done() }
    let dropped = connected.count
    ensureMarked(bitmap.pending) { [self] in
      if needsGeneration {
        needsGeneration = false
        history.begin(random())
      }
      for leg in upToDate { leg.record.history = history }
      writeRecords(of: connected) { [self] in
        if failure != nil { return done() }
        if connected.count != dropped { return transition(done) }
        isTransition = false
        done()
        resume()
        startResync()
      }
    }
  }

  private func resume() {
    let waiting = paused
    paused = []
    for go in waiting { go() }
    startLogTransaction()
  }

  private func failMirror(_ reason: Failure) {
    fail(
      Failure(
        .unavailable, name, "no leg that is up to date is left: \(reason.subject): \(reason.problem)",
        answer: reason.answer,
        remedy: "repair the legs, then end the process that uses them, and open the mirror again"))
  }

  /// Gives up: every request fails from now on.
  func fail(_ reason: Failure) {
    guard failure == nil else { return }
    failure = reason
    isTransition = false
    onEvent("the mirror has failed")
    resume()
    let logged = logWaiting
    logWaiting = []
    for entry in logged { entry.then() }
    let marked = bitmapWaiting
    bitmapWaiting = []
    for entry in marked { entry.then() }
  }
}
