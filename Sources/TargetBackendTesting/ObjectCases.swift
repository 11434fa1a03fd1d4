import HostInterface
import Quartet
import TargetCore

extension Conformance {
  /// Objects that are not there, that are there already, and backings that cannot be used.
  static let objects: [ConformanceCase] = [
    ConformanceCase("objects: what does not exist is not found") { trial in
      let (name, nobody) = (try trial.samples.name(), try trial.samples.name(9))
      let (lun, unit) = (try trial.samples.lun(7), try await trial.samples.unit(7))
      let spec = try await trial.exportRichTarget()
      var changes: [Change] = [
        .deleteTarget(nobody, force: false), .enableTarget(nobody), .disableTarget(nobody),
        .addUnit(nobody, unit), .removeUnit(nobody, lun, force: true), .allow(nobody, .all),
        .deny(nobody, .all),
        .setAccount(nobody, .incoming, try trial.samples.account("joan"), rewrite: false),
        .clearAccount(nobody, .incoming, try CHAPUser("joan")), .closeSession(nobody, id: "1"),
        .removeUnit(name, lun, force: false), .setUnit(name, unit),
        .replaceUnit(name, unit, force: false), .clearAccount(name, .incoming, try CHAPUser("joan")),
        .clearAccount(name, .outgoing, try CHAPUser("joan")), .closeSession(name, id: "4711"),
        .deny(name, try trial.samples.initiator(.address)),
      ]
      for parameter in spec.parameters.keys { changes.append(.setParameter(nobody, parameter, "1")) }
      if trial.capabilities.resizesUnits { changes.append(.resizeUnit(name, lun)) }
      if trial.capabilities.discoveryCHAP {
        changes.append(.clearAccount(nil, .incoming, try CHAPUser("joan")))
      }
      if let portal = trial.world.portals.last {
        changes.append(.removePortal(trial.capabilities.portalScope == .target ? name : nil, portal))
      }
      try await trial.expectUntouched(by: "what does not exist") { implementation in
        for change in changes {
          try await trial.expect(.notFound, of: "\(change)") { try await implementation.perform([change]) }
        }
      }
    },
    ConformanceCase("objects: what is there already is not made again") { trial in
      let name = try trial.samples.name()
      let spec = try await trial.exportRichTarget()
      let (fresh, lun) = (try await trial.samples.unit(3), try trial.samples.lun(0))
      var unit = fresh
      unit.lun = lun
      var changes: [Change] = [.createTarget(name, id: nil), .addUnit(name, unit)]
      if let initiator = spec.initiators?.first { changes.append(.allow(name, initiator)) }
      if trial.capabilities.portalScope == .target {
        if let portal = spec.portals?.first { changes.append(.addPortal(name, portal)) }
      } else if let portal = try await trial.read().portals.first {
        changes.append(.addPortal(nil, portal))
      }
      try await trial.expectUntouched(by: "what is there already") { implementation in
        for change in changes {
          try await trial.expect(.exists, of: "\(change)") { try await implementation.perform([change]) }
        }
        for twice in [Change.createTarget(try trial.samples.name(2), id: nil), .addUnit(name, fresh)] {
          try await trial.expect(.exists, .inUse, of: "\(twice), twice at once") {
            try await implementation.perform([twice, twice])
          }
        }
      }
    },
    ConformanceCase("objects: an account that is there keeps its secret, and is said to") { trial in
      let spec = try await trial.exportRichTarget()
      guard let user = spec.chap?.incoming?.first?.user else { return }
      let again = try trial.samples.account("\(user)", secret: "another-secret-1")
      let before = try await trial.read()
      let proposal = try await trial.implementation.perform([
        .setAccount(spec.name, .incoming, again, rewrite: false)
      ])
      try trial.expect(
        proposal.warnings.contains { $0.contains("\(user)") && $0.contains("secret") },
        "nobody is told that a secret stays what it was: \(proposal.warnings)")
      try trial.expect(await trial.read(), equals: before, "an account that is there is changed")
    },
    ConformanceCase("objects: backings that cannot be used") { trial in
      let (name, unit) = (try trial.samples.name(), try await trial.samples.unit(3))
      let spec = try await trial.exportRichTarget()
      guard case .path(let path) = unit.backing, let exported = spec.units?.first else { return }
      var (missing, directory, shared, twice) = (unit, unit, unit, unit)
      missing.backing = .path(path + "-that-is-missing")
      directory.backing = .path("/")
      shared.backing = exported.backing
      twice.lun = try trial.samples.lun(4)
      try await trial.expectUntouched(by: "a backing that cannot be used") { implementation in
        try await trial.expect(.notFound, of: "a backing that is missing") {
          try await implementation.perform([.addUnit(name, missing)])
        }
        try await trial.expect(.invalid, of: "a directory as a backing") {
          try await implementation.perform([.addUnit(name, directory)])
        }
        let failure = try await trial.expect(.inUse, of: "a backing that is exported already") {
          try await implementation.perform([.addUnit(name, shared)])
        }
        try trial.expect(
          "\(failure)".contains("lun \(exported.lun) of \(spec.name)"),
          "it is not said which logical unit exports the backing: \(failure)")
        try await trial.expect(.inUse, of: "one backing for two new logical units") {
          try await implementation.perform([.addUnit(name, unit), .addUnit(name, twice)])
        }
      }
    },
    ConformanceCase("objects: a backing by another name is the same backing") { trial in
      let (name, unit) = (try trial.samples.name(), try await trial.samples.unit(3))
      let spec = try await trial.exportRichTarget()
      guard case .path(let path)? = spec.units?.first?.backing, case .path(let free) = unit.backing else {
        return
      }
      let link = free + "-link"
      try trial.world.host.createLink(.init(link), to: .init(path))
      var other = unit
      other.backing = .path(link)
      try await trial.expectUntouched(by: "a second name of a backing") { implementation in
        try await trial.expect(.inUse, of: "a link to a backing that is exported") {
          try await implementation.perform([.addUnit(name, other)])
        }
      }
    },
    ConformanceCase("objects: one backing twice, when both are meant to be the same disk") { trial in
      let (one, other) = (try trial.samples.name(1), try trial.samples.name(2))
      let unit = try await trial.samples.unit()
      var options = PerformOptions()
      options.sharedBacking = true
      try await trial.implementation.perform(
        [
          .createTarget(one, id: nil), .addUnit(one, unit), .createTarget(other, id: nil),
          .addUnit(other, unit),
        ], options: options)
      let state = try await trial.read()
      for name in [one, other] { try trial.expectHolds(unit, state.targets[name]?.units[unit.lun]) }
    },
  ]
}
