import HostInterface
import Quartet
import STGTBackend
import STGTSimulator
import Simulation
import TargetCore
import Testing

/// CHAP accounts in small worlds: after every step of every plan the daemon still answers (a hole in an account list
/// ends it at the next show), and no target lets in whom it asked for a proof before and will ask after.
@Suite struct AccountPlanTests {
  /// Which accounts are bound where, in order.
  struct World: Sendable, CustomStringConvertible {
    var first: [String]
    var second: [String]
    var discovery: [String]
    /// The account by which the first target proves itself.
    var outgoing: String?

    var description: String { "\(first) \(second) \(discovery) \(outgoing ?? "none")" }

    static let lists: [[String]] = [[], ["a"], ["a", "b"], ["a", "b", "c"]]

    static var all: [World] {
      var worlds: [World] = []
      for first in lists {
        for second in [[], ["b", "a"]] as [[String]] {
          for discovery in [[], ["a", "b"]] as [[String]] {
            for outgoing in [nil, "a"] {
              worlds.append(World(first: first, second: second, discovery: discovery, outgoing: outgoing))
            }
          }
        }
      }
      return worlds
    }
  }

  private static func account(_ user: String, _ secret: String = "secretsecret") throws -> CHAPAccount {
    try CHAPAccount(user: CHAPUser(user), secret: Secret(secret.utf8))
  }

  private static func names() throws -> (TargetName, TargetName) {
    (try TargetName("iqn.2011-12.com.example:one"), try TargetName("iqn.2011-12.com.example:two"))
  }

  /// The changes to try in a world.
  private static func changes(_ world: World) throws -> [Change] {
    let (one, _) = try names()
    var changes: [Change] = []
    for user in ["a", "b", "d", "new"] {
      for rewrite in [false, true] {
        changes.append(.setAccount(one, .incoming, try account(user, "anothersecret"), rewrite: rewrite))
        changes.append(.setAccount(one, .outgoing, try account(user, "anothersecret"), rewrite: rewrite))
      }
      changes.append(.setAccount(nil, .incoming, try account(user, "anothersecret"), rewrite: true))
    }
    changes += try world.first.map { .clearAccount(one, .incoming, try CHAPUser($0)) }
    changes += try world.discovery.map { .clearAccount(nil, .incoming, try CHAPUser($0)) }
    if let user = world.outgoing { changes.append(.clearAccount(one, .outgoing, try CHAPUser(user))) }
    return changes
  }

  private static func document(_ world: World) throws -> DesiredState {
    let (one, two) = try names()
    var (first, second) = (TargetSpec(name: one), TargetSpec(name: two))
    first.initiators = [.all]
    second.initiators = [.all]
    first.chap = CHAPSpec(incoming: try world.first.map { try account($0) })
    if let user = world.outgoing { first.chap?.outgoing = .some(.some(try account(user))) }
    second.chap = CHAPSpec(incoming: try world.second.map { try account($0) })
    let discovery = CHAPSpec(incoming: try world.discovery.map { try account($0) })
    return DesiredState(targets: [first, second], discovery: discovery)
  }

  /// Makes the world, walks through the plan of a change, and looks after every step.
  private static func walk(_ change: Change, in world: World, _ implementation: Implementation) async throws {
    try await implementation.apply(try document(world))
    let detail = ReadDetail(shared: true)
    let before = try await implementation.read(detail)
    var options = PerformOptions()
    options.dryRun = true
    let plan = try await implementation.perform([change], options: options).plan
    var prefixes: [LiveState] = []
    for step in plan.steps {
      let executor = Executor(judge: { implementation.backend.judge($0, $1) })
      let alone = Chain(subject: "", steps: [Step(step.operation, reason: step.reason)])
      try await executor.run(Plan(stages: [Stage(title: "", chains: [alone])]), on: implementation.host)
      prefixes.append(try await implementation.read(detail))
    }
    let after = prefixes.last ?? before
    for (number, state) in prefixes.enumerated() {
      for target in state.targets.values where !target.initiators.isEmpty && target.chap.incoming.isEmpty {
        let asked = [before, after].allSatisfy { $0.targets[target.name]?.chap.incoming.isEmpty == false }
        #expect(
          !asked, "\(world), \(change): open after step \(number + 1): \(plan.steps.map(\.operation.display))"
        )
      }
    }
    for name in before.targets.keys {
      #expect(before.targets[name]?.initiators == after.targets[name]?.initiators, "\(world), \(change)")
    }
    let missing = change.missing(in: after, implementation.backend.capabilities)
    #expect(missing == nil, "\(world), \(change): \(missing ?? "")")
    try expectOthersAsTheyWere(change, before, after, world)
  }

  /// Every account but the one that is changed is bound where it was.
  private static func expectOthersAsTheyWere(
    _ change: Change, _ before: LiveState, _ after: LiveState, _ world: World
  ) throws {
    func bindings(_ state: LiveState) -> Set<String> {
      var found: Set<String> = []
      func add(_ chap: CHAPAccounts, _ place: String) {
        found.formUnion(chap.incoming.map { "\($0.user) in \(place)" })
        if let user = chap.outgoing?.user { found.insert("\(user) out of \(place)") }
      }
      for target in state.targets.values { add(target.chap, "\(target.name)") }
      add(state.discovery, "discovery")
      return found
    }
    let allowed: Set<String>
    switch change {
    case .setAccount(let name, .incoming, let account, _):
      allowed = ["\(account.user) in \(name?.description ?? "discovery")"]
    case .setAccount(let name, .outgoing, let account, _):
      let place = name?.description ?? "discovery"
      allowed = ["\(account.user) out of \(place)", "\(world.outgoing ?? "") out of \(place)"]
    case .clearAccount(let name, let direction, let user):
      allowed = ["\(user) \(direction == .incoming ? "in" : "out of") \(name?.description ?? "discovery")"]
    default: allowed = []
    }
    let moved = bindings(before).symmetricDifference(bindings(after)).subtracting(allowed)
    #expect(moved.isEmpty, "\(world), \(change): \(moved)")
  }

  @Test(arguments: World.all) func holdsInTheModel(_ world: World) async throws {
    for change in try Self.changes(world) {
      let host = SimulatedHost(services: [SimulatedTgtd()])
      try await Self.walk(change, in: world, Implementation(.stgt, on: host))
    }
  }

  /// One in so many of the same worlds, on the real daemon.
  @Test(.enabled(if: RealTgtd.isInstalled, RealTgtd.reason))
  func holdsInTheRealOne() async throws {
    let tgtd = try await RealTgtd()
    var number = 0
    for world in World.all {
      for change in try Self.changes(world) {
        number += 1
        guard number % 17 == 0 else { continue }
        try await Self.walk(change, in: world, tgtd.implementation())
        try await tgtd.start()
      }
    }
  }
}
