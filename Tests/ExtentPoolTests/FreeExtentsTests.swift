import BlockSimulation
import Testing

@testable import ExtentPool

@Suite struct FreeExtentsTests {
  /// The same on an array of flags.
  private struct Plain {
    var isFree: [Bool]

    var runs: [ExtentRun] {
      var runs: [ExtentRun] = []
      for (extent, free) in isFree.enumerated() where free {
        if let last = runs.last, Int(last.end) == extent {
          runs[runs.count - 1].count += 1
        } else {
          runs.append(ExtentRun(start: UInt32(extent), count: 1))
        }
      }
      return runs
    }
  }

  @Test(arguments: UInt64(0)..<40) func agreesWithAnArrayOfFlags(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let size: UInt32 = 96
    var plain = Plain(isFree: [Bool](repeating: false, count: Int(size)))
    var free = FreeExtents()
    for _ in 0..<300 {
      let start = UInt32.random(in: 0..<size, using: &random)
      let run = ExtentRun(start: start, count: UInt32.random(in: 1...min(12, size - start), using: &random))
      let flags = plain.isFree[Int(run.start)..<Int(run.end)]
      #expect(free.contains(run) == flags.allSatisfy { $0 })
      if flags.allSatisfy({ $0 }) {
        free.take(run)
        for extent in run.start..<run.end { plain.isFree[Int(extent)] = false }
      } else {
        let given = free.give(run)
        #expect(given == !flags.contains(true))
        if given { for extent in run.start..<run.end { plain.isFree[Int(extent)] = true } }
      }
      let runs = plain.runs
      #expect(free.runs == runs)
      #expect(free.runCount == runs.count)
      #expect(free.count == plain.isFree.count { $0 })
      #expect(free.longest == runs.map(\.count).max() ?? 0)
      let wanted = UInt32.random(in: 1...20, using: &random)
      #expect(free.first(atLeast: wanted) == runs.first { $0.count >= wanted })
    }
  }

  private func pool(free runs: [(UInt32, UInt32)]) -> FreeExtents {
    var free = FreeExtents()
    for run in runs { _ = free.give(ExtentRun(start: run.0, count: run.1)) }
    return free
  }

  private func chosen(
    _ free: FreeExtents, _ count: UInt32, _ policy: AllocationPolicy, after last: UInt32? = nil
  ) throws -> [[UInt32]] {
    var copy = free
    let runs = try copy.choose(count, policy, after: last, subject: "test")
    #expect(copy.runs == free.runs, "choosing takes nothing")
    return runs.map { [$0.start, $0.count] }
  }

  @Test func policiesChooseAsTheySay() throws {
    let free = pool(free: [(0, 2), (10, 3), (20, 8), (40, 5)])
    #expect(try chosen(free, 3, .normal) == [[10, 3]])
    #expect(try chosen(free, 4, .normal) == [[20, 4]])
    #expect(try chosen(free, 10, .normal) == [[20, 8], [0, 2]])
    #expect(try chosen(free, 12, .normal) == [[20, 8], [40, 4]])
    #expect(try chosen(free, 4, .normal, after: 10) == [[10, 3], [0, 1]])
    #expect(try chosen(free, 4, .anywhere) == [[0, 2], [10, 2]])
    #expect(try chosen(free, 8, .contiguous) == [[20, 8]])
    #expect(try chosen(free, 2, .contiguous, after: 10) == [[10, 2]])
    #expect(throws: (any Error).self) { try chosen(free, 9, .contiguous) }
    #expect(throws: (any Error).self) { try chosen(free, 4, .contiguous, after: 10) }
    #expect(throws: (any Error).self) { try chosen(free, 19, .anywhere) }
  }
}
