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

  /// What of a target is not as it was said, found without the reconciler.
  private static func fault(
    in state: LiveState, _ spec: TargetSpec, _ scope: Capabilities.PortalScope
  ) -> String? {
    guard let target = state.targets[spec.name] else { return "target" }
    if let list = spec.initiators, target.initiators != Set(list) { return "initiators" }
    if let list = spec.portals, scope == .target, target.portals ?? [] != Set(list) { return "portals" }
    if let list = spec.portals, !state.portals.isSuperset(of: list), scope == .implementation {
      return "portals"
    }
    if let list = spec.chap?.incoming, Set(target.chap.incoming.map(\.user)) != Set(list.map(\.user)) {
      return "incoming"
    }
    if let wanted = spec.chap?.outgoing, target.chap.outgoing?.user != wanted?.user { return "outgoing" }
    if spec.parameters.contains(where: { target.parameters[$0.key] != $0.value }) { return "parameters" }
    if spec.attributes.contains(where: { target.attributes[$0.key] != $0.value }) { return "attributes" }
    if let enabled = spec.enabled, target.enabled != enabled { return "enabled" }
    guard let units = spec.units else { return nil }
    if Set(target.units.keys) != Set(units.map(\.lun)) { return "luns" }
    for unit in units {
      guard let now = target.units[unit.lun], now.backing == unit.backing else { return "backing" }
      // What is not told (nil) cannot be compared.
      if UnitField.allCases.contains(where: { now[$0] != nil && unit[$0] != nil && unit[$0] != now[$0] }) {
        return "fields"
      }
      if let list = unit.initiators, list != [.all] {
        // Whom the target does not let in sees nothing, whatever the unit's list says.
        let seen = target.initiators.intersection(now.initiators ?? Array(target.initiators))
        if seen != target.initiators.intersection(list) { return "audience" }
      }
    }
    return nil
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
        for spec in end.targets {
          #expect(Self.fault(in: after, spec, scope) == nil, "\(changes)")
        }
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
