import BlockEngine
import HostInterface

/// A slot as it was read: a state, and the changes behind it.
struct SlotContents {
  let layout: PoolLayout
  let header: SlotHeader
  private let bytes: UnsafeMutableRawBufferPointer
  private let buffer: BlockBuffer

  /// The sequence of the last change that is there.
  private(set) var lastSequence: UInt64
  /// Where the next record goes, from the slot's start.
  private(set) var logEnd: Int
  /// The checksum of the last record, or of the state.
  private(set) var lastChecksum: UInt32
  private var records: [Range<Int>] = []

  /// The newest header of a slot, of the two that it has.
  static func newestHeader(_ first: BlockBuffer, _ copy: BlockBuffer, layout: PoolLayout) -> SlotHeader? {
    [first, copy].compactMap { SlotHeader($0, layout: layout) }.max { $0.sequence < $1.sequence }
  }

  /// Finds the records of a slot whose newest header is known.
  ///
  /// - Throws: ``Failure`` when the state is damaged, or a record that has whole ones behind it.
  init(_ buffer: BlockBuffer, header: SlotHeader, layout: PoolLayout, subject: String) throws {
    self.layout = layout
    self.header = header
    self.buffer = buffer
    bytes = buffer.bytes
    let state = UnsafeRawBufferPointer(
      rebasing: bytes[PoolLayout.block..<PoolLayout.block + header.stateCount])
    guard Checksum.crc32c(state) == header.stateChecksum else {
      throw Failure(
        .garbled, subject, "the metadata of version \(header.sequence) is damaged",
        remedy: "restore the device, or go back to a previous version of the metadata")
    }
    lastSequence = header.sequence
    lastChecksum = header.stateChecksum
    logEnd = header.logOffset
    while let record = record(at: logEnd), bytes.get(UInt64.self, at: logEnd + 8) == lastSequence + 1,
      bytes.get(UInt32.self, at: logEnd + 28) == lastChecksum
    {
      records.append(record)
      lastSequence += 1
      lastChecksum = bytes.get(at: logEnd + 24)
      logEnd = PoolLayout.roundUp(record.upperBound, to: PoolLayout.block)
    }
    try refuseDamageBeforeTheEnd(subject)
  }

  private var logLimit: Int { layout.slotSize - PoolLayout.block }

  /// A whole record of this slot's state at a place.
  private func record(at offset: Int) -> Range<Int>? {
    guard offset + PoolLayout.recordHeader <= logLimit,
      bytes.get(UInt32.self, at: offset) == PoolLayout.recordMagic,
      bytes.get(UInt64.self, at: offset + 16) == header.sequence,
      bytes[offset + 32..<offset + 48].elementsEqual(layout.poolID)
    else { return nil }
    let count = Int(bytes.get(UInt32.self, at: offset + 4))
    guard count >= PoolLayout.recordHeader, count <= logLimit - offset,
      bytes.get(UInt32.self, at: offset + 24)
        == Checksum.crc32c(bytes, offset..<offset + count, without: offset + 24)
    else { return nil }
    return offset..<offset + count
  }

  private func refuseDamageBeforeTheEnd(_ subject: String) throws {
    for offset in stride(from: logEnd, to: logLimit, by: PoolLayout.block) {
      guard record(at: offset) != nil else { continue }
      let sequence = bytes.get(UInt64.self, at: offset + 8)
      guard sequence > lastSequence + 1 else { continue }
      throw Failure(
        .garbled, subject,
        "the metadata is damaged: version \(lastSequence + 1) cannot be read, and version \(sequence) is there",
        remedy: "restore the device, or go back to a previous version of the metadata")
    }
  }

  /// The state after the change with this sequence.
  func state(at sequence: UInt64, subject: String) throws -> PoolState {
    let stored = UnsafeRawBufferPointer(
      rebasing: bytes[PoolLayout.block..<PoolLayout.block + header.stateCount])
    var state = try PoolState(stored, extentCount: layout.extentCount, subject: subject)
    for record in records.prefix(Int(clamping: sequence - header.sequence)) {
      var reader = ByteReader(
        UnsafeRawBufferPointer(
          rebasing: bytes[record.lowerBound + PoolLayout.recordHeader..<record.upperBound]),
        subject: subject)
      try state.apply(PoolChange(&reader))
      guard reader.isAtEnd else { throw reader.garbled("there is something behind a change") }
    }
    return state
  }

  /// A record as whole blocks.
  static func record(
    _ change: PoolChange, sequence: UInt64, slot: UInt64, previous: UInt32, layout: PoolLayout
  ) -> (block: BlockBuffer, checksum: UInt32) {
    var writer = ByteWriter()
    change.encode(&writer)
    let count = PoolLayout.recordHeader + writer.bytes.count
    let block = BlockBuffer(count: PoolLayout.roundUp(count, to: PoolLayout.block))
    let bytes = block.bytes
    bytes.put(PoolLayout.recordMagic, at: 0)
    bytes.put(UInt32(count), at: 4)
    bytes.put(sequence, at: 8)
    bytes.put(slot, at: 16)
    bytes.put(previous, at: 28)
    for (index, byte) in layout.poolID.enumerated() { bytes[32 + index] = byte }
    UnsafeMutableRawBufferPointer(rebasing: bytes[PoolLayout.recordHeader...]).copyBytes(from: writer.bytes)
    let checksum = Checksum.crc32c(bytes, 0..<count, without: 24)
    bytes.put(checksum, at: 24)
    return (block, checksum)
  }
}
