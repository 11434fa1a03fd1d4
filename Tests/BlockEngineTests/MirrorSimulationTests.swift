import BlockEngine
import BlockSimulation
import Testing

@Suite struct MirrorSimulationTests {
  @Test(arguments: 0..<20) func noAcknowledgedWriteIsLost(part: Int) {
    for seed in part * 5..<part * 5 + 5 {
      let outcome = MirrorSimulation.run(MirrorSimulation.Settings(seed: UInt64(seed)))
      if let problem = outcome.problem { Issue.record("\(problem)") }
    }
  }

  @Test func theFaultsDoHappen() {
    var sum = MirrorSimulation.Outcome()
    for seed in 1000..<1010 {
      let outcome = MirrorSimulation.run(MirrorSimulation.Settings(seed: UInt64(seed)))
      sum.operations += outcome.operations
      sum.crashes += outcome.crashes
      sum.faults += outcome.faults
      sum.resyncs += outcome.resyncs
    }
    #expect(sum.operations > 10_000 && sum.crashes > 30 && sum.faults > 100 && sum.resyncs > 50, "\(sum)")
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
  ])
  func aBrokenMirrorIsFound(defect: MirrorDefects) {
    for seed in 0..<200 {
      var settings = MirrorSimulation.Settings(seed: UInt64(seed))
      settings.defects = defect
      if MirrorSimulation.run(settings).problem != nil { return }
    }
    Issue.record("200 seeds do not find the defect \(defect.rawValue)")
  }
}
