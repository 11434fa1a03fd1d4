import HostInterface
import TargetCore
import Testing

/// Every small world against every other: at most two targets with at most two logical units.
@Suite struct WorldTests {
  /// What can be said of one target, each differing from the next in a way that takes another change.
  private static func targets(_ name: String) throws -> [TargetSpec] {
    let one = try Initiator("10.0.0.1")
    return [
      try spec(name),
      try spec(name) { $0.enabled = false },
      try spec(name) {
        $0.enabled = true
        $0.units = []
        $0.initiators = []
        $0.chap = CHAPSpec(incoming: [], outgoing: .some(nil))
        $0.portals = []
      },
      try spec(name) {
        $0.units = [try unit(0)]
        $0.initiators = [.all]
        $0.portals = [try Portal("10.0.0.9")]
      },
      try spec(name) {
        $0.units = [try unit(0), try unit(1, "/b")]
        $0.initiators = [one]
        $0.chap = CHAPSpec(incoming: [try account("jack")])
        $0.portals = [try Portal("10.0.0.9")]
      },
      try spec(name) {
        $0.units = [try unit(0, "/a") { $0.blockSize = 4096 }]
        $0.chap = CHAPSpec(
          incoming: [try account("jill"), try account("jack")], outgoing: .some(try account("me")))
        $0.parameters = [.initialR2T: "Yes"]
        $0.portals = [try Portal("10.0.0.9")]
      },
      try spec(name) {
        $0.units = [
          try unit(1, "/b") {
            $0.readOnly = true
            $0.attributes = ["flags": "x"]
          }, try unit(0) { $0.initiators = [one] },
        ]
        $0.chap = CHAPSpec(outgoing: .some(try account("you")))
        $0.parameters = [.initialR2T: "No"]
        $0.attributes = ["mode": "1"]
        $0.portals = [try Portal("10.0.0.9")]
      },
      try spec(name) {
        $0.units = [
          try unit(0) {
            $0.blockSize = 512
            $0.serial = "x"
            $0.initiators = []
          }
        ]
        $0.initiators = [one, try Initiator("10.0.0.0/8")]
        $0.attributes = ["mode": "2"]
        $0.portals = [try Portal("10.0.0.9")]
      },
    ]
  }

  private static func worlds() throws -> [DesiredState] {
    let (first, second) = (try targets(alpha).map { [$0] } + [[]], try targets(beta).map { [$0] } + [[]])
    return first.flatMap { one in second.map { other in DesiredState(targets: one + other) } }
  }

  @Test(arguments: [Capabilities.PortalScope.target, .implementation], [true, false])
  func everyWorldIsReachedFromEveryOther(scope: Capabilities.PortalScope, prune: Bool) throws {
    var capabilities = Capabilities.ofEverything
    capabilities.portalScope = scope
    let reconciler = Reconciler(capabilities: capabilities, options: .init(prune: prune))
    // Shared portals cannot differ, so worlds in which they do are none.
    let worlds = try Self.worlds().filter { (try? reconciler.changes(to: $0, from: LiveState())) != nil }
    #expect(worlds.count == (scope == .target ? 81 : 71))
    for start in worlds {
      let state = try applied(
        try reconciler.changes(to: start, from: LiveState()), to: LiveState(), capabilities)
      #expect(try reconciler.changes(to: start, from: state) == [])
      for end in worlds {
        let changes = try reconciler.changes(to: end, from: state)
        let after = try applied(changes, to: state, capabilities)
        let again = try reconciler.changes(to: end, from: after)
        #expect(again.isEmpty, "\(changes) leaves \(again)")
        for change in changes {
          #expect(capabilities.refusals(of: change) == [], "\(change)")
          #expect(change.missing(in: after, capabilities) == nil, "\(change)")
        }
        if prune { #expect(Set(after.targets.keys) == Set(end.targets.map(\.name))) }
      }
    }
  }
}
