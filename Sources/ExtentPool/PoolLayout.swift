import BlockEngine
import HostInterface

/// Where everything stands in a pool.
///
///     0                4 KiB            4 KiB + slot     4 KiB + 2 slots    8 KiB + 2 slots, rounded up to 1 MiB
///     | label          | slot 0         | slot 1         | copy of label    | extent 0 | extent 1 | ...
///
///     label (one sector):   0 magic "QUARTETPOOL\0"  12 u32 version  16 pool id (16 bytes)  32 u64 size of the device
///                           40 u64 slot size  48 u64 offset of extent 0  56 u32 extents  60 u8 log2 of extent size
///                           508 u32 CRC-32C of bytes 0 to 507
///
///     slot:                 header (4 KiB) | state | log: records from the next multiple of 4 KiB on | copy of header
///     header (one sector):  0 magic "QUARTETSLOT\0"  16 pool id  32 u64 sequence  40 u64 length of the state
///                           48 u32 CRC-32C of the state  508 u32 CRC-32C of bytes 0 to 507
///     record:               0 u32 magic  4 u32 length in all  8 u64 sequence  16 u64 sequence of the slot's header
///                           24 u32 CRC-32C of the whole record without these four bytes  28 u32 the one of the
///                           record before it (of the state, for the first)  32 pool id  48 one change
///
/// Both halves of the state's history are kept: a slot holds a state and the changes since. When a record does not fit
/// any more, the new state goes into the other slot: state, flush, header, copy of the header, each durable before the
/// next is begun. The slot with the highest sequence is the live one; whatever a crash leaves half done is in the other
/// slot, or behind the end of the log. The slot that is not live is the ring of previous versions: each record is one.
///
/// Invariants, on which recovery rests:
/// 1. A record is written only when the one before it is durable. So damage behind the end of the log is a torn write,
///    never acknowledged, and is overwritten; a whole record behind a damaged one is damage of the medium, and refused.
/// 2. A header is written only when its state is durable. So a header without its state is damage of the medium as well.
/// 3. A change is acknowledged when its record, or the header of the state that has it, is durable.
struct PoolLayout: Equatable {
  static let block = 4096
  static let sector = 512
  static let labelMagic = Array("QUARTETPOOL\0".utf8)
  static let slotMagic = Array("QUARTETSLOT\0".utf8)
  static let recordMagic: UInt32 = 0x5251_5451
  static let recordHeader = 48
  static let version: UInt32 = 1
  /// At most 16 TiB at 4 MiB an extent, and 4 PiB at 1 GiB: the state is read into memory.
  static let extentLimit = 1 << 22
  /// What a slot must have room for beside the state, so that a new state is not needed for every change.
  static let logLeast = 256 << 10

  var poolID: [UInt8]
  var deviceSize: Int
  var extentShift: Int
  var extentCount: UInt32

  var extentSize: Int { 1 << extentShift }
  var slotSize: Int { Self.slotSize(extents: Int(extentCount)) }
  var slotOffsets: [Int] { [Self.block, Self.block + slotSize] }
  var labelOffsets: [Int] { [0, Self.block + 2 * slotSize] }
  var dataOffset: Int { Self.dataOffset(extents: Int(extentCount)) }

  private static func slotSize(extents: Int) -> Int { (512 << 10) + roundUp(24 * extents, to: block) }
  private static func dataOffset(extents: Int) -> Int {
    roundUp(2 * block + 2 * slotSize(extents: extents), to: 1 << 20)
  }

  static func roundUp(_ value: Int, to unit: Int) -> Int { (value + unit - 1) / unit * unit }

  /// The layout of a new pool, with as many extents as fit.
  init(poolID: [UInt8], deviceSize: Int, extentSize: Int, subject: String) throws {
    guard extentSize.nonzeroBitCount == 1, extentSize >= 64 << 10, extentSize <= 1 << 30 else {
      throw Failure(
        .invalid, subject, "an extent of \(extentSize) bytes is not possible",
        remedy: "choose a power of two from 64 KiB to 1 GiB")
    }
    // Metadata grows with the extents: the most that fit is found from above.
    var extents = min(deviceSize / extentSize, Self.extentLimit + 1)
    while extents > 0, Self.dataOffset(extents: extents) + extents * extentSize > deviceSize {
      extents -= max(
        1, (Self.dataOffset(extents: extents) + extents * extentSize - deviceSize) / (extentSize + 48))
    }
    guard extents > 0 else {
      throw Failure(
        .invalid, subject,
        "\(deviceSize) bytes are too few: \(Self.dataOffset(extents: 1) + extentSize) are needed for one extent"
      )
    }
    guard extents <= Self.extentLimit else {
      throw Failure(
        .invalid, subject, "the device has more than \(Self.extentLimit) extents of \(extentSize) bytes",
        remedy: "choose a larger extent size")
    }
    self.poolID = poolID
    self.deviceSize = deviceSize
    extentShift = extentSize.trailingZeroBitCount
    extentCount = UInt32(extents)
  }

