import HostInterface
import Quartet
import Simulation
import TargetCore

extension Conformance {
  /// Every run of every scenario, disturbed at every call to the machine.
  static let faults: [ConformanceCase] =
    Scenario.all.flatMap { scenario in
      [
        ConformanceCase("error: at every call of \(scenario.name)") { trial in
          try await trial.sweep(scenario.make, with: .error(.ioError))
        },
        ConformanceCase("garbage: as the answer to every call of \(scenario.name)") { trial in
          try await trial.sweep(scenario.make, with: .garbage)
        },
        ConformanceCase("hang: at every call of \(scenario.name)") { trial in
          try await trial.sweep(scenario.make, with: .hang)
          try await trial.sweep(scenario.make, with: .hangAfter)
        },
        ConformanceCase("kill: at every call of \(scenario.name)") { trial in
          try await trial.sweepKills(scenario.make, with: .kill)
          try await trial.sweepKills(scenario.make, with: .killAfter)
        },
        ConformanceCase("error: at every call, and at every undoing, of \(scenario.name)") { trial in
          try await trial.sweepPairs(scenario.make)
        },
        ConformanceCase("cancellation: at every step of \(scenario.name)") { trial in
          try await trial.sweepCancellations(scenario.make)
        },
      ]
    } + [
      ConformanceCase("crash: of the implementation, at every step") { trial in
        guard let kill = trial.world.kill else { throw Skip(reason: "this world cannot kill it") }
        let (document, total) = try await trial.dryRun()
        for number in trial.chosen(of: total) {
          try await trial.world.reset()
          var options = PerformOptions()
          options.observe = { event in
            if case .starting(_, number, _) = event { kill() }
          }
          try await trial.expect(.unavailable, .garbled, of: "a run in which it dies at step \(number)") {
            try await trial.implementation.apply(document, options: options)
          }
          try await trial.world.reset()
          try await trial.implementation.apply(document)
          let state = try await trial.read()
          for spec in document.targets { try trial.expectHolds(spec, in: state) }
        }
      }
    ]
}

extension Trial {
  fileprivate func dryRun() async throws -> (DesiredState, Int) {
    let document = try await samples.richDocument()
    var options = PerformOptions()
    options.dryRun = true
    return (document, try await implementation.apply(document, options: options).plan.steps.count)
  }

  /// The calls that are disturbed.
  fileprivate func chosen(of count: Int) -> StrideTo<Int> {
    stride(from: 1 + count % world.stride, to: count + 1, by: world.stride)
  }

  /// Goes to the start of a scenario, made anew, since reset took the objects of the last one away.
  private func begin(_ scenario: Scenario) async throws -> LiveState {
    try await world.reset()
    if scenario.start != DesiredState() { try await implementation.apply(scenario.start) }
    return try await read()
  }

  /// Runs a scenario undisturbed.
  private func undisturbed(_ make: ScenarioMaker) async throws -> Undisturbed {
    let scenario = try await make(self)
    let before = try await begin(scenario)
    let restore = world.save?()
    let host = FaultingHost(world.host, failing: nil)
    let proposal = try await scenario.run(implementation(on: host), PerformOptions())
    try expect(!proposal.plan.isEmpty, "the scenario has no steps")
    return Undisturbed(
      scenario: scenario, before: before, after: try await read(), plan: proposal.plan,
      calls: host.callCount, restore: restore)
  }

  /// Goes back to the start of a scenario.
  private func begin(again run: Undisturbed) async throws {
    if let restore = run.restore { return restore() }
    let start = try await begin(run.scenario)
    try expect(start, equals: run.before, "the start of the scenario is not what it was")
  }

  /// Fails one call after the other: the state is then as before or as wanted, or what is left is said; and doing it
  /// again does it.
  fileprivate func sweep(_ make: ScenarioMaker, with fault: HostFault) async throws {
    let run = try await undisturbed(make)
    for position in chosen(of: run.calls) {
      try await begin(again: run)
      let host = FaultingHost(world.host, failing: position, with: fault)
      let place = "\(fault) at call \(position) of \(run.calls)"
      do {
        _ = try await run.scenario.run(implementation(on: host), PerformOptions())
        try expect(await read(), equals: run.after, "\(place): the run succeeds, and the state is another")
      } catch let failure as Failure {
        try await expectTruth(of: failure, place, run)
      }
      _ = try await run.scenario.finish(implementation)
      try expect(
        await read(), equals: run.after, ignoringAccounts: true, "\(place): running again does not get there")
    }
  }

