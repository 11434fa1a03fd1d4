/// Which blocks of 4 KiB some leg may lack, in pages of 4 KiB that cover 126 MiB each.
///
/// Only pages of which some bits are set and some are not take memory, and no more than ``partialLimit`` of them: beyond
/// that a page in which a bit is set counts as all set, which costs time in a resync and nothing else.
///
/// Every page has a version that grows with each change, so that it is known which changes are durable.
struct DirtyBitmap {
  static let wordsInSector = 63
  static let bitsInSector = 64 * wordsInSector
  static let bitsInPage = 8 * bitsInSector

  /// A page in which a bit is set.
  private struct Page {
    /// Nil when every bit is set.
    var words: [UInt64]?
    var count: Int
  }

  let blockCount: Int
  /// How many pages may be in memory, 4 KiB each.
  let partialLimit: Int
  /// How many bits are set.
  private(set) var count = 0
  private var pages: [Int: Page] = [:]
  private var partial = 0
  private var versions: [Int: Int] = [:]
  private var durable: [Int: Int] = [:]
  private var changed: Set<Int> = []

  init(blockCount: Int, partialLimit: Int = 4096) {
    self.blockCount = blockCount
    self.partialLimit = partialLimit
  }

  var pageCount: Int { (blockCount + Self.bitsInPage - 1) / Self.bitsInPage }

  static func pages(of blocks: Range<Int>) -> Range<Int> {
    blocks.isEmpty ? 0..<0 : blocks.lowerBound / bitsInPage..<(blocks.upperBound - 1) / bitsInPage + 1
  }

  private func blocks(of page: Int) -> Range<Int> {
    page * Self.bitsInPage..<min((page + 1) * Self.bitsInPage, blockCount)
  }

  /// Sets or clears bits.
  mutating func set(_ blocks: Range<Int>, to value: Bool) {
    let blocks = blocks.clamped(to: 0..<blockCount)
    for page in Self.pages(of: blocks) {
      let all = self.blocks(of: page)
      let within = blocks.clamped(to: all)
      if within == all {
        replace(page, by: value ? Page(words: nil, count: all.count) : nil)
      } else if value {
        setPart(of: page, within)
      } else {
        clearPart(of: page, within)
      }
    }
  }

  private mutating func setPart(of page: Int, _ blocks: Range<Int>) {
    if let old = pages[page], old.words == nil { return }
    if pages[page] == nil, partial >= partialLimit {
      return replace(page, by: Page(words: nil, count: self.blocks(of: page).count))
    }
    change(page, blocks) { $0 | $1 }
  }

  private mutating func clearPart(of page: Int, _ blocks: Range<Int>) {
    if pages[page] != nil { change(page, blocks) { $0 & ~$1 } }
  }

  /// Changes the words of a page in which some of these blocks are.
  private mutating func change(
    _ page: Int, _ blocks: Range<Int>, _ operation: (_ word: UInt64, _ mask: UInt64) -> UInt64
  ) {
    let first = page * Self.bitsInPage
    // Taken out of the dictionary, so that the words are changed in place.
    let old = pages.removeValue(forKey: page)
    if old?.words != nil { partial -= 1 }
    var words =
      old.map { $0.words ?? fullWords(page) } ?? [UInt64](repeating: 0, count: 8 * Self.wordsInSector)
    var difference = 0
    for word in (blocks.lowerBound - first) / 64...(blocks.upperBound - 1 - first) / 64 {
      let low = max(blocks.lowerBound - first - 64 * word, 0)
      let high = min(blocks.upperBound - first - 64 * word, 64)
      let new = operation(words[word], (~0 >> UInt64(64 - (high - low))) << UInt64(low))
      difference += new.nonzeroBitCount - words[word].nonzeroBitCount
      words[word] = new
    }
    store(page, Page(words: words, count: (old?.count ?? 0) + difference))
    count += difference
    if difference != 0 { touch(page) }
  }

  private mutating func store(_ page: Int, _ new: Page) {
    if new.count == 0 { return }
    let isFull = new.count == blocks(of: page).count
    pages[page] = isFull ? Page(words: nil, count: new.count) : new
    if !isFull { partial += 1 }
  }

  private mutating func replace(_ page: Int, by new: Page?) {
    let old = pages.removeValue(forKey: page)
    if old?.words != nil { partial -= 1 }
    pages[page] = new
    let difference = (new?.count ?? 0) - (old?.count ?? 0)
    count += difference
    if difference != 0 { touch(page) }
  }

