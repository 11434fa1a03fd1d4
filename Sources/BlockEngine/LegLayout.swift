/// Where everything stands on a leg of a mirror of `legSize` bytes, rounded down to 4 KiB.
///
///     0            dataSize                legSize - 16 KiB  - 12 KiB    - 8 KiB     - 4 KiB
///     | data ...   | bitmap ... | (unused) | superblock      | log, slot 0 | log, slot 1 | superblock, copy |
///
/// The bitmap has one bit for each 4 KiB of data, in sectors that are checked one by one: 63 words of 64 bits, the
/// number of the sector (u32), CRC-32C of the 508 bytes before it (u32). That is 32.5 KiB for each GiB.
/// A superblock is one sector, see ``LegRecord``; a slot of the activity log is 4 KiB, see ``ActivityLog``.
struct LegLayout: Equatable {
  /// What one bit stands for, in bytes.
  static let block = 4096
  /// The four blocks at the end.
  static let tail = 4 * 4096

  let legSize: Int
  let dataSize: Int

  init(legSize: Int, dataSize: Int) {
    self.legSize = legSize & ~4095
    self.dataSize = dataSize
  }

  var blockCount: Int { dataSize / Self.block }
  var pageCount: Int { Self.pageCount(blocks: blockCount) }
  var superblockOffsets: [Int] { [legSize - 16384, legSize - 4096] }
  var logOffsets: [Int] { [legSize - 12288, legSize - 8192] }
  func pageOffset(_ page: Int) -> Int { dataSize + page * 4096 }

  private static func pageCount(blocks: Int) -> Int {
    (blocks + DirtyBitmap.bitsInPage - 1) / DirtyBitmap.bitsInPage
  }

  /// The fewest bytes that a leg with so many bytes of data has.
  static func smallestLegSize(dataSize: Int) -> Int {
    dataSize + pageCount(blocks: dataSize / block) * 4096 + tail
  }

  /// The most bytes of data that a leg of this size can hold; zero or less when it is too small.
  static func largestDataSize(legSize: Int) -> Int {
    let room = (legSize & ~4095) - tail
    guard room >= 2 * block else { return 0 }
    var blocks = room / block
    while blocks > 0, (blocks + pageCount(blocks: blocks)) * block > room {
      blocks -= max(1, (blocks + pageCount(blocks: blocks)) - room / block)
    }
    while (blocks + 1 + pageCount(blocks: blocks + 1)) * block <= room { blocks += 1 }
    return blocks * block
  }
}
