import BlockEngine

/// A whole record of a slot's log, within the memory that it was read into.
struct SlotRecord {
  /// Its length in bytes.
  let count: Int
  let sequence: UInt64
  /// The checksum of the record before it, or of the state.
  let previous: UInt32
  let checksum: UInt32
  /// The change that it records, encoded.
  let change: UnsafeRawBufferPointer

  /// How long the record is that begins here, by what stands in front; nil when none does.
  ///
  /// - Parameters:
  ///   - bytes: At least a block.
  ///   - slot: The sequence of the slot's header.
  ///   - room: How many bytes are left for it in the slot.
  static func count(
    _ bytes: UnsafeMutableRawBufferPointer, slot: UInt64, room: Int, layout: PoolLayout
  ) -> Int? {
    guard bytes.get(UInt32.self, at: 0) == PoolLayout.recordMagic, bytes.get(UInt64.self, at: 16) == slot,
      bytes[32..<PoolLayout.recordHeader].elementsEqual(layout.poolID)
    else { return nil }
    let count = Int(bytes.get(UInt32.self, at: 4))
    return (PoolLayout.recordHeader...room).contains(count) ? count : nil
  }

  /// The record that these bytes are; nil when they were changed, or written in part only.
  init?(_ bytes: UnsafeMutableRawBufferPointer) {
    count = bytes.count
    sequence = bytes.get(at: 8)
    previous = bytes.get(at: 28)
    checksum = bytes.get(at: 24)
    change = UnsafeRawBufferPointer(rebasing: bytes[PoolLayout.recordHeader...])
    guard checksum == Checksum.crc32c(bytes, 0..<count, without: 24) else { return nil }
  }

  /// A record as whole blocks.
  static func encoded(
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
