import BlockEngine
import HostInterface

/// A volume group: a device divided into extents, and volumes made of them.
///
/// Changes are done one after the other. Each is acknowledged when it is durable, at a cost that does not depend on
/// how many volumes there are: one record of a log, see ``PoolLayout``. When a metadata write fails, what is on the
/// device is uncertain, and the pool takes no further changes until it is opened again; its volumes go on.
package final class ExtentPool {
  package let device: any BlockDevice
  let layout: PoolLayout
  private(set) var state: PoolState
  /// The number of the newest version of the metadata; each change makes one.
  package private(set) var sequence: UInt64
  /// How many devices stand for each volume just now.
  var attached: [UInt64: LogicalVolume] = [:]

  private var liveSlot: Int
  /// The sequence of the live slot's header.
  private var slotSequence: UInt64
  private var logEnd: Int
  private var lastChecksum: UInt32
  private var failure: Failure?
  private var waiting: [(@escaping () -> Void) -> Void] = []
  private var isBusy = false

  init(_ device: any BlockDevice, slot: Int, contents: SlotContents, state: PoolState) {
    self.device = device
    layout = contents.layout
    self.state = state
    sequence = contents.lastSequence
    liveSlot = slot
    slotSequence = contents.header.sequence
    logEnd = contents.logEnd
    lastChecksum = contents.lastChecksum
  }

  /// The pool's 16 bytes.
  package var id: [UInt8] { layout.poolID }
  /// The size of an extent in bytes.
  package var extentSize: Int { layout.extentSize }
  /// How many extents there are.
  package var extentCount: Int { Int(layout.extentCount) }
  /// How many extents belong to no volume.
  package var freeCount: Int { state.free.count }
  /// How many volumes there are.
  package var volumeCount: Int { state.volumes.count }
  /// The names of the volumes, sorted.
  package var volumeNames: [VolumeName] { state.names.keys.sorted { $0.description < $1.description } }

  /// The segments of a volume, in the order of its contents.
  package func segments(of name: VolumeName) throws -> [ExtentRun] { try state.volume(name).segments }

  /// How many bytes at the beginning of the device are the pool's own.
  package var metadataSize: Int { layout.dataOffset }

  /// Whether a device stands for a volume just now.
  package func isAttached(_ name: VolumeName) -> Bool {
    state.names[name].map { attached[$0] != nil } ?? false
  }

  /// Which extents belong to which volume (nil: to none), by their place in the pool.
  package var map: [(run: ExtentRun, volume: VolumeName?)] {
    var map: [(run: ExtentRun, volume: VolumeName?)] = state.free.runs.map { ($0, nil) }
    for volume in state.volumes.values { map += volume.segments.map { ($0, volume.name) } }
    return map.sorted { $0.run.start < $1.run.start }
  }

  /// Runs work when what was queued before it is over; the work calls its argument at its end.
  func enqueue(_ work: @escaping (@escaping () -> Void) -> Void) {
    waiting.append(work)
    runNext()
  }

  private func runNext() {
    guard !isBusy, !waiting.isEmpty else { return }
    isBusy = true
    let work = waiting.removeFirst()
    work { [self] in
      isBusy = false
      runNext()
    }
  }

  /// Plans a change on the state as it will be, and makes it durable.
  func change(
    _ plan: @escaping (inout PoolState) throws -> PoolChange, _ completion: @escaping (Failure?) -> Void
  ) {
    enqueue { [self] done in
      commit(plan) { failure in
        done()
        completion(failure)
      }
    }
  }

  /// The same as ``change(_:_:)``, from within queued work.
  func commit(
    _ plan: (inout PoolState) throws -> PoolChange, _ completion: @escaping (Failure?) -> Void
  ) {
    do {
      if let failure {
        throw Failure(
          .unavailable, device.name,
          "the pool takes no changes since a write of its metadata failed: \(failure.problem)",
          answer: failure.answer, remedy: "repair the device, and open the pool again")
      }
      let change = try plan(&state)
      let (record, checksum) = SlotRecord.encoded(
        change, sequence: sequence + 1, slot: slotSequence, previous: lastChecksum, layout: layout)
      guard logEnd + record.count <= layout.slotSize - PoolLayout.block else {
        return try startSlot(with: change, completion)
      }
      append(record, checksum, change, completion)
    } catch {
      completion(error as? Failure ?? Failure(.invalid, device.name, "\(error)"))
    }
  }

  private func append(
    _ record: BlockBuffer, _ checksum: UInt32, _ change: PoolChange,
    _ completion: @escaping (Failure?) -> Void
  ) {
    let request = BlockRequest.write(offset: layout.slotOffsets[liveSlot] + logEnd, record, durable: true)
    device.submit(request) { [self] failure in
      guard failure == nil else { return fail(failure, completion) }
      do {
        try state.apply(change)
      } catch {
        return fail(error as? Failure, completion)
      }
      sequence += 1
      logEnd += record.count
      lastChecksum = checksum
      completion(nil)
    }
  }

  /// Writes the state with a change into the other slot.
  private func startSlot(with change: PoolChange, _ completion: @escaping (Failure?) -> Void) throws {
    var next = state
    try next.apply(change)
    try startSlot(with: next, sequence: sequence + 1, completion)
  }

  /// Writes a state into the other slot, which becomes the live one.
  func startSlot(with next: PoolState, sequence: UInt64, _ completion: @escaping (Failure?) -> Void) throws {
    guard next.encodedCount <= layout.slotSize - 2 * PoolLayout.block - PoolLayout.logLeast else {
      throw Failure(
        .refused, device.name,
        "the metadata is full: \(next.encodedCount) bytes for \(next.volumes.count) volumes",
        remedy: "remove volumes, or move their segments together")
    }
    let slot = 1 - liveSlot
    let (requests, header) = Self.slotRequests(
      next, slot: slot, sequence: sequence, layout: layout, on: device)
    device.submitInOrder(requests) { [self] failure in
      guard failure == nil else { return fail(failure, completion) }
      state = next
      liveSlot = slot
      self.sequence = sequence
      slotSequence = sequence
      logEnd = header.logOffset
      lastChecksum = header.stateChecksum
      completion(nil)
    }
  }

  private func fail(_ failure: Failure?, _ completion: (Failure?) -> Void) {
    self.failure = failure
    completion(failure)
  }

  /// The writes that fill a slot, in the order in which they are to be done.
  static func slotRequests(
    _ state: PoolState, slot: Int, sequence: UInt64, layout: PoolLayout, on device: any BlockDevice
  ) -> (requests: [BlockRequest], header: SlotHeader) {
    let bytes = state.encode()
    let header = SlotHeader(
      sequence: sequence, stateCount: bytes.count,
      stateChecksum: bytes.withUnsafeBytes { Checksum.crc32c($0) })
    let stored = BlockBuffer(count: PoolLayout.roundUp(bytes.count, to: PoolLayout.block))
    stored.bytes.copyBytes(from: bytes)
    let start = layout.slotOffsets[slot]
    let block = header.encoded(layout)
    var requests = device.inParts(.write(offset: start + PoolLayout.block, stored, durable: false))
    requests.append(.flush)
    requests.append(.write(offset: start, block, durable: true))
    requests.append(.write(offset: start + layout.slotSize - PoolLayout.block, block, durable: true))
    return (requests, header)
  }
}
