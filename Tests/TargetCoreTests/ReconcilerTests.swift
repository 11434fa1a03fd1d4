import HostInterface
import TargetCore
import Testing

@Suite struct ReconcilerTests {
  @Test func aNewTargetIsClosedUntilItIsEnabled() throws {
    let spec = try spec(alpha) {
      $0.parameters = [.initialR2T: "Yes", .maxBurstLength: "512"]
      $0.attributes = ["mode": "1"]
      $0.chap = CHAPSpec(incoming: [try account("jack")], outgoing: .some(try account("me")))
      $0.units = [try unit(1)]
      $0.initiators = [try Initiator("10.0.0.1")]
      $0.portals = [try Portal("10.0.0.9")]
    }
    #expect(
      try sentences([spec], from: LiveState()) == [
        "create target \(alpha)", "set InitialR2T of \(alpha) to Yes",
        "set MaxBurstLength of \(alpha) to 512",
        "set mode of \(alpha) to 1", "set incoming CHAP account jack of \(alpha)",
        "set outgoing CHAP account me of \(alpha)", "add lun 1 of \(alpha) (/disk)",
        "allow 10.0.0.1 to log in to \(alpha)", "add portal 10.0.0.9:3260 to \(alpha)",
        "enable target \(alpha)",
      ])
  }

  @Test(
    arguments: [
      (nil, nil, false, ["enable"]), (true, nil, false, ["enable"]), (false, nil, false, []),
      (nil, nil, true, []), (true, nil, true, []), (false, nil, true, ["disable"]),
      (nil, true, false, []), (nil, false, true, []), (nil, false, false, []),
      (true, false, false, ["enable"]),
      (true, true, false, []),
      (false, true, false, ["disable"]), (false, false, true, []),
    ] as [(Bool?, Bool?, Bool, [String])])
  func enabledIsWhatIsSaid(wanted: Bool?, now: Bool?, newAreEnabled: Bool, expected: [String]) throws {
    for isOpen in [true, false] {
      let state = try now.map { enabled in
        try live {
          $0.enabled = enabled
          if isOpen { $0.initiators = [.all] }
        }
      }
      let found = try sentences([spec(alpha) { $0.enabled = wanted }], from: state ?? LiveState()) {
        $0.newTargetsAreEnabled = newAreEnabled
      }
      // What lets nobody in may be what a killed run left behind.
      let isLeftBehind = wanted == nil && now == false && !newAreEnabled && !isOpen
      let expected = isLeftBehind ? ["enable"] : expected
      #expect(found.filter { !$0.hasPrefix("create") } == expected.map { "\($0) target \(alpha)" })
    }
  }

  @Test func whatIsUnfinishedIsMadeAgain() throws {
    let state = try live { $0.isUnfinished = true }
    #expect(
      try sentences([spec(alpha) { $0.id = 7 }], from: state) == [
        "create target \(alpha)", "enable target \(alpha)",
      ])
  }

  @Test func whatIsNotNamedIsLeftAsItIs() throws {
    let state = try live {
      $0.initiators = [.all]
      $0.chap.incoming = [try account("jack")]
      $0.units[try LUN(1)] = try unit(1) { $0.serial = "x" }
      $0.parameters = [.initialR2T: "No"]
      $0.attributes = ["mode": "1"]
      $0.portals = [try Portal("10.0.0.9")]
    }
    #expect(try sentences([spec(alpha)], from: state) == [])
    #expect(try sentences([spec(alpha) { $0.chap = CHAPSpec() }], from: state) == [])
    #expect(try sentences([spec(alpha) { $0.units = [try unit(1)] }], from: state) == [])
    #expect(try sentences([], from: state) == [])
  }

  @Test func aListIsWhole() throws {
    let state = try live {
      $0.initiators = [try Initiator("10.0.0.1"), try Initiator("10.0.0.2")]
      $0.chap.incoming = [try account("jack"), try account("jill")]
      $0.chap.outgoing = try account("me")
      $0.units[try LUN(1)] = try unit(1)
      $0.units[try LUN(2)] = try unit(2)
      $0.portals = [try Portal("10.0.0.8"), try Portal("10.0.0.9")]
    }
    let spec = try spec(alpha) {
      $0.initiators = [try Initiator("10.0.0.2"), try Initiator("10.0.0.3")]
      $0.chap = CHAPSpec(incoming: [try account("jill"), try account("joe")], outgoing: .some(nil))
      $0.units = [try unit(2), try unit(3)]
      $0.portals = [try Portal("10.0.0.9"), try Portal("10.0.0.10")]
    }
    #expect(
      try sentences([spec], from: state) == [
        "clear outgoing CHAP account me of \(alpha)", "clear incoming CHAP account jack of \(alpha)",
        "set incoming CHAP account joe of \(alpha)", "remove lun 1 of \(alpha)",
        "add lun 3 of \(alpha) (/disk)",
        "deny 10.0.0.1 to log in to \(alpha)", "allow 10.0.0.3 to log in to \(alpha)",
        "remove portal 10.0.0.8:3260 from \(alpha)", "add portal 10.0.0.10:3260 to \(alpha)",
      ])
  }

  @Test func unitsAreSetWhereTheyCanBeAndReplacedWhereNot() throws {
    let state = try live {
      $0.units[try LUN(1)] = try unit(1) {
        $0.blockSize = 512
        $0.readOnly = false
        $0.serial = "a"
        $0.attributes = ["flags": "x", "other": "y"]
      }
    }
    func changes(_ set: (inout LogicalUnit) -> Void) throws -> [Change] {
      let desired = DesiredState(targets: [try spec(alpha) { $0.units = [try unit(1, "/disk", set)] }])
      return try Reconciler(capabilities: .ofEverything).changes(to: desired, from: state)
    }
    let name = try TargetName(alpha)
    #expect(
      try changes {
        $0.blockSize = 512
        $0.readOnly = true
        $0.serial = "a"
      } == [.setUnit(name, try unit(1) { $0.readOnly = true })])
    #expect(
      try changes { $0.attributes = ["flags": "z", "other": "y"] } == [
        .setUnit(name, try unit(1) { $0.attributes = ["flags": "z"] })
      ])
    // A setting that the implementation does not tell cannot be seen to differ.
    #expect(try changes { $0.vendor = "v" } == [])
    var unread = state
    unread.targets[name]?.units[try LUN(1)]?.backing = .unread
    #expect(try sentences([spec(alpha) { $0.units = [try unit(1)] }], from: unread) == [])
    let replaced = try changes { $0.blockSize = 4096 }
    #expect(replaced.map(\.description) == ["replace lun 1 of \(alpha) (/disk)"])
    let moved = try Reconciler(capabilities: .ofEverything, options: .init(force: true)).changes(
      to: DesiredState(targets: [try spec(alpha) { $0.units = [try unit(1, "/other")] }]), from: state)
    let identity = Identity.derived(target: name, lun: try LUN(1))
    #expect(
      moved == [
        .replaceUnit(
          name,
          try unit(1, "/other") {
            $0.serial = identity
            $0.scsiID = identity
            $0.cache = .through
          }, force: true)
      ])
  }

  @Test(
    arguments: [
      (nil, nil, nil), (nil, ["all"], nil), (nil, ["10.0.0.1"], ["10.0.0.1"]),
      (["10.0.0.1"], ["10.0.0.1"], nil),
      (["10.0.0.1"], ["10.0.0.2", "10.0.0.1"], ["10.0.0.2", "10.0.0.1"]), (["10.0.0.1"], [], []),
      (["10.0.0.1"], nil, nil),
    ] as [([String]?, [String]?, [String]?)])
  func theAudienceOfAUnitIsSet(now: [String]?, wanted: [String]?, expected: [String]?) throws {
    let state = try live { $0.units[try LUN(1)] = try unit(1) }
    func disk(for list: [String]?) throws -> LogicalUnit {
      var disk = try unit(1)
      disk.initiators = try list?.map { try Initiator($0) }
      return disk
    }
    var seen = state
    let name = try TargetName(alpha)
    seen.targets[name]?.units[try LUN(1)] = try disk(for: now)
    let desired = DesiredState(targets: [try spec(alpha) { $0.units = [try disk(for: wanted)] }])
    for unitInitiators in [true, false] {
      var capabilities = Capabilities.ofEverything
      capabilities.unitInitiators = unitInitiators
      let changes = try Reconciler(capabilities: capabilities).changes(to: desired, from: seen)
      #expect(changes == (expected == nil ? [] : [.setUnit(name, try disk(for: expected))]))
      // What cannot be expressed is refused, never passed over.
      #expect(changes.allSatisfy { capabilities.refusals(of: $0).isEmpty == unitInitiators })
    }
  }

  @Test(
    arguments: [
      // Everyone who may log in sees it, which is what the list says.
      (nil, ["10.0.0.1"], ["10.0.0.1"], nil), (nil, ["10.0.0.1"], ["10.0.0.1", "10.0.0.2"], nil),
      (nil, ["10.0.0.1", "10.0.0.2"], ["10.0.0.1"], ["10.0.0.1"]),
      // Who may not log in cannot be seen to see it.
      (["10.0.0.1"], ["10.0.0.1", "10.0.0.3"], ["10.0.0.1", "10.0.0.2"], nil),
      ([], ["10.0.0.1"], ["10.0.0.1", "10.0.0.2"], ["10.0.0.1", "10.0.0.2"]),
    ] as [([String]?, [String], [String], [String]?)])
  func theAudienceIsComparedAmongThoseWhoMayLogIn(
    now: [String]?, allowed: [String], wanted: [String], expected: [String]?
  ) throws {
    func list(_ texts: [String]?) throws -> [Initiator]? { try texts?.map { try Initiator($0) } }
    let state = try live {
      $0.initiators = Set(try list(allowed) ?? [])
      var disk = try unit(1)
      disk.initiators = try list(now)
      $0.units[disk.lun] = disk
    }
    var disk = try unit(1)
    disk.initiators = try list(wanted)
    let changes = try Reconciler(capabilities: .ofEverything).changes(
      to: DesiredState(targets: [try spec(alpha) { $0.units = [disk] }]), from: state)
    disk.initiators = try list(expected)
    #expect(changes == (expected == nil ? [] : [.setUnit(try TargetName(alpha), disk)]))
  }

  @Test func anAttributeThatIsFixedReplacesTheUnit() throws {
    var capabilities = Capabilities.ofEverything
    capabilities.fixedUnitAttributes = ["flags"]
    let state = try live {
      $0.units[try LUN(1)] = try unit(1) { $0.attributes = ["flags": "x", "other": "y"] }
    }
    for (attributes, replaces) in [
      (["flags": "z"], true), (["flags": "x"], false), (["flags": "x", "other": "z"], false),
    ] {
      let wanted = try spec(alpha) { $0.units = [try unit(1) { $0.attributes = attributes }] }
      let changes = try Reconciler(capabilities: capabilities).changes(
        to: DesiredState(targets: [wanted]), from: state)
      #expect(changes.contains { if case .replaceUnit = $0 { true } else { false } } == replaces)
    }
  }

  @Test func newUnitsAreCompleted() throws {
    let name = try TargetName(alpha)
    let reconciler = Reconciler(capabilities: .ofEverything)
    let identity = Identity.derived(target: name, lun: try LUN(1))
    let disk = reconciler.completed(try unit(1), of: name)
    #expect(disk.serial == identity && disk.scsiID == identity && disk.cache == .through)
    let given = reconciler.completed(
      try unit(1) {
        $0.serial = "s"
        $0.scsiID = "i"
        $0.cache = .back
      }, of: name)
    #expect(given.serial == "s" && given.scsiID == "i" && given.cache == .back)
    let drive = reconciler.completed(try unit(1) { $0.deviceType = .cd }, of: name)
    #expect(drive.cache == nil)
    #expect(reconciler.completed(LogicalUnit(lun: try LUN(1), backing: .none), of: name).cache == nil)
    let plain = Reconciler(capabilities: Capabilities(luns: 0...1)).completed(try unit(1), of: name)
    #expect(plain == (try unit(1)))
  }

  @Test func accountsThatAreThereKeepTheirSecretUnlessItIsSeenToDiffer() throws {
    let spec = try spec(alpha) {
      $0.chap = CHAPSpec(incoming: [try account("jack")], outgoing: .some(try account("me")))
    }
    func state(_ secret: String?) throws -> LiveState {
      try live {
        let users = (try CHAPUser("jack"), try CHAPUser("me"))
        let secret = secret.map { Secret($0.utf8) }
        $0.chap.incoming = [
          try secret.map { try CHAPAccount(user: users.0, secret: $0) } ?? CHAPAccount(user: users.0)
        ]
        $0.chap.outgoing =
          try secret.map { try CHAPAccount(user: users.1, secret: $0) } ?? CHAPAccount(user: users.1)
      }
    }
    let both = ["set incoming CHAP account jack of \(alpha)", "set outgoing CHAP account me of \(alpha)"]
    #expect(try sentences([spec], from: state(nil)) == [])
    #expect(try sentences([spec], from: state("123456789012")) == [])
    #expect(try sentences([spec], from: state("another-secret")) == both)
    #expect(try sentences([spec], from: state(nil), .init(rewriteSecrets: true)) == both)
    let other = try live { $0.chap.outgoing = CHAPAccount(user: try CHAPUser("you")) }
    #expect(try sentences([spec], from: other) == both)
  }

  @Test func discoveryIsReconciledToo() throws {
    var state = LiveState()
    state.discovery.incoming = [CHAPAccount(user: try CHAPUser("jack"))]
    let discovery = CHAPSpec(incoming: [try account("jill")])
    #expect(
      try sentences([], from: state, discovery: discovery) == [
        "clear incoming CHAP account jack of discovery", "set incoming CHAP account jill of discovery",
      ])
    #expect(try sentences([], from: state) == [])
  }

  @Test func pruningDeletesWhatIsNotNamed() throws {
    let state = try live()
    #expect(try sentences([spec(beta) { $0.enabled = false }], from: state) == ["create target \(beta)"])
    #expect(
      try sentences([spec(beta) { $0.enabled = false }], from: state, .init(prune: true)) == [
        "delete target \(alpha)", "create target \(beta)",
      ])
    #expect(try sentences([spec(alpha)], from: state, .init(prune: true)) == [])
  }

  @Test func forceIsPassedOn() throws {
    let state = try live { $0.units[try LUN(1)] = try unit(1) }
    for force in [true, false] {
      let reconciler = Reconciler(capabilities: .ofEverything, options: .init(prune: true, force: force))
      let name = try TargetName(alpha)
      #expect(try reconciler.changes(to: DesiredState(), from: state) == [.deleteTarget(name, force: force)])
      let desired = DesiredState(targets: [try spec(alpha) { $0.units = [] }])
      #expect(
        try reconciler.changes(to: desired, from: state) == [.removeUnit(name, try LUN(1), force: force)])
    }
  }

  @Test func aValueThatReadsBackOtherwiseIsNotSetAgain() throws {
    let state = try live { $0.parameters = [.maxConnections: "1"] }
    let spec = try spec(alpha) { $0.parameters = [.maxConnections: "8"] }
    #expect(try sentences([spec], from: state) == ["set MaxConnections of \(alpha) to 8"])
    #expect(try sentences([spec], from: state) { $0.parameterReadsAs = [.maxConnections: ["8": "1"]] } == [])
  }
}