  /// Reads a label; nil when there is none, or a damaged one.
  init?(label block: borrowing BlockBuffer) {
    let bytes = block.bytes
    guard bytes.count >= Self.sector, bytes.prefix(12).elementsEqual(Self.labelMagic),
      bytes.get(UInt32.self, at: 508) == Checksum.crc32c(bytes, 0..<Self.sector, without: 508),
      bytes.get(UInt32.self, at: 12) == Self.version
    else { return nil }
    poolID = Array(bytes[16..<32])
    extentShift = Int(bytes.get(UInt8.self, at: 60))
    extentCount = bytes.get(at: 56)
    guard let size = Int(exactly: bytes.get(UInt64.self, at: 32)), (16...30).contains(extentShift),
      extentCount > 0, Int(extentCount) <= Self.extentLimit
    else { return nil }
    deviceSize = size
    guard bytes.get(UInt64.self, at: 40) == UInt64(slotSize),
      bytes.get(UInt64.self, at: 48) == UInt64(dataOffset),
      dataOffset + Int(extentCount) << extentShift <= deviceSize
    else { return nil }
  }

  /// The label as a block.
  func label() -> BlockBuffer {
    let buffer = BlockBuffer(count: Self.block)
    let bytes = buffer.bytes
    bytes.copyBytes(from: Self.labelMagic)
    bytes.put(Self.version, at: 12)
    for (index, byte) in poolID.prefix(16).enumerated() { bytes[16 + index] = byte }
    bytes.put(UInt64(deviceSize), at: 32)
    bytes.put(UInt64(slotSize), at: 40)
    bytes.put(UInt64(dataOffset), at: 48)
    bytes.put(extentCount, at: 56)
    bytes.put(UInt8(extentShift), at: 60)
    bytes.put(Checksum.crc32c(bytes, 0..<Self.sector, without: 508), at: 508)
    return buffer
  }
}

/// The header of a slot.
struct SlotHeader: Equatable {
  var sequence: UInt64
  var stateCount: Int
  var stateChecksum: UInt32

  init(sequence: UInt64, stateCount: Int, stateChecksum: UInt32) {
    self.sequence = sequence
    self.stateCount = stateCount
    self.stateChecksum = stateChecksum
  }

  init?(_ block: borrowing BlockBuffer, layout: PoolLayout) {
    let bytes = block.bytes
    guard bytes.prefix(12).elementsEqual(PoolLayout.slotMagic), bytes[16..<32].elementsEqual(layout.poolID),
      bytes.get(UInt32.self, at: 508) == Checksum.crc32c(bytes, 0..<PoolLayout.sector, without: 508)
    else { return nil }
    sequence = bytes.get(at: 32)
    stateChecksum = bytes.get(at: 48)
    guard let count = Int(exactly: bytes.get(UInt64.self, at: 40)),
      count <= layout.slotSize - PoolLayout.logLeast
    else { return nil }
    stateCount = count
  }

  func encoded(_ layout: PoolLayout) -> BlockBuffer {
    let buffer = BlockBuffer(count: PoolLayout.block)
    let bytes = buffer.bytes
    bytes.copyBytes(from: PoolLayout.slotMagic)
    for (index, byte) in layout.poolID.enumerated() { bytes[16 + index] = byte }
    bytes.put(sequence, at: 32)
    bytes.put(UInt64(stateCount), at: 40)
    bytes.put(stateChecksum, at: 48)
    bytes.put(Checksum.crc32c(bytes, 0..<PoolLayout.sector, without: 508), at: 508)
    return buffer
  }

  /// Where the log begins, from the slot's start.
  var logOffset: Int { PoolLayout.block + PoolLayout.roundUp(stateCount, to: PoolLayout.block) }
}