  private func fullWords(_ page: Int) -> [UInt64] {
    let count = blocks(of: page).count
    return (0..<8 * Self.wordsInSector).map { word in
      let bits = min(max(count - 64 * word, 0), 64)
      return bits == 0 ? 0 : ~0 >> UInt64(64 - bits)
    }
  }

  /// The next run of set bits from a block on, of at most so many.
  func nextRun(from block: Int, most: Int) -> Range<Int>? {
    var block = block
    while block < blockCount {
      let number = block / Self.bitsInPage
      guard let page = pages[number] else {
        block = (number + 1) * Self.bitsInPage
        continue
      }
      let within = block - number * Self.bitsInPage
      let rest = page.words.map { $0[within / 64] >> UInt64(within % 64) } ?? ~0
      if rest == 0 {
        block += 64 - within % 64
        continue
      }
      let start = block + rest.trailingZeroBitCount
      let limit = min(start + most, blockCount)
      var end = start + 1
      while end < limit, case let more = setBits(from: end), more > 0 { end = min(end + more, limit) }
      return start..<end
    }
    return nil
  }

  /// How many bits are set from a block on, as far as one look tells.
  private func setBits(from block: Int) -> Int {
    guard let page = pages[block / Self.bitsInPage] else { return 0 }
    let within = block % Self.bitsInPage
    guard let words = page.words else { return Self.bitsInPage - within }
    return min((~(words[within / 64] >> UInt64(within % 64))).trailingZeroBitCount, 64 - within % 64)
  }

  func contains(_ block: Int) -> Bool {
    guard let page = pages[block / Self.bitsInPage] else { return false }
    guard let words = page.words else { return true }
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
    if isDurable(page, version: self.version(of: page)) { changed.remove(page) }
  }

  /// Lets every page that is not zero be written again, since a leg may have others.
  mutating func touchAll() { for page in pages.keys { touch(page) } }

  /// Pages as they are stored, one after the other.
  func encoded(_ range: Range<Int>) -> BlockBuffer {
    let buffer = BlockBuffer(count: 4096 * range.count)
    let bytes = buffer.bytes
    for (place, page) in range.enumerated() {
      let words = pages[page].map { $0.words ?? fullWords(page) }
      for sector in 0..<8 {
        let start = 4096 * place + 512 * sector
        if let words {
          for word in 0..<Self.wordsInSector {
            bytes.put(words[sector * Self.wordsInSector + word], at: start + 8 * word)
          }
        }
        bytes.put(UInt32(truncatingIfNeeded: page * 8 + sector), at: start + 504)
        bytes.put(Checksum.crc32c(.init(rebasing: bytes[start..<start + 508])), at: start + 508)
      }
    }
    return buffer
  }

  /// Takes over the bits of stored pages.
  ///
  /// A sector that is damaged counts as all set, which costs time only.
  ///
  /// - Returns: How many sectors were damaged.
  mutating func merge(_ range: Range<Int>, _ block: BlockBuffer) -> Int {
    let bytes = block.bytes
    var damaged = 0
    for (place, page) in range.enumerated() {
      for sector in 0..<8 {
        let start = 4096 * place + 512 * sector
        let first = page * Self.bitsInPage + sector * Self.bitsInSector
        guard first < blockCount else { continue }
        guard bytes.get(UInt32.self, at: start + 504) == UInt32(truncatingIfNeeded: page * 8 + sector),
          bytes.get(UInt32.self, at: start + 508)
            == Checksum.crc32c(.init(rebasing: bytes[start..<start + 508]))
        else {
          damaged += 1
          set(first..<first + Self.bitsInSector, to: true)
          continue
        }
        // All set, as in pages that were stored because memory was short.
        if bytes[start..<start + 8 * Self.wordsInSector].allSatisfy({ $0 == 0xff }) {
          set(first..<first + Self.bitsInSector, to: true)
          continue
        }
        for word in 0..<Self.wordsInSector { merge(bytes.get(at: start + 8 * word), at: first + 64 * word) }
      }
    }
    return damaged
  }

  /// Sets the bits of a word, run by run.
  private mutating func merge(_ word: UInt64, at block: Int) {
    var rest = word
    var place = block
    while rest != 0 {
      place += rest.trailingZeroBitCount
      rest >>= UInt64(rest.trailingZeroBitCount)
      let ones = (~rest).trailingZeroBitCount
      set(place..<place + ones, to: true)
      place += ones
      rest = ones == 64 ? 0 : rest >> UInt64(ones)
    }
  }
}
