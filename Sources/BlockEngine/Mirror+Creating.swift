import HostInterface

extension Mirror {
  /// What a new mirror's legs hold.
  package enum InitialData {
    /// The same everywhere, as new disks do: nothing is copied.
    case identical
    /// What the first leg holds: the others get it when the mirror is opened.
    case ofFirstLeg
  }

  /// Makes legs of devices.
  ///
  /// The data begin at the start of each device, so that the first leg may hold some already, as far as they reach; the
  /// metadata stand at its end and overwrite what is there.
  ///
  /// - Parameters:
  ///   - devices: Two to eight.
  ///   - id: 16 random bytes that no other mirror has.
  ///   - data: What the devices hold now.
  ///   - logExtentSize: What the activity log counts in, in bytes: a power of two from 4 KiB to 1 GiB.
  ///   - overwrite: Whether a leg of another mirror may be lost.
  ///   - random: Random numbers, for generations.
  ///   - completion: Called with nil when the legs are durable.
  package static func create(
    on devices: [any BlockDevice], id: [UInt8], data: InitialData, logExtentSize: Int = 4 << 20,
    overwrite: Bool = false, random: () -> UInt64, _ completion: @escaping (Failure?) -> Void
  ) {
    let dataSize = devices.map { LegLayout.largestDataSize(legSize: $0.size) }.min() ?? 0
    guard (2...8).contains(devices.count), id.count == 16, logExtentSize.nonzeroBitCount == 1,
      (4096...1 << 30).contains(logExtentSize)
    else {
      return completion(
        Failure(.invalid, "mirror", "it has 2 to 8 legs, an id of 16 bytes and log extents of 4 KiB to 1 GiB")
      )
    }
    guard dataSize > 0 else {
      let name = devices.first { LegLayout.largestDataSize(legSize: $0.size) <= 0 }?.name ?? "mirror"
      return completion(
        Failure(
          .invalid, name, "it is too small for a leg: 24 KiB are needed at least", remedy: "name a larger one"
        ))
    }
    let generation = GenerationHistory(generations: [random()], covered: 0, behind: 0)
    let records = devices.enumerated().map { index, device in
      var record = LegRecord(
        mirrorID: id, layout: LegLayout(legSize: device.size, dataSize: dataSize), index: index,
        legCount: devices.count, logShift: logExtentSize.trailingZeroBitCount, history: generation)
      record.isInconsistent = data == .ofFirstLeg && index > 0
      return record
    }
    let found = Completion { failure in
      if let failure { return completion(failure) }
      let written = Completion(completion)
      for (device, record) in zip(devices, records) {
        create(record, on: device, isDirty: data == .ofFirstLeg, written.expect())
      }
      written.seal()
    }
    for device in devices {
      let end = found.expect()
      readRecord(of: device) { result in
        switch result {
        case .failure(let failure): end(failure)
        case .success(.some) where !overwrite:
          end(
            Failure(
              .exists, device.name, "it is a leg of a mirror already",
              remedy: "say that it may be overwritten"))
        case .success: end(nil)
        }
      }
    }
    found.seal()
  }

  /// Makes a leg; its superblocks come last.
  private static func create(
    _ record: LegRecord, on device: any BlockDevice, isDirty: Bool, _ completion: @escaping (Failure?) -> Void
  ) {
    var bitmap = DirtyBitmap(blockCount: record.layout.blockCount)
    if isDirty { bitmap.set(0..<bitmap.blockCount, to: true) }
    let pages = bitmap.pageCount
    let places = record.layout.superblockOffsets
    let unused = (places + record.layout.logOffsets).map {
      BlockRequest.write(offset: $0, BlockBuffer(count: 4096), durable: false)
    }
    device.submitInOrder(unused) { failure in
      if let failure { return completion(failure) }
      device.submitInOrder(
        count: (pages + pagesInRequest - 1) / pagesInRequest,
        { number in
          let run = number * pagesInRequest..<min((number + 1) * pagesInRequest, pages)
          return .write(offset: record.layout.pageOffset(run.lowerBound), bitmap.encoded(run), durable: false)
        },
        { failure in
          if let failure { return completion(failure) }
          device.submitInOrder(
            [.flush] + places.map { .write(offset: $0, record.encoded(), durable: true) }, completion)
        })
    }
  }

  /// The newest superblock of a device; nil where there is none.
  ///
  /// It knows whether the other copy is damaged.
  static func readRecord(
    of device: any BlockDevice, _ completion: @escaping (Result<LegRecord?, Failure>) -> Void
  ) {
    let layout = LegLayout(legSize: device.size, dataSize: 0)
    guard layout.legSize > LegLayout.tail, device.logicalBlockSize <= LegLayout.block else {
      return completion(.success(nil))
    }
    let blocks = layout.superblockOffsets.map { ($0, BlockBuffer(count: 4096)) }
    device.submitInOrder(blocks.map { .read(offset: $0.0, $0.1) }) { failure in
      if let failure { return completion(.failure(failure)) }
      var newest: LegRecord?
      var whole = 0
      for (copy, block) in blocks.enumerated() {
        guard var record = LegRecord(block.1), record.layout.legSize == layout.legSize else { continue }
        whole += 1
        guard newest.map({ $0.sequence < record.sequence }) ?? true else { continue }
        record.copy = copy
        newest = record
      }
      newest?.isOtherCopyDamaged = whole < blocks.count
      completion(.success(newest))
    }
  }
}
