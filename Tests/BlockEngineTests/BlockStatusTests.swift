import BlockEngine
import Testing

@Suite struct BlockStatusTests {
  private func hole(_ count: Int) -> BlockStatus { BlockStatus(count: count, isHole: true) }
  private func data(_ count: Int) -> BlockStatus { BlockStatus(count: count, isHole: false) }

  private func parts(_ told: [(end: Int, isHole: Bool)]) -> [BlockStatus] {
    var answer = BlockStatusAnswer(4096..<20480, logicalBlockSize: 4096)
    for (end, isHole) in told { answer.add(upTo: end, isHole: isHole) }
    return answer.parts
  }

  @Test func aBlockIsAHoleOnlyAsAWhole() {
    #expect(parts([(8192, true), (20480, false)]) == [hole(4096), data(12288)])
    #expect(parts([(9000, true), (20480, false)]) == [hole(4096), data(12288)])
    #expect(parts([(9000, false), (20480, true)]) == [data(8192), hole(8192)])
    // A hole that fills no block, between data.
    #expect(parts([(9000, false), (10000, true), (20480, false)]) == [data(16384)])
    #expect(parts([(5000, true), (5100, false), (20480, true)]) == [data(4096), hole(12288)])
  }

  @Test func whatIsToldWronglyHarmsNothing() {
    #expect(parts([]) == [data(16384)])
    #expect(parts([(100, true)]) == [data(16384)])
    #expect(parts([(4096, true), (4097, true)]) == [data(16384)])
    #expect(parts([(.max, true), (5000, false), (.min, true)]) == [hole(16384)])
    #expect(parts([(8192, false), (.max, false)]) == [data(16384)])
    #expect(parts([(8192, true)]) == [hole(4096)])
  }
}