  /// Expects that a failed run left the state as it was or as it should be, or that it says what is left.
  private func expectTruth(of failure: Failure, _ place: String, _ run: Undisturbed) async throws {
    let now = try await read()
    if failure.leftovers.isEmpty {
      guard !run.after.differences(from: now).isEmpty else { return }
      try expect(
        now, equals: run.before, "\(place): nothing is said to be left, and something is (\(failure))")
      return
    }
    try expect(
      run.scenario.isSecret || !run.before.differences(from: now).isEmpty,
      "\(place): the state is as before, and these are said to be left: \(failure.leftovers)")
    let undoing = Set(run.plan.steps.flatMap(\.undo).map(\.display))
    for left in failure.leftovers {
      try expect(
        undoing.contains { left.hasPrefix($0) },
        "\(place): what is said to be left is no step that undoes: \(left)")
    }
    if let danger = danger(in: now, from: run.before, to: run.after) {
      throw ConformanceFailure("\(place): what is left is dangerous: \(danger)", failure.leftovers)
    }
  }

  /// Kills the program at one call after the other: nothing dangerous is left, and running again gets there.
  fileprivate func sweepKills(_ make: ScenarioMaker, with fault: HostFault) async throws {
    let run = try await undisturbed(make)
    for position in chosen(of: run.calls) {
      try await begin(again: run)
      let host = FaultingHost(world.host, failing: position, with: fault)
      let place = "\(fault) at call \(position) of \(run.calls)"
      do {
        _ = try await run.scenario.run(implementation(on: host), PerformOptions())
        throw ConformanceFailure("\(place): the run succeeds although its program is dead")
      } catch is Failure {}
      if let danger = danger(in: try await read(), from: run.before, to: run.after) {
        throw ConformanceFailure("\(place): \(danger)")
      }
      do {
        _ = try await run.scenario.finish(implementation)
      } catch let failure as Failure {
        throw ConformanceFailure("\(place): running again fails: \(failure)", failure.leftovers)
      }
      try expect(
        await read(), equals: run.after, ignoringAccounts: true, "\(place): running again does not get there")
    }
  }

  /// Fails one call, and then one call of the undoing.
  fileprivate func sweepPairs(_ make: ScenarioMaker) async throws {
    let run = try await undisturbed(make)
    for position in chosen(of: run.calls) {
      // The first calls of the undoing, and one in the middle.
      for second in Set([1, 2, position / 2]).sorted() where second > 0 {
        try await begin(again: run)
        // Calls that fail above never reach the host below, so that the first call of the undoing has the number
        // of the failed one there.
        let below = FaultingHost(world.host, failing: position - 1 + second, with: .error(.ioError))
        let host = FaultingHost(below, failing: position, with: .error(.ioError))
        let place = "errors at call \(position) and at call \(second) behind it, of \(run.calls)"
        do {
          _ = try await run.scenario.run(implementation(on: host), PerformOptions())
        } catch let failure as Failure {
          try await expectTruth(of: failure, place, run)
        }
        if below.callCount < position - 1 + second { continue }
        _ = try await run.scenario.finish(implementation)
        try expect(
          await read(), equals: run.after, ignoringAccounts: true,
          "\(place): running again does not get there")
      }
    }
  }

  /// Cancels the run at one step after the other: it is undone, or it is done.
  fileprivate func sweepCancellations(_ make: ScenarioMaker) async throws {
    let run = try await undisturbed(make)
    for number in chosen(of: run.plan.steps.count) {
      try await begin(again: run)
      let place = "cancelled at step \(number) of \(run.plan.steps.count)"
      let canceller = Canceller()
      var options = PerformOptions()
      options.observe = { event in
        if case .starting(_, number, _) = event { canceller.cancel() }
      }
      let settled = options
      let task = Task {
        await canceller.waitUntilArmed()
        return try await run.scenario.run(implementation, settled)
      }
      canceller.arm { task.cancel() }
      do {
        _ = try await task.value
        try expect(await read(), equals: run.after, "\(place): the run succeeds, and the state is another")
      } catch let failure as Failure {
        try expect(failure.code == .interrupted, "\(place): it fails as \(failure.code): \(failure)")
        try await expectTruth(of: failure, place, run)
      }
    }
  }
}

/// What a scenario does when nothing disturbs it.
private struct Undisturbed: Sendable {
  var scenario: Scenario
  /// The states before and after.
  var before: LiveState
  var after: LiveState
  var plan: Plan
  /// How many calls to the machine it makes.
  var calls: Int
  /// Goes back to the state before, where the world can do so.
  var restore: (@Sendable () -> Void)?
}
