import Glibc
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
    ConformanceCase("writers: nobody plans on what another is changing") { trial in
      let encounter = Encounter()
      let (first, second) = (try trial.samples.name(1), try trial.samples.name(2))
      var (slow, late) = (PerformOptions(), PerformOptions())
      slow.observe = { _ in encounter.waitForTheOther() }
      late.announce = { _ in encounter.meet() }
      let (one, other) = (slow, late)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          try await trial.implementation.perform([.createTarget(first, id: nil)], options: one)
        }
        group.addTask {
          await encounter.waitUntilBegun()
          try await trial.implementation.perform([.createTarget(second, id: nil)], options: other)
        }
        try await group.waitForAll()
      }
      try trial.expect(!encounter.happened, "a second program plans while the first one is in its steps")
      let state = try await trial.read()
      try trial.expect(
        state.targets[first] != nil && state.targets[second] != nil, "one of two targets is not there")
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

/// Whether one writer came by while another was in a step.
private final class Encounter: Sendable {
  private struct State {
    var isInside = false
    var happened = false
  }

  private let state = Mutex(State())
  private let start = Canceller()

  var happened: Bool { state.withLock(\.happened) }

  /// Stays in a step for a moment, in which the other one would come by if it could.
  func waitForTheOther() {
    state.withLock { $0.isInside = true }
    start.arm {}
    for _ in 0..<20 where !happened { usleep(10_000) }
    state.withLock { $0.isInside = false }
  }

  func waitUntilBegun() async { await start.waitUntilArmed() }

  func meet() {
    state.withLock { if $0.isInside { $0.happened = true } }
  }
}
