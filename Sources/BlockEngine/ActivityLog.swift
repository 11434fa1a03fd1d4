/// Which parts of the data are being written: after a crash the legs may differ there, and nowhere else.
///
/// On disk it is the whole set, in two slots that are written in turn, the next only when the one before is durable:
///
///     0 magic "QUARTETLOG\0\0"  12 u32 number of extents  16 u64 sequence  24 u32 CRC-32C of all that follows the
///     magic but itself  32 extents (u32 each, at most 1016)
///
/// After a crash both slots count. A torn one is the newer one, on which no write depended yet.
struct ActivityLog {
  static let magic = Array("QUARTETLOG\0\0".utf8)
  static let limit = 1016

  private struct Member {
    /// Writes that rely on it.
    var pins = 0
    /// The number of the last write that was complete in it.
    var lastWrite = 0
    var lastUse = 0
  }

  let capacity: Int
  private var members: [UInt32: Member] = [:]
  private var uses = 0
  var sequence: UInt64 = 0

  init(capacity: Int) { self.capacity = max(1, min(capacity, Self.limit)) }

  var extents: [UInt32] { members.keys.sorted() }
  var room: Int { capacity - members.count }
  func contains(_ extent: UInt32) -> Bool { members[extent] != nil }

  /// Keeps an extent as long as a write relies on it; false when it is not in the log.
  mutating func pin(_ extent: UInt32) -> Bool {
    uses += 1
    guard members[extent] != nil else { return false }
    members[extent]?.pins += 1
    members[extent]?.lastUse = uses
    return true
  }

  mutating func unpin(_ extent: UInt32, write: Int?) {
    members[extent]?.pins -= 1
    if let write { members[extent]?.lastWrite = write }
  }

  mutating func add(_ extents: [UInt32]) { for extent in extents { members[extent] = Member() } }
  mutating func remove(_ extents: [UInt32]) { for extent in extents { members[extent] = nil } }

  /// Extents on which nothing relies, the one that was not used for the longest time first.
  ///
  /// - Parameter flushed: Writes up to this number are durable on every leg; nil for any.
  func idle(flushed: Int?) -> [UInt32] {
    members.filter { $0.value.pins == 0 && $0.value.lastWrite <= flushed ?? .max }
      .sorted { $0.value.lastUse < $1.value.lastUse }.map(\.key)
  }

  /// Extents in which a leg may lack what was written: writes are in flight there, or were not flushed.
  func unsettled(flushed: Int) -> [UInt32] {
    members.filter { $0.value.pins > 0 || $0.value.lastWrite > flushed }.map(\.key).sorted()
  }

  /// A slot.
  static func encoded(_ extents: [UInt32], sequence: UInt64) -> BlockBuffer {
    let buffer = BlockBuffer(count: 4096)
    let bytes = buffer.bytes
    bytes.copyBytes(from: magic)
    bytes.put(UInt32(extents.count), at: 12)
    bytes.put(sequence, at: 16)
    for (place, extent) in extents.enumerated() { bytes.put(extent, at: 32 + 4 * place) }
    bytes.put(Checksum.crc32c(bytes, 12..<32 + 4 * extents.count, without: 24), at: 24)
    return buffer
  }

  /// Reads a slot; nil when it is torn, or was never written.
  static func decoded(_ block: BlockBuffer) -> (extents: [UInt32], sequence: UInt64)? {
    let bytes = block.bytes
    let count = Int(bytes.get(UInt32.self, at: 12))
    guard bytes.prefix(12).elementsEqual(magic), count <= limit,
      bytes.get(UInt32.self, at: 24) == Checksum.crc32c(bytes, 12..<32 + 4 * count, without: 24)
    else { return nil }
    return ((0..<count).map { bytes.get(at: 32 + 4 * $0) }, bytes.get(at: 16))
  }
}
