import HostInterface
import TargetCore
import Testing

@Suite struct PlannerTests {
  private let name: TargetName
  private let lun: LUN

  init() throws {
    name = try TargetName(alpha)
    lun = try LUN(1)
  }

  private func plan(_ changes: [Change], from live: LiveState, _ backend: FakeBackend = FakeBackend()) throws
    -> Plan
  {
    try Planner(backend: backend).plan(changes, from: live)
  }

  /// A live target with one of everything.
  private func full() throws -> LiveState {
    var state = try live {
      $0.units[lun] = try unit(1)
      $0.units[try LUN(2)] = try unit(2)
      $0.initiators = [.all]
      $0.chap.incoming = [try account("jack")]
      $0.portals = [try Portal("10.0.0.8")]
      $0.sessions = [Session(id: "7", initiator: "iqn.2011-12.com.example:ini", connections: [])]
    }
    let other = Target(name: try TargetName(beta), id: 2)
    state.targets[other.name] = other
    return state
  }

  @Test func aBackendIsToldWhomThePlanWillLetIn() throws {
    let backend = FakeBackend()
    let (one, other) = (try Initiator("10.0.0.1"), try Initiator("10.0.0.2"))
    _ = try plan(
      [.createTarget(name, id: nil), .addUnit(name, try unit(1)), .allow(name, one), .allow(name, other)],
      from: LiveState(), backend)
    #expect(backend.log.arriving.withLock { $0 } == [name: [one, other]])
  }

  @Test func thePhasesComeInOneOrderWhateverTheOrderOfTheChanges() throws {
    let gamma = try TargetName("iqn.2011-12.com.example:gamma")
    let inOrder: [Change] = [
      .deny(name, .all), .removePortal(name, try Portal("10.0.0.8")), .closeSession(name, id: "7"),
      .removeUnit(name, lun, force: false), .deleteTarget(try TargetName(beta), force: false),
      .createTarget(gamma, id: nil), .setAccount(gamma, .incoming, try account("jill"), rewrite: false),
      .addUnit(gamma, try unit(1)), .clearAccount(name, .incoming, try CHAPUser("jack")),
      .addPortal(gamma, try Portal("10.0.0.9")), .enableTarget(gamma), .allow(gamma, .all),
      .enableTarget(name),
    ]
    let titles = [
      "refuse logins", "remove portals", "close sessions", "remove logical units", "delete targets",
      "create targets",
      "set accounts, parameters and attributes", "add and change logical units", "clear accounts",
      "add portals", "enable targets that let nobody in yet", "allow initiators", "enable targets",
    ]
    let state = try full()
    for changes in [inOrder, inOrder.reversed()] {
      let backend = FakeBackend()
      let plan = try plan(changes, from: state, backend)
      #expect(plan.stages.map(\.title) == titles)
      #expect(plan.steps.map(\.reason) == inOrder.map(\.description))
      #expect(backend.log.changes.count == inOrder.count)
    }
  }

  @Test func whatIsUnfinishedIsMadeAgain() throws {
    var state = try full()
    #expect(throws: Failure.self) { try plan([.createTarget(name, id: nil)], from: state) }
    state.targets[name]?.isUnfinished = true
    #expect(try plan([.createTarget(name, id: nil)], from: state).steps.count == 1)
  }

  @Test func everyChangeStandsInItsPhase() throws {
    let portal = try Portal("10.0.0.9")
    let user = try CHAPUser("jack")
    let pairs: [(Change, String)] = [
      (.disableTarget(name), "refuse logins"),
      (.replaceUnit(name, try unit(1), force: true), "add and change logical units"),
      (.setUnit(name, try unit(1)), "add and change logical units"),
      (.resizeUnit(name, lun), "add and change logical units"),
      (.setParameter(name, .initialR2T, "Yes"), "set accounts, parameters and attributes"),
      (.setAttribute(name, "mode", "1"), "set accounts, parameters and attributes"),
      (
        .setAccount(nil, .incoming, try account("a"), rewrite: true),
        "set accounts, parameters and attributes"
      ),
      (.clearAccount(nil, .incoming, user), "clear accounts"), (.addPortal(nil, portal), "add portals"),
      (.removePortal(name, try Portal("10.0.0.8")), "remove portals"),
    ]
    for (change, title) in pairs {
      let plan = try plan([change], from: try full())
      #expect(plan.stages.map(\.title) == [title], "\(change)")
    }
  }

  @Test func aTargetThatIsCreatedDisabledIsDisabledAfterThat() throws {
    let plan = try plan([.createTarget(name, id: nil), .disableTarget(name)], from: LiveState())
    #expect(plan.steps.map(\.reason) == ["create target \(alpha)", "disable target \(alpha)"])
  }

