import BlockEngine
import BlockSimulation
import Testing

@Suite struct MirrorSimulationTests {
  /// A few seeds; `make simulate` runs many, in less time.
  @Test(arguments: UInt64(0)..<16) func noAcknowledgedWriteIsLost(seed: UInt64) {
    let outcome = MirrorSimulation.run(MirrorSimulation.Settings(seed: seed))
    if let problem = outcome.problem { Issue.record("\(problem)") }
  }

  @Test func theFaultsDoHappen() {
    var sum = MirrorSimulation.Outcome()
    for seed in 1000..<1005 {
      let outcome = MirrorSimulation.run(MirrorSimulation.Settings(seed: UInt64(seed)))
      sum.operations += outcome.operations
      sum.crashes += outcome.crashes
      sum.faults += outcome.faults
      sum.resyncs += outcome.resyncs
      sum.replacements += outcome.replacements
    }
    #expect(sum.operations > 5000 && sum.crashes > 15 && sum.faults > 50, "\(sum)")
    #expect(sum.resyncs > 25 && sum.replacements > 10, "\(sum)")
  }

  @Test func aSeedIsARun() {
    for seed in [3, 4] as [UInt64] {
      let settings = MirrorSimulation.Settings(seed: seed)
      let (first, second) = (MirrorSimulation.run(settings), MirrorSimulation.run(settings))
      #expect("\(first)" == "\(second)")
    }
  }

  @Test(arguments: [
    MirrorDefects.lateBitmap, .singleSuperblock, .noActivityLog, .unorderedWrites, .forgottenCache,
    .holesOfAnyLeg, .unsyncedReplacement, .unmarkedReplacement, .forgottenReplacement,
  ])
  func aBrokenMirrorIsFound(defect: MirrorDefects) {
    find(defect, by: 200..<320)
  }

  /// It takes a loss of power, a flush and a crash in this order, within a few milliseconds: one seed in hundreds.
  @Test func aLogThatForgetsIsFound() { find(.forgetfulLog, by: 2360..<2370) }

  private func find(_ defect: MirrorDefects, by seeds: Range<Int>) {
    for seed in seeds {
      var settings = MirrorSimulation.Settings(seed: UInt64(seed))
      settings.defects = defect
      if MirrorSimulation.run(settings).problem != nil { return }
    }
    Issue.record("\(seeds.count) seeds do not find the defect \(defect.rawValue)")
  }
}
