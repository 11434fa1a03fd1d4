import BlockEngine
import BlockSimulation
import Glibc

/// Runs the mirror's simulation for seeds: `simulate FIRST COUNT`; a seed that fails is printed, and fails again.
let arguments = CommandLine.arguments.dropFirst().map(UInt64.init)
guard arguments.count == 2, let first = arguments[0], let count = arguments[1],
  !first.addingReportingOverflow(count).overflow
else {
  print("usage: simulate FIRST-SEED NUMBER-OF-SEEDS")
  exit(64)
}
var sum = MirrorSimulation.Outcome()
for seed in first..<first + count {
  let outcome = MirrorSimulation.run(MirrorSimulation.Settings(seed: seed))
  sum.operations += outcome.operations
  sum.crashes += outcome.crashes
  sum.faults += outcome.faults
  sum.resyncs += outcome.resyncs
  sum.replacements += outcome.replacements
  guard let problem = outcome.problem else { continue }
  print(problem)
  print("run it again: make simulate SEED=\(seed) COUNT=1")
  exit(1)
}
print(
  "\(sum.operations) requests over \(count) seeds from \(first) on, with \(sum.crashes) crashes, \(sum.faults) hurt legs, "
    + "\(sum.replacements) replaced and \(sum.resyncs) resyncs: nothing that was acknowledged is lost")
