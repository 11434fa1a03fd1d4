import HostInterface

/// The superblock of a leg, one sector that is written in two copies, one after the other.
///
///     0 magic "QUARTETLEG\0\0"  12 u32 version  16 mirror id (16 bytes)  32 u64 size of the leg  40 u64 size of the data
///     48 u64 sequence  56 u8 index of the leg  57 u8 number of legs  58 u8 log2 of the activity log's extent size
///     59 u8 flags: 1 in use, 2 inconsistent  60 u32 legs known to be behind, as bits  64 u8 covered
///     65 u8 number of generations  72 generations (u64 each, newest first, at most 32)  508 u32 CRC-32C of 0 to 507
///
/// Generations are DRBD's generation identifiers (DRBD user's guide, "Generation identifiers"), as one list: the first
/// is the current one, which changes whenever the mirror goes on without a leg that had it. The next `covered` ones are
/// those since which the bitmap has every change; a leg whose current generation is one of them is brought up to date
/// by the bitmap, one with an older generation of the list as a whole. A leg whose generation is not in the list, and
/// whose list has not ours, has diverged: split brain.
///
/// Behind the generations stands, at 328, which disk each of the eight legs is (u64 each): zero for the one that the
/// mirror was made with, else the number that a disk got when it took the place of another. At 392 stands a u64 by which
/// the process that uses a leg without a lock knows it for its own.
struct LegRecord: Equatable {
  static let magic = Array("QUARTETLEG\0\0".utf8)
  static let version: UInt32 = 1
  static let generationLimit = 32
  private static let legIDs = 72 + 8 * generationLimit
  private static let ownerOffset = legIDs + 8 * GenerationHistory.legLimit

  var mirrorID: [UInt8]
  var layout: LegLayout
  var sequence: UInt64 = 0
  var index: Int
  var legCount: Int
  var logShift: Int
  var isInUse = false
  var isInconsistent = false
  /// Who uses it, where no lock tells; see `Mirror+Fencing`.
  var owner: UInt64 = 0
  var history: GenerationHistory
  /// Which of the two copies it was read from: the other one, which may be damaged, is written first.
  var copy = 1
  /// Whether the other copy could not be read; it is not stored.
  var isOtherCopyDamaged = false

  init(
    mirrorID: [UInt8], layout: LegLayout, index: Int, legCount: Int, logShift: Int, history: GenerationHistory
  ) {
    self.mirrorID = mirrorID
    self.layout = layout
    self.index = index
    self.legCount = legCount
    self.logShift = logShift
    self.history = history
  }

  init?(_ block: borrowing BlockBuffer) {
    let bytes = block.bytes
    guard bytes.count >= 512, bytes.prefix(12).elementsEqual(Self.magic),
      bytes.get(UInt32.self, at: 508) == Checksum.crc32c(bytes, 0..<512, without: 508),
      bytes.get(UInt32.self, at: 12) == Self.version,
      let legSize = Int(exactly: bytes.get(UInt64.self, at: 32)),
      let dataSize = Int(exactly: bytes.get(UInt64.self, at: 40)), dataSize % LegLayout.block == 0,
      dataSize > 0,
      dataSize <= LegLayout.largestDataSize(legSize: legSize)
    else { return nil }
    mirrorID = Array(bytes[16..<32])
    layout = LegLayout(legSize: legSize, dataSize: dataSize)
    sequence = bytes.get(at: 48)
    index = Int(bytes[56])
    legCount = Int(bytes[57])
    logShift = Int(bytes[58])
    isInUse = bytes[59] & 1 != 0
    isInconsistent = bytes[59] & 2 != 0
    let count = Int(bytes[65])
    guard (1...8).contains(legCount), index < legCount, (12...30).contains(logShift),
      (1...Self.generationLimit).contains(count), Int(bytes[64]) < count
    else { return nil }
    history = GenerationHistory(
      generations: (0..<count).map { bytes.get(at: 72 + 8 * $0) }, covered: Int(bytes[64]),
      behind: bytes.get(at: 60),
      legIDs: (0..<GenerationHistory.legLimit).map { bytes.get(at: Self.legIDs + 8 * $0) })
    owner = bytes.get(at: Self.ownerOffset)
  }

  /// What writes both copies, to be done in order: the one that is known to be good is overwritten when the other one is.
  var writes: [BlockRequest] {
    let (block, places) = (encoded(), layout.superblockOffsets)
    return [places[1 - copy], places[copy]].map { .write(offset: $0, block, durable: true) }
  }

  func encoded() -> BlockBuffer {
    let buffer = BlockBuffer(count: 4096)
    let bytes = buffer.bytes
    bytes.copyBytes(from: Self.magic)
    bytes.put(Self.version, at: 12)
    for (place, byte) in mirrorID.prefix(16).enumerated() { bytes[16 + place] = byte }
    bytes.put(UInt64(layout.legSize), at: 32)
    bytes.put(UInt64(layout.dataSize), at: 40)
    bytes.put(sequence, at: 48)
    bytes[56] = UInt8(index)
    bytes[57] = UInt8(legCount)
    bytes[58] = UInt8(logShift)
    bytes[59] = (isInUse ? 1 : 0) | (isInconsistent ? 2 : 0)
    bytes.put(history.behind, at: 60)
    bytes[64] = UInt8(history.covered)
    bytes[65] = UInt8(history.generations.count)
    for (place, generation) in history.generations.enumerated() { bytes.put(generation, at: 72 + 8 * place) }
    bytes.put(owner, at: Self.ownerOffset)
    for (place, id) in history.legIDs.enumerated() { bytes.put(id, at: Self.legIDs + 8 * place) }
    bytes.put(Checksum.crc32c(bytes, 0..<512, without: 508), at: 508)
    return buffer
  }
}

/// The generations of a mirror's data as a leg knows them.
struct GenerationHistory: Equatable {
  /// Newest first, at least one.
  var generations: [UInt64]
  /// How many of the previous ones the bitmap goes back to.
  var covered: Int
  /// Legs that are known not to have the current one, as bits.
  var behind: UInt32
  /// Which disk each leg is.
  var legIDs = [UInt64](repeating: 0, count: legLimit)

  static let legLimit = 8

  var current: UInt64 { generations[0] }

  /// How the data of one leg stands to the data of another.
  enum Relation: Equatable {
    case same
    /// It is older, and the bitmap of the other has what it lacks.
    case behind
    /// It is older, and nobody knows by what.
    case longBehind
    case ahead
    /// Both were written without the other.
    case diverged
  }

  /// How a leg with another history stands to this one.
  func relation(of other: GenerationHistory) -> Relation {
    if other.current == current { return .same }
    if let place = generations.firstIndex(of: other.current) {
      return place <= covered ? .behind : .longBehind
    }
    return other.generations.contains(current) ? .ahead : .diverged
  }

  /// Whether a leg is on the disk that it should be on by this history, and not on one that was replaced.
  func isCurrent(_ record: LegRecord) -> Bool { record.history.legIDs[record.index] == legIDs[record.index] }

  /// Starts a generation, which the legs that are behind from now on will not have.
  mutating func begin(_ generation: UInt64) {
    generations.insert(generation, at: 0)
    generations = Array(generations.prefix(LegRecord.generationLimit))
    covered = min(covered + 1, generations.count - 1)
  }
}
