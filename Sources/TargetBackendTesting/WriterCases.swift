import HostInterface
import Quartet
import Synchronization
import TargetCore

extension Conformance {
  /// Several programs that change one implementation.
  static let writers: [ConformanceCase] = [
    ConformanceCase("writers: two at once take turns, and both end applied") { trial in
      let log = StepLog()
      let specs = [try await trial.samples.rich(1), try await trial.samples.rich(2)]
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (writer, spec) in specs.enumerated() {
          let implementation = try trial.implementation(on: trial.world.host)
          var options = PerformOptions()
          options.observe = { _ in log.steps.withLock { $0.append(writer) } }
          let settled = options
          group.addTask { try await implementation.apply(DesiredState(targets: [spec]), options: settled) }
        }
        try await group.waitForAll()
      }
      let state = try await trial.read()
      for spec in specs { try trial.expectHolds(spec, in: state) }
      let order = log.steps.withLock { $0 }
      let turns = zip(order, order.dropFirst()).filter { $0 != $1 }.count
      try trial.expect(turns == 1, "the steps of the two are mixed: \(order)")
    },
    ConformanceCase("writers: one that waits too long for the lock gives up, and touches nothing") { trial in
      let name = try trial.samples.name()
      let lock = try await trial.world.host.lock(trial.implementation.backend.lockName, limit: .seconds(1))
      defer { lock.release() }
      try await trial.expectUntouched(by: "a program that does not get the lock") { implementation in
        var options = PerformOptions()
        options.lockLimit = .milliseconds(20)
        try await trial.expect(.locked, of: "a change while another program holds the lock") {
          try await implementation.perform([.createTarget(name, id: nil)], options: options)
        }
        options.dryRun = true
        try await implementation.perform([.createTarget(name, id: nil)], options: options)
      }
    },
    ConformanceCase("writers: the lock is given up when a run ends, however it ends") { trial in
      let name = try trial.samples.name()
      var options = PerformOptions()
      options.lockLimit = .milliseconds(20)
      try await trial.implementation.perform([.createTarget(name, id: nil)], options: options)
      try await trial.expect(.exists, of: "the same target again") {
        try await trial.implementation.perform([.createTarget(name, id: nil)], options: options)
      }
      try await trial.implementation.perform([.deleteTarget(name, force: false)], options: options)
    },
  ]
}

/// Whose steps ran, in order.
private final class StepLog: Sendable {
  let steps = Mutex<[Int]>([])
}
