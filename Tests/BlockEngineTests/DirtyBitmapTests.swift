import BlockSimulation
import Testing

@testable import BlockEngine

@Suite struct DirtyBitmapTests {
  @Test(arguments: UInt64(0)..<20) func agreesWithASet(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let count = 2 * DirtyBitmap.bitsInPage + 777
    var bitmap = DirtyBitmap(blockCount: count)
    var plain: Set<Int> = []
    for _ in 0..<60 {
      let start = Int.random(in: 0..<count, using: &random)
      let range = start..<min(count, start + Int.random(in: 1...300, using: &random))
      let value = !random.oneIn(3)
      bitmap.set(range, to: value)
      if value { plain.formUnion(range) } else { plain.subtract(range) }
      #expect(bitmap.count == plain.count)
    }
    var found: Set<Int> = []
    var cursor = 0
    while let run = bitmap.nextRun(from: cursor, most: 50) {
      #expect(run.count <= 50)
      found.formUnion(run)
      cursor = run.upperBound
    }
    #expect(found == plain)
    var copy = DirtyBitmap(blockCount: count)
    let pages = 0..<bitmap.pageCount
    let stored = bitmap.encoded(pages)
    #expect(copy.merge(pages, stored) == 0)
    #expect(copy.count == plain.count)
    let again = copy.encoded(pages)
    #expect(stored.bytes.elementsEqual(again.bytes))
  }

  @Test(arguments: UInt64(0)..<20) func withoutMemoryMoreIsSetAndNeverLess(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let count = 20 * DirtyBitmap.bitsInPage + 777
    var bitmap = DirtyBitmap(blockCount: count, partialLimit: 3)
    var plain: Set<Int> = []
    for _ in 0..<60 {
      let start = Int.random(in: 0..<count, using: &random)
      let range = start..<min(count, start + Int.random(in: 1...300, using: &random))
      let value = !random.oneIn(4)
      bitmap.set(range, to: value)
      if value { plain.formUnion(range) } else { plain.subtract(range) }
      #expect(bitmap.count >= plain.count)
    }
    #expect(plain.allSatisfy(bitmap.contains))
    // A walk through it, as a resync does one, leaves nothing.
    var cursor = 0
    while let run = bitmap.nextRun(from: cursor, most: 300) {
      bitmap.set(run, to: false)
      cursor = run.upperBound
    }
    #expect(bitmap.count == 0 && bitmap.nextRun(from: 0, most: 1) == nil)
  }

  /// A leg of 64 TiB that lacks everything: its bits alone would be 2 GiB.
  @Test func whatIsAllSetTakesNoMemory() {
    var bitmap = DirtyBitmap(blockCount: 1 << 34)
    bitmap.set(0..<bitmap.blockCount, to: true)
    #expect(bitmap.count == 1 << 34)
    for step in 0..<10_000 {
      bitmap.set(step * DirtyBitmap.bitsInPage + 1..<step * DirtyBitmap.bitsInPage + 2, to: true)
    }
    #expect(bitmap.count == 1 << 34)
    bitmap.set(0..<1 << 33, to: false)
    #expect(bitmap.count == 1 << 33)
  }

  @Test func aDamagedSectorCountsAsAllSet() {
    var bitmap = DirtyBitmap(blockCount: 20_000)
    bitmap.set(5..<6, to: true)
    let page = bitmap.encoded(0..<1)
    page.bytes[512] ^= 1
    var copy = DirtyBitmap(blockCount: 20_000)
    #expect(copy.merge(0..<1, page) == 1)
    #expect(copy.count == 1 + DirtyBitmap.bitsInSector)
    #expect(copy.nextRun(from: 6, most: 1) == DirtyBitmap.bitsInSector..<DirtyBitmap.bitsInSector + 1)
  }

  @Test(arguments: [0, 4096, 16 << 10, 24 << 10, 1 << 20, (1 << 30) + 512, 1 << 40, 1 << 50])
  func metadataFitBehindTheData(legSize: Int) {
    let size = LegLayout.largestDataSize(legSize: legSize)
    guard size > 0 else { return #expect(legSize <= 16 << 10) }
    let layout = LegLayout(legSize: legSize, dataSize: size)
    #expect(layout.pageOffset(layout.pageCount) <= layout.superblockOffsets[0])
    let larger = LegLayout(legSize: legSize, dataSize: size + 4096)
    #expect(larger.pageOffset(larger.pageCount) > larger.superblockOffsets[0], "not one block is wasted")
    // 32.5 KiB a GiB, and what is fixed.
    #expect(legSize - size <= (legSize >> 30) * 33_280 + 8 * 4096 + legSize >> 20)
  }
}
