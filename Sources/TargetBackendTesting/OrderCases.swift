import HostInterface
import Quartet
import TargetCore

extension Conformance {
  /// The three rules of order, on plans and on the state after every step of them.
  static let order: [ConformanceCase] =
    Scenario.all.map { scenario in
      ConformanceCase("order: after every step of \(scenario.name)") { trial in
        let scenario = try await scenario.make(trial)
        try await trial.implementation.apply(scenario.start)
        var options = PerformOptions()
        options.dryRun = true
        let before = try await trial.read()
        let proposal = try await scenario.run(trial.implementation, options)
        try trial.expectOrder(of: proposal)
        let states = try await trial.walk(proposal.plan)
        guard let after = states.last else { throw ConformanceFailure("the plan has no steps") }
        for (number, state) in states.enumerated() {
          if let danger = trial.danger(in: state, from: before, to: after) {
            throw ConformanceFailure(
              "after step \(number + 1) of \(states.count), \(danger)",
              proposal.plan.steps.prefix(number + 1).map(\.operation.display))
          }
        }
      }
    } + [
      ConformanceCase("order: sessions are closed before what they use goes") { trial in
        guard let logIn = trial.world.logIn else { throw Skip(reason: "this world has no initiator") }
        let (name, unit) = (try trial.samples.name(), try await trial.samples.unit())
        var spec = TargetSpec(name: name)
        (spec.units, spec.initiators) = ([unit], [.all])
        try await trial.implementation.apply(DesiredState(targets: [spec]))
        try await logIn(try ISCSIName("iqn.1993-08.org.debian:01:conformance"), name)
        var options = PerformOptions()
        options.dryRun = true
        let proposal = try await trial.implementation.perform(
          [.deleteTarget(name, force: true)], options: options)
        for state in try await trial.walk(proposal.plan) {
          guard let target = state.targets[name] else { continue }
          try trial.expect(
            target.units[unit.lun] != nil || target.sessions.isEmpty,
            "a logical unit is gone while an initiator is logged in")
        }
      }
    ]
}

extension Trial {
  /// Runs the steps of a plan one by one, and reads the state after each.
  fileprivate func walk(_ plan: Plan) async throws -> [LiveState] {
    var states: [LiveState] = []
    var variables: [Variable: String] = [:]
    for step in plan.steps {
      if case .bound(let name, let value) = try await answer(to: step, variables) { variables[name] = value }
      states.append(try await read())
    }
    return states
  }

  private func answer(to step: Step, _ variables: [Variable: String]) async throws -> Answer {
    var left = step.patience ?? .zero
    while true {
      var answer: Result<Answer, Failure>
      do {
        answer = .success(try await world.host.perform(step.operation, variables: variables))
      } catch let failure as Failure {
        answer = .failure(failure)
      }
      switch implementation.backend.judge(step.operation, answer) {
      case .done: return (try? answer.get()) ?? .none
      case .failed(let failure): throw failure
      case .busy(let failure):
        guard left > .zero else { throw failure }
        try await world.host.sleep(.milliseconds(20))
        left -= .milliseconds(20)
      }
    }
  }

  /// What a state on the way between two others must not be; nil when it may.
  func danger(in state: LiveState, from before: LiveState, to after: LiveState) -> String? {
    for target in state.targets.values {
      let (old, new) = (before.targets[target.name], after.targets[target.name])
      let mayEnter = (old?.initiators ?? []).union(new?.initiators ?? [])
      if let stranger = target.initiators.subtracting(mayEnter).sorted().first {
        return "\(target.name) lets in \(stranger), who is in neither list"
      }
      guard target.enabled, !target.initiators.isEmpty else { continue }
      let wasOpen = old?.chap.incoming.isEmpty == true
      let willBeOpen = new?.chap.incoming.isEmpty == true
      if target.chap.incoming.isEmpty, !wasOpen, !willBeOpen {
        return "\(target.name) lets in \(target.initiators.sorted()) without a proof"
      }
      if old == nil || old?.initiators.isEmpty == true, let new {
        for unit in target.units.values
        where new.units[unit.lun].map({ unit.differences(from: $0) }) ?? [] != [] {
          return "lun \(unit.lun) of \(target.name) is shown before it has its identity"
        }
      }
      if new == nil, let old, target.units.count < old.units.count {
        return "\(target.name) lets in \(target.initiators.sorted()) while its logical units go"
      }
    }
    return nil
  }

  /// Checks the order of a plan by its reasons: every step says for which change it is.
  fileprivate func expectOrder(of proposal: Proposal) throws {
    let steps = proposal.plan.steps
    let reasons = Set(proposal.changes.map(\.description))
    if let odd = steps.first(where: { !reasons.contains($0.reason) }) {
      throw ConformanceFailure("a step does not say for which change it is, but: \(odd.reason)")
    }
    func places(_ wanted: (Change) -> Bool) -> [Int] {
      let wanted = Set(proposal.changes.filter(wanted).map(\.description))
      return steps.indices.filter { wanted.contains(steps[$0].reason) }
    }
    func isNew(_ name: TargetName?) -> Bool {
      proposal.changes.contains { if case .createTarget(name, _) = $0 { true } else { false } }
    }
    let closing = places { change in
      switch change {
      case .setAccount(let name, .incoming, _, _): name != nil
      case .addUnit(let name, _): isNew(name)
      case .setParameter: true
      default: false
      }
    }
    let opening = places { change in
      switch change {
      case .allow, .addPortal, .enableTarget: true
      default: false
      }
    }
    if let last = closing.last, let first = opening.first, first < last {
      throw ConformanceFailure("\(steps[first].reason) comes before \(steps[last].reason)")
    }
    let refusing = places { if case .deny = $0 { true } else { false } }
    let removing = places { if case .removeUnit = $0 { true } else { false } }
    if let last = refusing.last, let first = removing.first, first < last {
      throw ConformanceFailure("\(steps[first].reason) comes before \(steps[last].reason)")
    }
  }
}
