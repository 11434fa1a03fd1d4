import HostInterface
import Quartet
import TargetCore

extension Conformance {
  static let lifecycle: [ConformanceCase] = [
    ConformanceCase("lifecycle: a target is created, shown and deleted") { trial in
      let empty = try await trial.read()
      let (name, unit) = (try trial.samples.name(), try await trial.samples.unit())
      let initiator = try trial.samples.initiators()[0]
      let first: Change =
        trial.capabilities.newTargetsAreEnabled ? .allow(name, initiator) : .enableTarget(name)
      try await trial.implementation.perform(
        [
          .createTarget(name, id: nil), .addUnit(name, unit), .allow(name, initiator),
        ] + (first == .allow(name, initiator) ? [] : [first]))
      guard let target = try await trial.read().targets[name] else {
        throw ConformanceFailure("a target that was created is not read")
      }
      try trial.expect(target.enabled, "a new target is not in service")
      try trial.expect(target.initiators == [initiator], "it lets in \(target.initiators.sorted())")
      try trial.expect(target.units.keys.sorted() == [unit.lun], "it has luns \(target.units.keys.sorted())")
      try trial.expect(
        target.units[unit.lun]?.backing == unit.backing,
        "its backing is \(target.units[unit.lun]?.backing as Any)")
      try await trial.implementation.perform([.deleteTarget(name, force: false)])
      try trial.expect(await trial.read(), equals: empty, "a deleted target leaves something")
    },
    ConformanceCase("lifecycle: a new target lets nobody in") { trial in
      let name = try trial.samples.name()
      try await trial.implementation.perform([.createTarget(name, id: nil)])
      let target = try await trial.read().targets[name]
      try trial.expect(target?.initiators == [], "a new target lets in \(target?.initiators.sorted() ?? [])")
      try trial.expect(
        target?.enabled == trial.capabilities.newTargetsAreEnabled,
        "whether a new target is enabled differs from Capabilities.newTargetsAreEnabled")
    },
    ConformanceCase("lifecycle: a rich target is all that its document says") { trial in
      let document = try await trial.samples.richDocument()
      try await trial.implementation.apply(document)
      let state = try await trial.read()
      for spec in document.targets { try trial.expectHolds(spec, in: state) }
      if let discovery = document.discovery { try trial.expectHolds(discovery, state.discovery, "discovery") }
    },
    ConformanceCase("lifecycle: numbers of targets are kept, and refused when taken") { trial in
      guard let range = trial.capabilities.targetIDs else { throw Skip(reason: "targets have no numbers") }
      let id = range.lowerBound + 40
      let (one, other) = (try trial.samples.name(1), try trial.samples.name(2))
      try await trial.implementation.perform([.createTarget(one, id: id)])
      try trial.expect(try await trial.read().targets[one]?.id == id, "the target has another number")
      try await trial.expect(.exists, of: "a number that is taken") {
        try await trial.implementation.perform([.createTarget(other, id: id)])
      }
      try await trial.implementation.perform([.createTarget(other, id: nil)])
      let given = try await trial.read().targets[other]?.id
      try trial.expect(given != nil && given != id, "a second target has number \(given as Any)")
    },
    ConformanceCase("lifecycle: one that runs is found, and is not started again") { trial in
      let probe = await trial.implementation.backend.probe(trial.world.host)
      try trial.expect(probe.installed && probe.running, "it is not found: \(probe.detail)")
      try trial.expect(try await !trial.implementation.start(), "one that runs is started")
    },
    ConformanceCase("lifecycle: one that is dead is unavailable, and is there again after a start") { trial in
      guard let kill = trial.world.kill else { throw Skip(reason: "this world cannot kill it") }
      kill()
      try await trial.expect(.unavailable, of: "reading what is dead") { _ = try await trial.read() }
      let name = try trial.samples.name()
      try await trial.expect(.unavailable, of: "changing what is dead") {
        try await trial.implementation.perform([.createTarget(name, id: nil)])
      }
      let probe = await trial.implementation.backend.probe(trial.world.host)
      try trial.expect(probe.installed && !probe.running, "it is dead, and found as \(probe)")
      try await trial.world.reset()
      try await trial.implementation.perform([.createTarget(name, id: nil)])
    },
    ConformanceCase("lifecycle: what initiators use goes only by force") { trial in
      guard let logIn = trial.world.logIn else { throw Skip(reason: "this world has no initiator") }
      let (name, unit) = (try trial.samples.name(), try await trial.samples.unit())
      let initiator = try ISCSIName("iqn.1993-08.org.debian:01:conformance")
      var spec = TargetSpec(name: name)
      spec.units = [unit]
      spec.initiators = [trial.capabilities.initiatorKinds.contains(.name) ? .name(initiator) : .all]
      try await trial.implementation.apply(DesiredState(targets: [spec]))
      try await logIn(initiator, name)
      let sessions = try await trial.read().targets[name]?.sessions
      try trial.expect(sessions?.map(\.initiator) == ["\(initiator)"], "its sessions are \(sessions as Any)")
      for (what, change) in [
        ("removing a logical unit in use", Change.removeUnit(name, unit.lun, force: false)),
        ("deleting a target in use", .deleteTarget(name, force: false)),
      ] {
        let failure = try await trial.expect(.inUse, of: what) {
          try await trial.implementation.perform([change])
        }
        try trial.expect(
          "\(failure)".contains("\(initiator)"), "\(what) does not say who uses it: \(failure)")
      }
      try await trial.implementation.perform([.removeUnit(name, unit.lun, force: true)])
      try trial.expect(try await trial.read().targets[name]?.units == [:], "a forced removal leaves the lun")
      try await trial.implementation.perform([.deleteTarget(name, force: true)])
      try trial.expect(try await trial.read().targets[name] == nil, "a forced deletion leaves the target")
    },
    ConformanceCase("lifecycle: a session is listed and closed") { trial in
      guard let logIn = trial.world.logIn else { throw Skip(reason: "this world has no initiator") }
      let (name, unit) = (try trial.samples.name(), try await trial.samples.unit())
      let initiator = try ISCSIName("iqn.1993-08.org.debian:01:conformance")
      var spec = TargetSpec(name: name)
      spec.units = [unit]
      spec.initiators = [.all]
      try await trial.implementation.apply(DesiredState(targets: [spec]))
      try await logIn(initiator, name)
      let before = try await trial.read()
      guard let session = before.targets[name]?.sessions.first else {
        throw ConformanceFailure("an initiator is logged in, and no session is read")
      }
      try await trial.implementation.perform([.closeSession(name, id: session.id)])
      try trial.expect(await trial.read(), equals: before, "closing a session changes more than sessions")
    },
  ]
}

