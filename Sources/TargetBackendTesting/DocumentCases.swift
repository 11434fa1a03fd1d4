import HostInterface
import Quartet
import TargetCore

extension Conformance {
  /// Documents: applied once, applied again, whole lists, and what is left alone.
  static let documents: [ConformanceCase] = [
    ConformanceCase("documents: applying again changes nothing") { trial in
      for document in [
        try await trial.samples.richDocument(),
        DesiredState(targets: [TargetSpec(name: try trial.samples.name(3))]),
      ] {
        let first = try await trial.implementation.apply(document)
        try trial.expect(!first.plan.isEmpty, "the first run has no steps")
        let before = try await trial.read()
        let second = try await trial.implementation.apply(document)
        try trial.expect(second.changes.isEmpty, "a second run changes \(second.changes)")
        try trial.expect(second.plan.isEmpty, "a second run has \(second.plan.steps.count) steps")
        try trial.expect(await trial.read(), equals: before, "a second run changes something")
        let difference = try await trial.implementation.difference(document)
        try trial.expect(difference.isEmpty, "the difference to what was applied is \(difference)")
      }
    },
    ConformanceCase("documents: each parameter and digest, applied twice") { trial in
      var spec = TargetSpec(name: try trial.samples.name())
      for round in 0...1 {
        for parameter in trial.capabilities.parameters.keys {
          spec.parameters[parameter] = trial.samples.values(of: parameter)?[round]
          if trial.capabilities.parameters[parameter] == .digests {
            spec.parameters[parameter] = ["CRC32C,None", "None,CRC32C"][round]
          }
        }
        for (name, values) in trial.world.targetAttributes where !trial.world.untoldAttributes.contains(name)
        {
          spec.attributes[name] = values[round]
        }
        try await trial.implementation.apply(DesiredState(targets: [spec]))
        let again = try await trial.implementation.apply(DesiredState(targets: [spec])).changes
        try trial.expect(again.isEmpty, "a second run changes \(again)")
      }
    },
    ConformanceCase("documents: a list that is named is whole") { trial in
      var spec = try await trial.exportRichTarget()
      spec.units = [try await trial.samples.unit(0), try await trial.samples.unit(5)]
      spec.initiators = [try trial.samples.initiators().last ?? .all, try trial.samples.initiator(.name)]
      spec.initiators?.removeAll { !trial.capabilities.initiatorKinds.contains($0.kind) }
      spec.chap?.incoming = [try trial.samples.account("joan")]
      spec.chap?.outgoing = .some(.none)
      if trial.capabilities.portalScope == .target, let portal = trial.world.portals.last {
        spec.portals = [portal]
      }
      try await trial.implementation.apply(DesiredState(targets: [spec]))
      try trial.expectHolds(spec, in: await trial.read())
    },
    ConformanceCase("documents: a list that is named and empty empties it") { trial in
      var spec = try await trial.exportRichTarget()
      (spec.units, spec.initiators, spec.chap) = ([], [], CHAPSpec(incoming: [], outgoing: .some(.none)))
      try await trial.implementation.apply(DesiredState(targets: [spec]))
      let target = try await trial.read().targets[spec.name]
      try trial.expect(
        target?.units == [:] && target?.initiators == [], "something is left: \(target as Any)")
      try trial.expect(target?.chap.isEmpty == true, "an account is left: \(target?.chap as Any)")
    },
    ConformanceCase("documents: what is not named is left alone") { trial in
      let name = try trial.samples.name()
      try await trial.exportRichTarget()
      let before = try await trial.read()
      let proposal = try await trial.implementation.apply(DesiredState(targets: [TargetSpec(name: name)]))
      try trial.expect(
        proposal.changes.isEmpty, "a document that names only the target changes \(proposal.changes)")
      try trial.expect(await trial.read(), equals: before, "it changes something")
    },
    ConformanceCase("documents: targets that are not named go only by pruning") { trial in
      try await trial.exportRichTarget()
      let other = TargetSpec(name: try trial.samples.name(2))
      try await trial.implementation.apply(DesiredState(targets: [other]))
      try trial.expect(try await trial.read().targets.count == 2, "a target that is not named is gone")
      try await trial.implementation.apply(
        DesiredState(targets: [other]), reconciling: Reconciler.Options(prune: true))
      try trial.expect(
        try await trial.read().targets.keys.sorted() == [other.name], "pruning leaves another target")
    },
    ConformanceCase("documents: what differs only in place is changed in place") { trial in
      var spec = try await trial.exportRichTarget()
      let before = try await trial.read()
      let fields = [UnitField.serial, .readOnly].filter {
        trial.capabilities.unitFields[$0] != nil && !trial.capabilities.fixedUnitFields.contains($0)
      }
      try trial.require(!fields.isEmpty, otherwise: "no setting of a logical unit can change in place")
      for field in fields { spec.units?[1][field] = trial.samples.values(of: field)?.last }
      if fields.contains(.readOnly) { spec.units?[1].readOnly = true }
      let proposal = try await trial.implementation.apply(DesiredState(targets: [spec]))
      try trial.expect(
        proposal.changes.allSatisfy { if case .setUnit = $0 { true } else { false } }
          && !proposal.changes.isEmpty,
        "the changes are \(proposal.changes)")
      try trial.expectHolds(spec, in: await trial.read())
      try trial.expect(
        before.targets[spec.name]?.id == (try await trial.read().targets[spec.name]?.id),
        "it is another target")
    },
    ConformanceCase("documents: a target that is to be out of service") { trial in
      var spec = try await trial.samples.rich()
      spec.enabled = false
      try await trial.implementation.apply(DesiredState(targets: [spec]))
      try trial.expectHolds(spec, in: await trial.read())
      let again = try await trial.implementation.apply(DesiredState(targets: [spec])).changes
      try trial.expect(again.isEmpty, "a second run changes \(again)")
      spec.enabled = true
      try await trial.implementation.apply(DesiredState(targets: [spec]))
      try trial.expectHolds(spec, in: await trial.read())
    },
    ConformanceCase("documents: secrets are written anew when that is asked for") { trial in
      let document = try await trial.samples.richDocument()
      try await trial.implementation.apply(document)
      let before = try await trial.read()
      let proposal = try await trial.implementation.apply(
        document, reconciling: Reconciler.Options(rewriteSecrets: true))
      try trial.expect(!proposal.changes.isEmpty, "no secret is written")
      try trial.expect(await trial.read(), equals: before, "writing secrets anew changes more than secrets")
    },
    ConformanceCase("documents: one that contradicts itself touches nothing") { trial in
      let name = try trial.samples.name()
      let (unit, other) = (try await trial.samples.unit(0), try await trial.samples.unit(0))
      var (units, accounts) = (TargetSpec(name: name), TargetSpec(name: name))
      units.units = [unit, other]
      accounts.chap = CHAPSpec(incoming: [
        try trial.samples.account("joan"), try trial.samples.account("joan"),
      ])
      try await trial.expectUntouched(by: "a document that contradicts itself") { implementation in
        for targets in [[units], [accounts], [TargetSpec(name: name), TargetSpec(name: name)]] {
          try await trial.expect(.invalid, of: "a document that contradicts itself") {
            try await implementation.apply(DesiredState(targets: targets))
          }
        }
      }
    },
    ConformanceCase("documents: many logical units at once") { trial in
      var spec = TargetSpec(name: try trial.samples.name())
      let most = min(64, trial.capabilities.luns.count)
      var units: [LogicalUnit] = []
      for index in 0..<most {
        var unit = try await trial.samples.unit(0, bytes: 1 << 20)
        unit.lun = try LUN(trial.capabilities.luns.lowerBound + index)
        units.append(unit)
      }
      spec.units = units
      try await trial.implementation.apply(DesiredState(targets: [spec]))
      try trial.expectHolds(spec, in: await trial.read())
      let found = try await trial.read().targets[spec.name]?.units.values.compactMap(\.serial) ?? []
      try trial.expect(Set(found).count == found.count, "two logical units have one serial number")
    },
  ]
}
