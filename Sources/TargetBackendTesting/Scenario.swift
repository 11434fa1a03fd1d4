import HostInterface
import Quartet
import TargetCore

/// A state, and one run that changes it.
struct Scenario: Sendable {
  /// What is exported before.
  var start: DesiredState
  /// The run.
  var run: @Sendable (Implementation, PerformOptions) async throws -> Proposal
  /// Whether it changes what is not read back: secrets of accounts that are there.
  var isSecret: Bool
  /// What finishes the run after the program was killed in it.
  var finish: @Sendable (Implementation) async throws -> Proposal

  /// A run that makes a document true, and that is finished by doing so again.
  init(
    from start: DesiredState = DesiredState(), to document: DesiredState,
    _ options: Reconciler.Options = Reconciler.Options()
  ) {
    self.start = start
    isSecret = options.rewriteSecrets
    run = { try await $0.apply(document, reconciling: options, options: $1) }
    finish = { try await $0.apply(document, reconciling: options) }
  }
}

/// Makes a scenario from the samples.
typealias ScenarioMaker = @Sendable (Trial) async throws -> Scenario

extension Scenario {
  /// The scenarios that the cases about faults, kills and order go through.
  static let all: [(name: String, make: ScenarioMaker)] = [
    ("a rich target that is created", { Scenario(to: try await $0.samples.richDocument()) }),
    ("a rich target that is deleted", deletion), ("a logical unit that is replaced", replacement),
    ("accounts that get other secrets", rewriting), ("accounts that come and go", accounts),
    ("a document that adds and removes", addingAndRemoving),
  ]

  private static let deletion: ScenarioMaker = { trial in
    Scenario(
      from: DesiredState(targets: [try await trial.samples.rich(1), try await trial.samples.rich(2)]),
      to: DesiredState(targets: [TargetSpec(name: try trial.samples.name(2))]),
      Reconciler.Options(prune: true, force: true))
  }

  private static let replacement: ScenarioMaker = { trial in
    let start = try await trial.samples.rich()
    var end = start
    end.units?[0].backing = try await trial.samples.unit(0, bytes: Samples.backingSize * 2).backing
    end.units?[0].serial = trial.samples.values(of: .serial)?.last
    return Scenario(from: DesiredState(targets: [start]), to: DesiredState(targets: [end]))
  }

  /// One account is used at two targets and, where it can be, by discovery.
  private static let rewriting: ScenarioMaker = { trial in
    func document(_ secret: String) async throws -> DesiredState {
      let accounts = [
        try trial.samples.account("shared", secret: secret), try trial.samples.account("own", secret: secret),
      ]
      let incoming = Array(accounts.prefix(trial.capabilities.incomingAccountLimit ?? 2))
      var specs = [TargetSpec(name: try trial.samples.name(1)), TargetSpec(name: try trial.samples.name(2))]
      for index in specs.indices {
        specs[index].initiators = try trial.samples.initiators()
        specs[index].chap = CHAPSpec(incoming: index == 0 ? incoming : incoming.reversed())
      }
      let discovery = trial.capabilities.discoveryCHAP ? CHAPSpec(incoming: [accounts[0]]) : nil
      return DesiredState(targets: specs, discovery: discovery)
    }
    return Scenario(
      from: try await document("an-old-secret"), to: try await document("a-new-secret"),
      Reconciler.Options(rewriteSecrets: true))
  }

  private static let accounts: ScenarioMaker = { trial in
    let start = try await trial.samples.rich()
    var end = start
    var incoming = Array(start.chap?.incoming?.dropFirst() ?? []) + [try trial.samples.account("joan")]
    if let limit = trial.capabilities.incomingAccountLimit { incoming = Array(incoming.suffix(limit)) }
    end.chap = CHAPSpec(incoming: incoming, outgoing: .some(.none))
    return Scenario(from: DesiredState(targets: [start]), to: DesiredState(targets: [end]))
  }

  private static let addingAndRemoving: ScenarioMaker = { trial in
    let (start, leaving) = (try await trial.samples.rich(1), try await trial.samples.rich(2))
    var end = start
    end.units = [try await trial.samples.namedUnit(0), try await trial.samples.unit(4)]
    end.units?[0].backing = start.units?[0].backing ?? .none
    end.initiators = try Array(trial.samples.initiators().dropFirst()) + [trial.samples.initiator(.name)]
    end.initiators?.removeAll { !trial.capabilities.initiatorKinds.contains($0.kind) }
    end.chap?.incoming = [try trial.samples.account("joan")]
    for parameter in start.parameters.keys {
      end.parameters[parameter] = trial.samples.values(of: parameter)?.first
    }
    for (name, values) in trial.world.targetAttributes { end.attributes[name] = values.last }
    var arriving = TargetSpec(name: try trial.samples.name(3))
    // Which number is free depends on where the first run was killed.
    arriving.id = trial.capabilities.targetIDs.map { $0.lowerBound + 40 }
    arriving.units = [try await trial.samples.unit(0)]
    arriving.initiators = try trial.samples.initiators()
    if trial.capabilities.portalScope == .target, let portal = trial.world.portals.last {
      end.portals = [portal]
    }
    return Scenario(
      from: DesiredState(targets: [start, leaving]), to: DesiredState(targets: [end, arriving]),
      Reconciler.Options(prune: true, force: true))
  }
}
