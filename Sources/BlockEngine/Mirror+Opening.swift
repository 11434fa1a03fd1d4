import HostInterface

extension Mirror {
  /// Opens a mirror on the legs that are there.
  ///
  /// Nothing is written before it is decided that the legs belong together. When it completes, the mirror serves
  /// requests; legs that are not up to date are brought up to date in the background.
  ///
  /// - Parameters:
  ///   - devices: The legs, in any order.
  ///   - clock: Time.
  ///   - options: See ``MirrorOptions``.
  ///   - random: Random numbers, for generations.
  ///   - completion: Called with the mirror, or with why there is none.
  package static func open(
    on devices: [any BlockDevice], clock: any EngineClock, options: MirrorOptions = MirrorOptions(),
    random: @escaping () -> UInt64, _ completion: @escaping (Result<Mirror, Failure>) -> Void
  ) {
    var records = [LegRecord?](repeating: nil, count: devices.count)
    let read = Completion { failure in
      if let failure { return completion(.failure(failure)) }
      do {
        let found = records.compactMap { $0 }
        let assembly = try MirrorAssembly(found, names: devices.map(\.name), options: options)
        if let place = assembly.needs.firstIndex(of: .replaced) {
          throw MirrorAssembly.replaced(devices[place].name)
        }
        claim(devices, found, clock, options, random) { result in
          switch result {
          case .failure(let failure): completion(.failure(failure))
          case .success(let (claimed, owner)):
            load(devices, claimed, assembly, owner, clock, options, random, completion)
          }
        }
      } catch {
        completion(.failure(error as? Failure ?? Failure(.invalid, "mirror", "\(error)")))
      }
    }
    for (place, device) in devices.enumerated() {
      let end = read.expect()
      clock.limited(
        options.stallLimit, device.name,
        {
          readLeg(device, $0) { record in
            if record.isOtherCopyDamaged { options.onEvent(Self.isRepaired(device)) }
            records[place] = record
          }
        }, end)
    }
    read.seal()
  }

  private static func isRepaired(_ device: any BlockDevice) -> String {
    "\(device.name): one of the two copies of its metadata is damaged, and is repaired"
  }

  /// Makes durable what an earlier user may have left in a cache, so that it is not lost later, and reads a superblock.
  static func readLeg(
    _ device: any BlockDevice, _ completion: @escaping (Failure?) -> Void,
    _ found: @escaping (LegRecord) -> Void
  ) {
    device.submit(.flush) { failure in
      if let failure { return completion(failure) }
      readRecord(of: device) { result in
        switch result {
        case .failure(let failure): completion(failure)
        case .success(let record?):
          found(record)
          completion(nil)
        case .success(nil):
          completion(
            Failure(
              .notFound, device.name, "it is no leg of a mirror, or both copies of its metadata are damaged",
              remedy: "replace the leg, or open the mirror without it"))
        }
      }
    }
  }

  /// Reads the bitmap and the activity logs, and begins.
  private static func load(
    _ devices: [any BlockDevice], _ records: [LegRecord], _ assembly: MirrorAssembly, _ owner: UInt64,
    _ clock: any EngineClock,
    _ options: MirrorOptions, _ random: @escaping () -> UInt64,
    _ completion: @escaping (Result<Mirror, Failure>) -> Void
  ) {
    let reference = records[assembly.reference]
    let layout = reference.layout
    var bitmap = DirtyBitmap(blockCount: layout.blockCount)
    var damaged = 0
    let slots = records.map { record in record.layout.logOffsets.map { ($0, BlockBuffer(count: 4096)) } }
    let read = Completion { failure in
      if let failure { return completion(.failure(failure)) }
      if damaged > 0 {
        options.onEvent(
          "\(devices[assembly.reference].name): \(damaged) sectors of the bitmap are damaged: what they stand for is "
            + "copied anew")
      }
      var log = ActivityLog(capacity: options.activityLogCapacity)
      for (place, record) in records.enumerated() {
        for slot in slots[place].compactMap({ ActivityLog.decoded($0.1) }) {
          log.sequence = max(log.sequence, slot.sequence)
          guard assembly.isAfterCrash, record.history.current == reference.history.current else { continue }
          for extent in slot.extents {
            let first = Int(extent) << reference.logShift / LegLayout.block
            bitmap.set(first..<first + max(1, (1 << reference.logShift) / LegLayout.block), to: true)
          }
        }
      }
      if assembly.needs.contains(.everything) { bitmap.set(0..<bitmap.blockCount, to: true) }
      var legs = [MirrorLeg?](repeating: nil, count: reference.legCount)
      for (place, device) in devices.enumerated() {
        let isUpToDate = assembly.needs[place] == .nothing
        legs[records[place].index] = MirrorLeg(device, records[place], isUpToDate ? .upToDate : .syncTarget)
      }
      let mirror = Mirror(
        legs, identity: reference, history: reference.history, bitmap: bitmap, log: log, clock: clock,
        options: options, random: random)
      mirror.owner = owner
      mirror.begin(completion)
    }
    readBitmap(layout, of: devices[assembly.reference], from: 0, clock, options, read.expect()) {
      damaged += bitmap.merge($0, $1)
    }
    for (place, device) in devices.enumerated() {
      clock.limited(
        options.stallLimit, device.name,
        { device.submitInOrder(slots[place].map { .read(offset: $0.0, $0.1) }, $0) }, read.expect())
    }
    read.seal()
  }

