import HostInterface

/// Another disk in the place of a leg.
///
/// The order keeps a crash at any point harmless: what was prepared on the new disk is no leg yet; the others have
/// every bit set before they know that the disk is another one; only then is the new one a leg, which is incomplete and
/// a generation behind, so that the bitmap tells what it lacks. The former disk has neither the generation nor the
/// number of the new one, and is refused.
extension Mirror {
  /// Makes a disk the leg of an index; all of it is copied in the background, and nothing is read from it before.
  ///
  /// The former disk of this index, if it is connected still, is dropped when the new one is known to be good. A disk
  /// that is this leg already, because an earlier call did not see its end, is only attached.
  ///
  /// - Parameters:
  ///   - index: Whose place it takes.
  ///   - device: The disk; what stands on it is lost.
  ///   - overwrite: Whether it may be a leg of some mirror.
  ///   - name: Called when the disk is a leg, and before it gets anything: whoever opens the mirror next has to know
  ///     where the leg is.
  ///   - completion: Called with nil when it gets every new write.
  package func replaceLeg(
    _ index: Int, by device: any BlockDevice, overwrite: Bool = false,
    name: @escaping () throws -> Void = {}, _ completion: @escaping (Failure?) -> Void
  ) {
    if let refusal = failure ?? refusal(of: device, as: index) { return completion(refusal) }
    isReplacing = true
    let completion = { [self] (failure: Failure?) in
      isReplacing = false
      completion(failure)
    }
    var found: LegRecord?
    clock.limited(options.stallLimit, device.name) { end in
      Self.readRecord(of: device) { result in
        switch result {
        case .success(let record):
          found = record
          end(nil)
        case .failure(let failure): end(failure)
        }
      }
    } _: { [self] failure in
      if let failure { return completion(failure) }
      if let found {
        if let leg = connectedLeg(of: found) {
          return completion(
            Failure(
              .inUse, device.name,
              "it is leg \(leg.index) of this mirror, which is in use as \(leg.device.name), or a copy of it",
              remedy: "name another disk, or erase the copy first"))
        }
        let isOurs = found.mirrorID == identity.mirrorID && found.index == index
        if isOurs, history.isCurrent(found) {
          if let failure = refusal(by: name) { return completion(failure) }
          return attach(device, discard: overwrite, completion)
        }
        guard overwrite else {
          return completion(
            Failure(
              .exists, device.name, "it is a leg of \(isOurs ? "this mirror that was replaced" : "a mirror")",
              remedy: "say that it may be overwritten"))
        }
      }
      prepare(device) { [self] failure in
        if let failure { return completion(failure) }
        exchange(index, device, name, completion)
      }
    }
  }

  /// The leg that a disk is by another name, as one with two paths to it: it has what was written there last, or before.
  private func connectedLeg(of record: LegRecord) -> MirrorLeg? {
    connected.first {
      record.mirrorID == identity.mirrorID && record.index == $0.index && record.isInUse
        && history.isCurrent(record) && $0.record.sequence - min(record.sequence, $0.record.sequence) <= 1
    }
  }

  private func refusal(by name: () throws -> Void) -> Failure? {
    do {
      try name()
      return nil
    } catch { return error as? Failure ?? Failure(.invalid, self.name, "\(error)") }
  }

  private func refusal(of device: any BlockDevice, as index: Int) -> Failure? {
    if isReplacing {
      // Whoever asked for it may be gone, and asks again.
      return Failure(.inUse, name, "a leg is being replaced already", remedy: "wait until that has ended")
    }
    guard legs.indices.contains(index) else { return Failure(.notFound, name, "it has no leg \(index)") }
    guard LegLayout.largestDataSize(legSize: device.size) >= size else {
      return Failure(
        .invalid, device.name,
        "it is too small: it has \(device.size) bytes, and a leg of \(size) bytes of data takes "
          + "\(LegLayout.smallestLegSize(dataSize: size))", remedy: "name a larger one")
    }
    guard device.logicalBlockSize <= logicalBlockSize else {
      return Failure(
        .unsupported, device.name,
        "its logical blocks have \(device.logicalBlockSize) bytes, and the mirror serves such of \(logicalBlockSize)"
      )
    }
    return upToDate.contains { $0.index != index } ? nil : noOther(device.name)
  }

  private func noOther(_ subject: String) -> Failure {
    Failure(
      .refused, subject, "no other leg is up to date from which it could be copied",
      remedy: "bring another leg back first")
  }

  /// Erases what may stand where the metadata will, and so finds out whether the disk can be written.
  private func prepare(_ device: any BlockDevice, _ completion: @escaping (Failure?) -> Void) {
    let layout = LegLayout(legSize: device.size, dataSize: size)
    let metadata = layout.pageOffset(layout.pageCount)..<layout.legSize
    // As much as signatures of other users reach back from the end (wipefs(8)).
    let tail = metadata.clamped(to: max(0, layout.legSize - (64 << 10))..<layout.legSize)
    clock.limited(
      options.stallLimit, device.name,
      {
        device.submitInOrder(
          [.write(offset: tail.lowerBound, BlockBuffer(count: tail.count), durable: true), .flush], $0)
      }, completion)
  }

  private func exchange(
    _ index: Int, _ device: any BlockDevice, _ name: @escaping () throws -> Void,
    _ completion: @escaping (Failure?) -> Void
  ) {
    guard upToDate.contains(where: { $0.index != index }) else {
      return completion(failure ?? noOther(device.name))
    }
    if let former = legs[index] {
      drop(former, Failure(.interrupted, former.device.name, "it is replaced by \(device.name)"))
    }
    enqueue { [self] done in
      // Somebody may have attached the former one meanwhile.
      if failure == nil, legs[index]?.isConnected == true {
        done()
        return exchange(index, device, name, completion)
      }
      introduce(index, device, name) { failure in
        done()
        completion(failure)
      }
    }
  }

  /// Lets the other legs know, durably, that the disk is another one and lacks everything, and makes it a leg.
  private func introduce(
    _ index: Int, _ device: any BlockDevice, _ name: @escaping () throws -> Void,
    _ completion: @escaping (Failure?) -> Void
  ) {
    if let failure { return completion(failure) }
    pass = nil
    if !options.defects.contains(.unmarkedReplacement) { bitmap.set(0..<bitmap.blockCount, to: true) }
    ensureMarked(bitmap.pending) { [self] in
      if let failure { return completion(failure) }
      var former = history
      history.begin(random())
      history.legIDs[index] = random() | 1
      history.behind |= 1 << UInt32(index)
      (former.legIDs, former.behind) = (history.legIDs, history.behind)
      for leg in upToDate { leg.record.history = history }
      writeRecords(of: connected) { [self] in
        if let failure { return completion(failure) }
        var record = LegRecord(
          mirrorID: identity.mirrorID, layout: LegLayout(legSize: device.size, dataSize: size), index: index,
          legCount: legs.count, logShift: identity.logShift, history: former)
        let isRead = options.defects.contains(.unsyncedReplacement)
        (record.isInUse, record.isInconsistent) = (true, !isRead)
        let leg = MirrorLeg(device, record, isRead ? .upToDate : .syncTarget)
        own(leg)
        clock.limited(options.stallLimit, device.name) {
          device.submitInOrder(leg.record.writes, $0)
        } _: { [self] failure in
          if let failure = failure ?? self.failure ?? refusal(by: name) {
            startResync()
            return completion(failure)
          }
          add(leg, .changes, completion)
        }
      }
    }
  }
}
