/// Which blocks of 4 KiB some leg may lack, in pages of 4 KiB of which only those that are not zero are in memory.
///
/// Every page has a version that grows with each change, so that it is known which changes are durable.
struct DirtyBitmap {
  static let wordsInSector = 63
  static let bitsInSector = 64 * wordsInSector
  static let bitsInPage = 8 * bitsInSector

  let blockCount: Int
  /// How many bits are set.
  private(set) var count = 0
  private var pages: [Int: [UInt64]] = [:]
  private var versions: [Int: Int] = [:]
  private var durable: [Int: Int] = [:]
  private var changed: Set<Int> = []

  init(blockCount: Int) { self.blockCount = blockCount }

  var pageCount: Int { (blockCount + Self.bitsInPage - 1) / Self.bitsInPage }

  static func pages(of blocks: Range<Int>) -> Range<Int> {
    blocks.isEmpty ? 0..<0 : blocks.lowerBound / bitsInPage..<(blocks.upperBound - 1) / bitsInPage + 1
  }

  /// Sets or clears bits.
  mutating func set(_ blocks: Range<Int>, to value: Bool) {
    let blocks = blocks.clamped(to: 0..<blockCount)
    for page in Self.pages(of: blocks) {
      if !value, pages[page] == nil { continue }
      let first = page * Self.bitsInPage
      let within = blocks.clamped(to: first..<first + Self.bitsInPage)
      var words = pages.removeValue(forKey: page) ?? [UInt64](repeating: 0, count: 8 * Self.wordsInSector)
      var difference = 0
      for word in (within.lowerBound - first) / 64...(within.upperBound - 1 - first) / 64 {
        let low = max(within.lowerBound - first - 64 * word, 0)
        let high = min(within.upperBound - first - 64 * word, 64)
        let mask: UInt64 = (~0 >> UInt64(64 - (high - low))) << UInt64(low)
        let new = value ? words[word] | mask : words[word] & ~mask
        difference += new.nonzeroBitCount - words[word].nonzeroBitCount
        words[word] = new
      }
      pages[page] = words
      count += difference
      if difference != 0 { touch(page) }
    }
  }

  /// The next run of set bits from a block on, of at most so many.
  func nextRun(from block: Int, most: Int) -> Range<Int>? {
    var block = block
    while block < blockCount {
      let page = block / Self.bitsInPage
      guard let words = pages[page] else {
        block = (page + 1) * Self.bitsInPage
        continue
      }
      let within = block - page * Self.bitsInPage
      let rest = words[within / 64] >> UInt64(within % 64)
      if rest == 0 {
        block += 64 - within % 64
        continue
      }
      let start = block + rest.trailingZeroBitCount
      var end = start + 1
      while end < min(start + most, blockCount), contains(end) { end += 1 }
      return start..<end
    }
    return nil
  }

  func contains(_ block: Int) -> Bool {
    guard let words = pages[block / Self.bitsInPage] else { return false }
    let within = block % Self.bitsInPage
    return words[within / 64] >> UInt64(within % 64) & 1 == 1
  }

  func contains(all blocks: Range<Int>) -> Bool { blocks.allSatisfy(contains) }

  /// The pages with changes that are not durable.
  var pending: [Int] { changed.sorted() }

  private mutating func touch(_ page: Int) {
    versions[page, default: 0] += 1
    changed.insert(page)
  }

  func version(of page: Int) -> Int { versions[page, default: 0] }
  func isDurable(_ page: Int, version: Int) -> Bool { durable[page, default: 0] >= version }
  mutating func markDurable(_ page: Int, version: Int) {
    durable[page] = max(durable[page, default: 0], version)
    guard isDurable(page, version: self.version(of: page)) else { return }
    changed.remove(page)
    if let words = pages[page], words.allSatisfy({ $0 == 0 }) { pages[page] = nil }
  }

  /// Lets every page that is not zero be written again, since a leg may have others.
  mutating func touchAll() { for page in pages.keys { touch(page) } }

  /// A page as it is stored.
  func encoded(_ page: Int) -> BlockBuffer {
    let buffer = BlockBuffer(count: 4096)
    let bytes = buffer.bytes
    for sector in 0..<8 {
      let start = 512 * sector
      if let words = pages[page] {
        for word in 0..<Self.wordsInSector {
          bytes.put(words[sector * Self.wordsInSector + word], at: start + 8 * word)
        }
      }
      bytes.put(UInt32(truncatingIfNeeded: page * 8 + sector), at: start + 504)
      bytes.put(Checksum.crc32c(.init(rebasing: bytes[start..<start + 508])), at: start + 508)
    }
    return buffer
  }

  /// Takes over the bits of a stored page.
  ///
  /// A sector that is damaged counts as all set, which costs time only.
  ///
  /// - Returns: How many sectors were damaged.
  mutating func merge(_ page: Int, _ block: BlockBuffer) -> Int {
    let bytes = block.bytes
    var damaged = 0
    for sector in 0..<8 {
      let start = 512 * sector
      let first = page * Self.bitsInPage + sector * Self.bitsInSector
      guard bytes.get(UInt32.self, at: start + 504) == UInt32(truncatingIfNeeded: page * 8 + sector),
        bytes.get(UInt32.self, at: start + 508)
          == Checksum.crc32c(.init(rebasing: bytes[start..<start + 508]))
      else {
        if first < blockCount { damaged += 1 }
        set(first..<first + Self.bitsInSector, to: true)
        continue
      }
      for word in 0..<Self.wordsInSector {
        let bits = bytes.get(UInt64.self, at: start + 8 * word)
        guard bits != 0 else { continue }
        for bit in 0..<64 where bits >> UInt64(bit) & 1 == 1 {
          set(first + 64 * word + bit..<first + 64 * word + bit + 1, to: true)
        }
      }
    }
    return damaged
  }
}