  /// Reads the bitmap of a leg, so many pages at a time as one request takes.
  static func readBitmap(
    _ layout: LegLayout, of device: any BlockDevice, from page: Int, _ clock: any EngineClock,
    _ options: MirrorOptions, _ completion: @escaping (Failure?) -> Void,
    _ found: @escaping (Range<Int>, BlockBuffer) -> Void
  ) {
    let pages = page..<min(page + pagesInRequest, layout.pageCount)
    if pages.isEmpty { return completion(nil) }
    let block = BlockBuffer(count: 4096 * pages.count)
    clock.limited(
      options.stallLimit, device.name,
      { device.submit(.read(offset: layout.pageOffset(page), block), $0) },
      { failure in
        if let failure { return completion(failure) }
        found(pages, block)
        readBitmap(layout, of: device, from: pages.upperBound, clock, options, completion, found)
      })
  }

  /// Makes durable that the mirror is in use, on which legs, and what is not in sync.
  private func begin(_ completion: @escaping (Result<Mirror, Failure>) -> Void) {
    enqueue { [self] done in
      let missing = legs.indices.filter { legs[$0] == nil && history.behind >> UInt32($0) & 1 == 0 }
      if !missing.isEmpty {
        for index in missing { history.behind |= 1 << UInt32(index) }
        history.begin(random())
      }
      for leg in connected {
        leg.record.isInUse = true
        if leg.state == .upToDate { leg.record.history = history } else { leg.record.isInconsistent = true }
      }
      // The bits first: once the legs say that the mirror is in use by this run, the old activity log is forgotten.
      bitmap.touchAll()
      ensureMarked(bitmap.pending) { [self] in
        writeRecords(of: connected) { [self] in
          done()
          if let failure { return completion(.failure(failure)) }
          completion(.success(self))
          startResync()
        }
      }
    }
  }

  /// Takes a leg back that was dropped or missing; it is brought up to date in the background.
  ///
  /// - Parameters:
  ///   - device: The leg. Requests that an earlier device of the same disk had in flight must be over.
  ///   - discard: Whether changes that it got without the others may be lost.
  ///   - completion: Called with nil when it gets every new write.
  package func attach(
    _ device: any BlockDevice, discard: Bool = false, _ completion: @escaping (Failure?) -> Void
  ) {
    var found: LegRecord?
    var slots: [BlockBuffer] = []
    clock.limited(options.stallLimit, device.name) { end in
      Self.readLeg(device) { failure in
        guard failure == nil, let found else { return end(failure) }
        slots = found.layout.logOffsets.map { _ in BlockBuffer(count: 4096) }
        device.submitInOrder(zip(found.layout.logOffsets, slots).map { .read(offset: $0, $1) }, end)
      } _: {
        found = $0
      }
    } _: { [self] failure in
      if let failure { return completion(failure) }
      enqueue { [self] done in
        take(device, found, slots, discard: discard) { failure in
          done()
          completion(failure)
        }
      }
    }
  }

  private func take(
    _ device: any BlockDevice, _ found: LegRecord?, _ slots: [BlockBuffer], discard: Bool,
    _ completion: @escaping (Failure?) -> Void
  ) {
    if let failure { return completion(failure) }
    do {
      let (record, need) = try check(found, of: device, discard: discard)
      for slot in slots.compactMap({ ActivityLog.decoded($0) }) {
        log.sequence = max(log.sequence, slot.sequence)
      }
      let leg = MirrorLeg(device, record, .syncTarget)
      leg.record.isInUse = true
      leg.record.isInconsistent = true
      leg.record.sequence += 1
      own(leg)
      // It says that it is incomplete before it gets anything new.
      clock.limited(options.stallLimit, device.name) {
        device.submitInOrder(leg.record.writes, $0)
      } _: { [self] failure in
        if let failure = failure ?? self.failure { return completion(failure) }
        if record.isOtherCopyDamaged { onEvent(Self.isRepaired(device)) }
        add(leg, need, completion)
      }
    } catch {
      completion(error as? Failure ?? Failure(.invalid, device.name, "\(error)"))
    }
  }

  private func check(
    _ record: LegRecord?, of device: any BlockDevice, discard: Bool
  ) throws -> (LegRecord, MirrorAssembly.Need) {
    guard let record else {
      throw Failure(
        .notFound, device.name, "it is no leg of a mirror, or both copies of its metadata are damaged",
        remedy: "replace the leg")
    }
    guard record.mirrorID == identity.mirrorID, record.layout.dataSize == size, record.index < legs.count
    else {
      throw Failure(.refused, device.name, "it is a leg of another mirror", remedy: "replace the leg")
    }
    guard history.isCurrent(record) || options.defects.contains(.forgottenReplacement) else {
      throw MirrorAssembly.replaced(device.name)
    }
    if let leg = legs[record.index], leg.isConnected {
      throw Failure(.inUse, device.name, "leg \(record.index) is connected already, as \(leg.device.name)")
    }
    switch history.relation(of: record.history) {
    case .same, .behind: return (record, .changes)
    case .longBehind: return (record, .everything)
    case .ahead, .diverged:
      guard discard else {
        throw Failure(
          .refused, device.name, "split brain: it was written without the other legs",
          remedy: "say that its changes are to be discarded")
      }
      return (record, .everything)
    }
  }

  func add(_ leg: MirrorLeg, _ need: MirrorAssembly.Need, _ completion: @escaping (Failure?) -> Void) {
    pass = nil
    if need == .everything { bitmap.set(0..<bitmap.blockCount, to: true) }
    legs[leg.index] = leg
    // Its own bitmap may be anything: it gets ours before it can ever count.
    bitmap.touchAll()
    ensureMarked(bitmap.pending) { [self] in
      if case .dropped(let reason) = leg.state { completion(reason) } else { completion(nil) }
      startResync()
    }
  }
}
