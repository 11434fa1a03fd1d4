import BlockEngine
import HostInterface

/// Reads the log of a slot a window at a time: with millions of extents it is longer than the memory that the engine
/// may take.
final class SlotReader {
  private static let windowSize = 256 << 10

  private let device: any BlockDevice
  private let layout: PoolLayout
  /// Where the slot begins on the device.
  private let start: Int
  private let completion: (Result<SlotContents, Failure>) -> Void
  private var contents: SlotContents
  /// Where to look next, from the slot's start.
  private var place: Int
  /// Whether the log has ended, so that no record that follows it may be whole.
  private var isBehindLog = false
  private var memory = BlockBuffer(count: windowSize)
  /// What of the slot is in memory.
  private var window = 0..<0

  /// Reads the slot whose newest header is known.
  ///
  /// The answer is a ``Failure`` when the state is damaged, or a record that has whole ones behind it.
  static func read(
    _ slot: Int, _ header: SlotHeader, _ layout: PoolLayout, _ device: any BlockDevice,
    _ completion: @escaping (Result<SlotContents, Failure>) -> Void
  ) {
    let start = layout.slotOffsets[slot]
    let state = BlockBuffer(count: PoolLayout.roundUp(header.stateCount, to: PoolLayout.block))
    read(state, at: start + PoolLayout.block, of: device) { failure in
      if let failure { return completion(.failure(failure)) }
      do {
        let contents = try SlotContents(state: state, header: header, layout: layout, subject: device.name)
        SlotReader(device, start: start, contents, completion).look()
      } catch {
        completion(.failure(error as? Failure ?? Failure(.garbled, device.name, "\(error)")))
      }
    }
  }

  private static func read(
    _ buffer: BlockBuffer, at place: Int, of device: any BlockDevice,
    _ completion: @escaping (Failure?) -> Void
  ) {
    let requests = device.inParts(.read(offset: 0, buffer)).map { $0.moved(by: place) }
    device.submitInOrder(requests, completion)
  }

  private init(
    _ device: any BlockDevice, start: Int, _ contents: SlotContents,
    _ completion: @escaping (Result<SlotContents, Failure>) -> Void
  ) {
    self.device = device
    layout = contents.layout
    self.start = start
    self.completion = completion
    self.contents = contents
    place = contents.logEnd
  }

  private var limit: Int { layout.slotSize - PoolLayout.block }

  /// Looks at block after block, until one is needed that is not in the window.
  private func look() {
    while place < limit {
      guard let block = bytes(PoolLayout.block) else { return load(PoolLayout.block) }
      var record: SlotRecord?
      if let count = SlotRecord.count(
        block, slot: contents.header.sequence, room: limit - place, layout: layout)
      {
        guard let whole = bytes(count) else { return load(count) }
        record = SlotRecord(whole)
      }
      if let record, !isBehindLog, contents.append(record) {
        place = contents.logEnd
        continue
      }
      isBehindLog = true
      if let record, record.sequence > contents.lastSequence + 1 {
        return completion(.failure(damage(before: record)))
      }
      place += PoolLayout.block
    }
    completion(.success(contents))
  }

  /// This many bytes from the place on, when they are in memory.
  ///
  /// Sound: nothing that points there is kept beyond the next ``load(_:)``; of a record its change is copied.
  private func bytes(_ count: Int) -> UnsafeMutableRawBufferPointer? {
    guard window.contains(place), place + count <= window.upperBound else { return nil }
    let from = place - window.lowerBound
    return UnsafeMutableRawBufferPointer(rebasing: memory.bytes[from..<from + count])
  }

  /// Makes the place the beginning of the window, which gets room for this many bytes, and goes on.
  private func load(_ count: Int) {
    let wanted = max(PoolLayout.roundUp(count, to: PoolLayout.block), Self.windowSize)
    if memory.count < wanted { memory = BlockBuffer(count: wanted) }
    window = place..<min(place + wanted, limit)
    Self.read(memory[0..<window.count], at: start + place, of: device) { [self] failure in
      if let failure { return completion(.failure(failure)) }
      look()
    }
  }

  private func damage(before record: SlotRecord) -> Failure {
    Failure(
      .garbled, device.name,
      "the metadata is damaged: version \(contents.lastSequence + 1) cannot be read, and version "
        + "\(record.sequence) is there",
      remedy: "restore the device, or go back to a previous version of the metadata")
  }
}
