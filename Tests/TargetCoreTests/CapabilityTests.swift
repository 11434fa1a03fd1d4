import HostInterface
import TargetCore
import Testing

@Suite struct CapabilityTests {
  private func name() throws -> TargetName { try TargetName(alpha) }

  @Test func whatTheModelCanSayIsTakenByWhatCanDoAll() throws {
    let changes = try Self.everyChange()
    for change in changes { #expect(Capabilities.ofEverything.refusals(of: change) == [], "\(change)") }
  }

  /// Each change that an implementation of nothing must refuse, and in what words.
  @Test func whatCannotBeExpressedIsRefused() throws {
    let name = try name()
    let none = Capabilities(luns: 1...255)
    let cases: [(Change, [String])] = [
      (.createTarget(name, id: 7), ["a number for a target (7)"]), (.createTarget(name, id: nil), []),
      (.addUnit(name, try unit(0)), ["lun 0, 1 to 255 are allowed"]),
      (.addUnit(name, try unit(256)), ["lun 256, 1 to 255 are allowed"]),
      (.addUnit(name, try unit(1)), []),
      (.addUnit(name, try unit(1) { $0.serial = "x" }), ["serial of a logical unit"]),
      (.addUnit(name, try unit(1) { $0.initiators = [] }), ["a logical unit for some initiators only"]),
      (.addUnit(name, try unit(1) { $0.initiators = [.all] }), []),
      (
        .setUnit(name, try unit(1) { $0.attributes = ["b": "1", "a": "2"] }),
        ["attribute a of a logical unit", "attribute b of a logical unit"]
      ),
      (.setParameter(name, .initialR2T, "Yes"), ["parameter InitialR2T"]),
      (.setAttribute(name, "mode", "1"), ["attribute mode of a target"]),
      (.allow(name, .all), ["access by all (all)"]),
      (.allow(name, try Initiator("10.0.0.0/8")), ["access by network (10.0.0.0/8)"]),
      (.allow(name, try Initiator("iqn.*")), ["access by pattern (iqn.*)"]),
      (.setAccount(nil, .incoming, try account("a"), rewrite: false), ["CHAP for discovery"]),
      (.setAccount(name, .outgoing, try account("a"), rewrite: false), ["mutual CHAP"]),
      (.setAccount(name, .incoming, try account("a"), rewrite: false), []),
      (.addPortal(name, try Portal("10.0.0.1,iser")), ["iSER portals (10.0.0.1:3260,iser)"]),
      (.deny(name, .all), []), (.removeUnit(name, try LUN(300), force: true), []),
    ]
    for (change, expected) in cases { #expect(none.refusals(of: change) == expected, "\(change)") }
  }

  @Test func boundsOfAnImplementationAreKept() throws {
    let name = try name()
    var some = Capabilities.ofEverything
    some.targetIDs = 1...100
    some.parameters = [.maxConnections: .number(1...1), .dataPDUInOrder: .only("Yes")]
    some.resizesUnits = false
    some.parameterNotes = [.ifMarker: "markers are not spoken"]
    some.unitFields = [.serial: 4, .blockSize: 255, .deviceType: 255]
    some.deviceTypes = [.disk]
    some.blockSizes = [512, 4096]
    some.portalScope = .implementation
    some.reservedCharacters = [","]
    some.reservedPathCharacters = [" "]
    some.fixedUnitAttributes = ["flags"]
    some.unitAttributes = ["flags"]
    some.mutualCHAP = false
    let cases: [(Change, [String])] = [
      (.createTarget(name, id: 101), ["target number 101, 1 to 100 are allowed"]),
      (.setParameter(name, .maxConnections, "2"), ["parameter MaxConnections of 2, 1 to 1 are allowed"]),
      (.setParameter(name, .maxConnections, "1"), []),
      (
        .setParameter(name, .dataPDUInOrder, "No"), ["parameter DataPDUInOrder of No, it is always Yes"]
      ),
      (.setParameter(name, .dataPDUInOrder, "Yes"), []),
      (
        .addUnit(name, try unit(1, "/a b")),
        ["a backing path with ' ' (make a symbolic link to /a b and use that)"]
      ),
      (.addUnit(name, try unit(1) { $0.attributes = ["flags": "a b"] }), []),
      (
        .setUnit(name, try unit(1) { $0.attributes = ["flags": "a"] }),
        ["flags of a logical unit that exists (replace the logical unit)"]
      ),
      (
        .resizeUnit(name, try LUN(1)),
        ["a resize of a logical unit that exists (replace the logical unit)"]
      ),
      (.setParameter(name, .ifMarker, "Yes"), ["parameter IFMarker (markers are not spoken)"]),
      (.addUnit(name, try unit(1) { $0.serial = "12345" }), ["serial of 5 bytes, at most 4 are allowed"]),
      (.addUnit(name, try unit(1) { $0.deviceType = .tape }), ["device type tape"]),
      (.addUnit(name, try unit(1) { $0.blockSize = 1024 }), ["block size 1024, 512, 4096 are allowed"]),
      (
        .setUnit(name, try unit(1) { $0.blockSize = 512 }),
        ["blockSize of a logical unit that exists (replace the logical unit)"]
      ),
      (.addPortal(name, try Portal("10.0.0.1")), ["portals of one target"]),
      (.addPortal(nil, try Portal("10.0.0.1")), []),
      (.setAccount(nil, .outgoing, try account("a"), rewrite: false), ["mutual CHAP"]),
    ]
    for (change, expected) in cases { #expect(some.refusals(of: change) == expected, "\(change)") }
    for bad in ["a,b", "a\n", "\u{0}", "ä"] {
      #expect(some.refusals(of: .addUnit(name, try unit(1) { $0.serial = bad })).count == 1)
      #expect(some.refusals(of: .addUnit(name, try unit(1) { $0.attributes = ["flags": bad] })).count == 1)
    }
    #expect(some.refusals(of: .addUnit(name, try unit(1, "/a,b"))).first?.contains("symbolic link") == true)
    #expect(some.refusals(of: .setAttribute(name, "mode", "1\n2")).count == 1)
  }

  @Test func incomingAccountsAreCountedAfterAllChanges() throws {
    let name = try name()
    var one = Capabilities.ofEverything
    one.incomingAccountLimit = 1
    let state = try live { $0.chap.incoming = [try account("jack")] }
    let add = Change.setAccount(name, .incoming, try account("jill"), rewrite: false)
    let clear = Change.clearAccount(name, .incoming, try CHAPUser("jack"))
    #expect(one.refusals(ofAll: [add], on: state).count == 1)
    #expect(one.refusals(ofAll: [add, clear], on: state) == [])
    #expect(one.refusals(ofAll: [add], on: LiveState()) == [])
    #expect(
      one.refusals(ofAll: [.setAccount(name, .outgoing, try account("me"), rewrite: false)], on: state) == [])
    #expect(Capabilities.ofEverything.refusals(ofAll: [add], on: state) == [])
  }

  static func everyChange() throws -> [Change] {
    let name = try TargetName(alpha)
    let portal = try Portal("10.0.0.1")
    let user = try CHAPUser("jack")
    return [
      .createTarget(name, id: 2), .deleteTarget(name, force: true), .enableTarget(name), .disableTarget(name),
      .addUnit(name, try unit(2) { $0.serial = "s" }), .replaceUnit(name, try unit(1, "/other"), force: true),
      .setUnit(name, try unit(1) { $0.readOnly = true }), .resizeUnit(name, try LUN(1)),
      .removeUnit(name, try LUN(1), force: true), .setParameter(name, .initialR2T, "Yes"),
      .setAttribute(name, "mode", "2"), .allow(name, try Initiator("10.0.0.2")),
      .deny(name, try Initiator("10.0.0.1")),
      .setAccount(name, .incoming, try account("jill"), rewrite: true),
      .setAccount(name, .outgoing, try account("me"), rewrite: true), .clearAccount(name, .incoming, user),
      .setAccount(nil, .incoming, try account("jill"), rewrite: true), .clearAccount(nil, .incoming, user),
      .addPortal(name, try Portal("10.0.0.2")), .removePortal(name, portal),
      .addPortal(nil, try Portal("10.0.0.2")),
      .removePortal(nil, portal), .closeSession(name, id: "7"),
    ]
  }
}

@Suite struct ChangeTests {
  /// A state in which no change of `everyChange` but the resizing has been made yet.
  private func before() throws -> LiveState {
    var state = try live {
      $0.id = 1
      $0.units[try LUN(1)] = try unit(1) { $0.readOnly = false }
      $0.initiators = [try Initiator("10.0.0.1")]
      $0.chap.incoming = [CHAPAccount(user: try CHAPUser("jack"))]
      $0.parameters = [.initialR2T: "No"]
      $0.attributes = ["mode": "1"]
      $0.portals = [try Portal("10.0.0.1")]
      $0.sessions = [Session(id: "7", initiator: "iqn.2011-12.com.example:ini", connections: [])]
    }
    state.portals = [try Portal("10.0.0.1")]
    state.discovery.incoming = [CHAPAccount(user: try CHAPUser("jack"))]
    return state
  }

  @Test func whatWasDoneIsNotMissing() throws {
    for change in try CapabilityTests.everyChange() {
      var state = try before()
      if case .enableTarget = change { state.apply(.disableTarget(try TargetName(alpha))) }
      if case .resizeUnit = change {
      } else {
        #expect(change.missing(in: state, .ofEverything) != nil, "\(change)")
      }
      state.apply(change)
      #expect(change.missing(in: state, .ofEverything) == nil, "\(change)")
    }
  }

  @Test func whatIsMissingIsSaid() throws {
    let name = try TargetName(alpha)
    let state = try before()
    let cases: [(Change, String?)] = [
      (.setUnit(name, try unit(1) { $0.readOnly = true }), "its readOnly is false"),
      // What the implementation does not tell cannot be missed.
      (.setUnit(name, try unit(1) { $0.serial = "x" }), nil),
      (.setParameter(name, .immediateData, "Yes"), nil),
      (.setAttribute(name, "other", "1"), nil),
      (.addUnit(name, try unit(1, "/other")), "its backing is /disk"),
      (.setParameter(name, .initialR2T, "Yes"), "it is No"),
      (.resizeUnit(name, try LUN(2)), "the logical unit is not there"),
      (.createTarget(name, id: 9), "the target has another number"), (.createTarget(name, id: nil), nil),
    ]
    for (change, expected) in cases {
      #expect(change.missing(in: state, .ofEverything) == expected, "\(change)")
    }
    var reading = Capabilities.ofEverything
    reading.parameterReadsAs = [.initialR2T: ["Yes": "No"]]
    #expect(Change.setParameter(name, .initialR2T, "Yes").missing(in: state, reading) == nil)
    var attributed = state
    attributed.targets[name]?.units[try LUN(1)]?.attributes = ["flags": "x"]
    let wanted = Change.setUnit(name, try unit(1) { $0.attributes = ["flags": "y"] })
    #expect(wanted.missing(in: attributed, .ofEverything) == "its flags is x")
    #expect(wanted.missing(in: state, .ofEverything) == nil)
  }

  @Test func everyChangeHasItsInverse() throws {
    let name = try TargetName(alpha)
    let portal = try Portal("10.0.0.2")
    let initiator = try Initiator("10.0.0.2")
    let user = try CHAPUser("jill")
    let jill = try account("jill")
    let pairs: [(Change, Change)] = [
      (.disableTarget(name), .enableTarget(name)),
      (.addUnit(name, try unit(2)), .removeUnit(name, try LUN(2), force: false)),
      (
        .replaceUnit(name, try unit(1, "/other"), force: false),
        .replaceUnit(name, try unit(1) { $0.readOnly = false }, force: false)
      ),
      (
        .setUnit(name, try unit(1) { $0.readOnly = true }),
        .setUnit(name, try unit(1) { $0.readOnly = false })
      ),
      (.setParameter(name, .initialR2T, "Yes"), .setParameter(name, .initialR2T, "No")),
      (.setAttribute(name, "mode", "2"), .setAttribute(name, "mode", "1")),
      (.allow(name, initiator), .deny(name, initiator)),
      (.setAccount(name, .incoming, jill, rewrite: false), .clearAccount(name, .incoming, user)),
      (.setAccount(name, .outgoing, jill, rewrite: false), .clearAccount(name, .outgoing, user)),
      (.setAccount(nil, .incoming, jill, rewrite: false), .clearAccount(nil, .incoming, user)),
      (.addPortal(name, portal), .removePortal(name, portal)),
      (.addPortal(nil, portal), .removePortal(nil, portal)),
      (.createTarget(try TargetName(beta), id: 2), .deleteTarget(try TargetName(beta), force: false)),
    ]
    for (change, inverse) in pairs {
      var state = try before()
      state.apply(change)
      #expect(state != (try before()), "\(change)")
      state.apply(inverse)
      state.accounts = try before().accounts
      #expect(state == (try before()), "\(change)")
    }
  }

  @Test func whatIsNotThereStaysAway() throws {
    // Changes to a target that is not there change nothing in the model.
    for change in try CapabilityTests.everyChange() where change.target != nil {
      if case .createTarget = change { continue }
      var state = LiveState()
      state.apply(change)
      state.accounts = []
      #expect(state == LiveState(), "\(change)")
    }
  }

  @Test func removalsAreKnown() throws {
    let removals = try CapabilityTests.everyChange().filter(\.removes).map {
      $0.description.prefix { $0 != " " }
    }
    #expect(
      removals == ["delete", "replace", "remove", "deny", "clear", "clear", "remove", "remove", "close"])
  }

  @Test func everySentenceNamesItsObject() throws {
    for change in try CapabilityTests.everyChange() {
      let name = change.target?.description ?? ""
      #expect(change.description.contains(name), "\(change)")
      if let lun = change.lun { #expect(change.description.contains("lun \(lun)")) }
      #expect(!change.description.contains("123456789012"))
    }
  }
}