  @Test func chainsAreAsManyAsTheObjects() throws {
    let changes: [Change] = [
      .setUnit(name, try unit(1)), .resizeUnit(name, lun), .setUnit(name, try unit(2)),
      .setParameter(name, .initialR2T, "Yes"), .setParameter(name, .immediateData, "Yes"),
    ]
    let plan = try plan(changes, from: try full())
    #expect(
      plan.stages.map { $0.chains.map(\.subject) } == [[alpha], ["lun 1 of \(alpha)", "lun 2 of \(alpha)"]])
    #expect(plan.stages.map { $0.chains.map(\.steps.count) } == [[2], [2, 1]])
  }

  @Test func numbersAreGivenOutOnce() throws {
    let names = try (0..<4).map { try TargetName("iqn.2011-12.com.example:n\($0)") }
    func numbers(_ changes: [Change], _ live: LiveState, in range: ClosedRange<UInt32> = 1...9) throws
      -> [UInt32?]
    {
      let backend = FakeBackend()
      var capable = backend
      capable.capabilities.targetIDs = range
      _ = try plan(changes, from: live, capable)
      return backend.log.changes.compactMap {
        if case .createTarget(_, let id) = $0 { .some(id) } else { nil }
      }
    }
    let all = names.map { Change.createTarget($0, id: nil) }
    #expect(try numbers(all, LiveState()) == [1, 2, 3, 4])
    #expect(try numbers(all, live()) == [2, 3, 4, 5])
    #expect(try numbers(all, live { $0.id = 8 }) == [9, 1, 2, 3])
    #expect(try numbers([all[0]], live(), in: 5...9) == [5])
    #expect(try numbers([.createTarget(names[0], id: 7), all[1]], live()) == [7, 8])
    #expect(try numbers([all[1], .createTarget(names[0], id: 2)], live()) == [2, 3])
    #expect(try numbers([.createTarget(names[0], id: 1), .deleteTarget(name, force: false)], live()) == [1])
    #expect(try numbers([all[0], .deleteTarget(name, force: false)], live()) == [2])

    let taken = #expect(throws: Failure.self) { try numbers([.createTarget(names[0], id: 1)], live()) }
    #expect(taken?.code == .exists && taken?.problem.contains(alpha) == true)
    #expect(throws: Failure.self) {
      try numbers([.createTarget(names[0], id: 2), .createTarget(names[1], id: 2)], live())
    }
    let full = #expect(throws: Failure.self) { try numbers(all, live(), in: 1...4) }
    #expect(full?.code == .refused && full?.problem.contains("all 4 numbers are taken") == true)
    var without = FakeBackend()
    without.capabilities.targetIDs = nil
    _ = try plan([all[0]], from: live(), without)
    #expect(without.log.changes == [all[0]])
  }

  @Test func whatIsNotThereIsNotChanged() throws {
    let lacking = try TargetName("iqn.2011-12.com.example:lacking")
    let nine = try LUN(9)
    let cases: [(Change, Failure.Code)] = [
      (.createTarget(name, id: nil), .exists), (.deleteTarget(lacking, force: true), .notFound),
      (.enableTarget(lacking), .notFound), (.addUnit(lacking, try unit(1)), .notFound),
      (.addUnit(name, try unit(1)), .exists), (.removeUnit(name, nine, force: true), .notFound),
      (.resizeUnit(name, nine), .notFound), (.setUnit(name, try unit(9)), .notFound),
      (.replaceUnit(name, try unit(9), force: true), .notFound), (.allow(lacking, .all), .notFound),
      (.setAccount(lacking, .incoming, try account("a"), rewrite: false), .notFound),
      (.addPortal(lacking, try Portal("10.0.0.9")), .notFound),
    ]
    for (change, code) in cases {
      let backend = FakeBackend()
      let failure = #expect(throws: Failure.self) { try plan([change], from: try full(), backend) }
      #expect(failure?.code == code, "\(change)")
      #expect(backend.log.changes.isEmpty)
    }
  }

  @Test func laterChangesSeeTheEarlierOnes() throws {
    let added = try plan([.addUnit(name, try unit(3)), .resizeUnit(name, try LUN(3))], from: try full())
    #expect(added.steps.count == 2)
    #expect(throws: Failure.self) {
      try plan([.addUnit(name, try unit(3)), .addUnit(name, try unit(3))], from: try full())
    }
    let renewed = try plan(
      [.closeSession(name, id: "7"), .deleteTarget(name, force: false), .createTarget(name, id: nil)],
      from: try full())
    #expect(renewed.steps.count == 3)
  }

  @Test func whatIsInUseIsLeftAlone() throws {
    let removals: [Change] = [
      .deleteTarget(name, force: false), .removeUnit(name, lun, force: false),
      .replaceUnit(name, try unit(1, "/x"), force: false),
    ]
    for change in removals {
      let failure = #expect(throws: Failure.self) { try plan([change], from: try full()) }
      #expect(failure?.code == .inUse)
      #expect(failure?.problem.contains("iqn.2011-12.com.example:ini") == true)
      // Quiet before removal: with its sessions closed in the same plan, it may go.
      #expect(try !plan([change, .closeSession(name, id: "7")], from: try full()).isEmpty)
    }
    #expect(try !plan([.deleteTarget(name, force: true)], from: try full()).isEmpty)
    #expect(try !plan([.removeUnit(name, lun, force: true)], from: try full()).isEmpty)
  }

  @Test func anEmptyPlanIsEmpty() throws {
    #expect(try plan([], from: try full()).stages.isEmpty)
  }

  /// The time is linear when each change is looked at once; that is counted, not timed.
  @Test func tenThousandUnitsAreAskedForOnceEach() throws {
    let units = try (0..<10_000).map { try unit($0, "/dev/vg/lun\($0)") }
    let desired = DesiredState(targets: [try spec(alpha) { $0.units = units }])
    let changes = try Reconciler(capabilities: .ofEverything).changes(to: desired, from: LiveState())
    #expect(changes.count == 10_002)
    let backend = FakeBackend()
    let plan = try plan(changes, from: LiveState(), backend)
    let asked = backend.log.changes
    #expect(asked.count == 10_002)
    #expect(Set(asked.compactMap(\.lun)).count == 10_000)
    #expect(plan.stages.map(\.chains.count) == [1, 10_000, 1])
  }
}