extension Trial {
  /// Expects a target to be all that a document says.
  func expectHolds(_ spec: TargetSpec, in state: LiveState) throws {
    guard let target = state.targets[spec.name] else { throw ConformanceFailure("\(spec.name) is not there") }
    try expect(target.enabled == spec.enabled ?? true, "\(spec.name) is enabled: \(target.enabled)")
    if let portals = spec.portals, capabilities.portalScope == .target {
      try expect(target.portals == Set(portals), "\(spec.name) has portals \(target.portals as Any)")
    }
    if let initiators = spec.initiators {
      try expect(
        target.initiators == Set(initiators), "\(spec.name) lets in \(target.initiators.sorted())")
    }
    if let chap = spec.chap { try expectHolds(chap, target.chap, "\(spec.name)") }
    for (parameter, value) in spec.parameters {
      let now = target.parameters[parameter]
      try expect(now == reading(parameter, value), "\(parameter.rawValue) is \(now as Any), not \(value)")
    }
    for (attribute, value) in spec.attributes where !world.untoldAttributes.contains(attribute) {
      let now = target.attributes[attribute]
      try expect(now == value, "\(attribute) is \(now as Any), not \(value)")
    }
    guard let units = spec.units else { return }
    try expect(Set(target.units.keys) == Set(units.map(\.lun)), "it has luns \(target.units.keys.sorted())")
    for unit in units { try expectHolds(unit, target.units[unit.lun]) }
  }

  /// What is read where a value was set.
  func reading(_ parameter: SessionParameter, _ value: String) -> String {
    capabilities.parameterReadsAs[parameter]?[value] ?? value
  }

  func expectHolds(_ unit: LogicalUnit, _ now: LogicalUnit?) throws {
    try expect(now?.backing == unit.backing, "lun \(unit.lun) is on \(now?.backing as Any)")
    for field in UnitField.allCases where !world.untoldFields.contains(field) {
      guard let value = unit[field] else { continue }
      try expect(
        now?[field] == value, "\(field.rawValue) of lun \(unit.lun) is \(now?[field] as Any), not \(value)")
    }
    for (name, value) in unit.attributes where !world.untoldAttributes.contains(name) {
      try expect(now?.attributes[name] == value, "\(name) is \(now?.attributes[name] as Any), not \(value)")
    }
  }

  func expectHolds(_ wanted: CHAPSpec, _ now: CHAPAccounts, _ place: String) throws {
    if let incoming = wanted.incoming {
      let users = Set(incoming.map(\.user))
      try expect(Set(now.incoming.map(\.user)) == users, "\(place) has accounts \(now.incoming.map(\.user))")
    }
    if let outgoing = wanted.outgoing {
      let user = now.outgoing?.user
      try expect(user == outgoing?.user, "\(place) proves itself as \(user as Any)")
    }
  }
}
