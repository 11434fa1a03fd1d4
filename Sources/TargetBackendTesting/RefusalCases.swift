import HostInterface
import Quartet
import TargetCore

extension Conformance {
  /// What the capabilities do not have is refused before anything is touched.
  static let refusals: [ConformanceCase] = [
    ConformanceCase("refusal: session parameters") { trial in
      let name = try trial.samples.name()
      let able = trial.capabilities.parameters
      var changes: [Change] = SessionParameter.allCases.filter { able[$0] == nil }.map {
        .setParameter(name, $0, "1")
      }
      for (parameter, domain) in able {
        guard case .number(let range) = domain else { continue }
        changes.append(.setParameter(name, parameter, "\(range.upperBound + 1)"))
        changes.append(.setParameter(name, parameter, "\(range.lowerBound - 1)"))
      }
      try await trial.expectRefusal(of: changes)
    },
    ConformanceCase("refusal: fields of logical units") { trial in
      let (name, plain) = (try trial.samples.name(), try await trial.samples.unit(2))
      var changes: [Change] = []
      func add(_ edit: (inout LogicalUnit) -> Void) {
        var unit = plain
        edit(&unit)
        changes.append(.addUnit(name, unit))
      }
      for field in UnitField.allCases {
        if let longest = trial.capabilities.unitFields[field] {
          if [.scsiID, .serial, .vendor, .product, .revision, .store].contains(field) {
            add { $0[field] = String(repeating: "x", count: longest + 1) }
            add { $0[field] = "a\nb" }
          }
        } else {
          add { $0[field] = trial.value(for: field) }
        }
      }
      for type in DeviceType.allCases where !trial.capabilities.deviceTypes.contains(type) {
        add { $0.deviceType = type }
      }
      add { $0.blockSize = 513 }
      let somebody = try trial.samples.initiator(.address)
      if !trial.capabilities.unitInitiators { add { $0.initiators = [somebody] } }
      add { $0.attributes["no-such-attribute"] = "1" }
      for character in trial.capabilities.reservedCharacters {
        add { $0.backing = .path("/srv/disk\(character)1") }
        if trial.capabilities.unitFields[.product] != nil { add { $0.product = "A\(character)B" } }
      }
      for number in [trial.capabilities.luns.lowerBound - 1, trial.capabilities.luns.upperBound + 1] {
        if let lun = try? LUN(number) { add { $0.lun = lun } }
      }
      try await trial.expectRefusal(of: changes)
    },
    ConformanceCase("refusal: fields that only a new logical unit can be given") { trial in
      let name = try trial.samples.name()
      var changes: [Change] = []
      for field in trial.capabilities.fixedUnitFields {
        var unit = LogicalUnit(lun: try trial.samples.lun(0), backing: .none)
        unit[field] = trial.value(for: field)
        changes.append(.setUnit(name, unit))
      }
      try await trial.expectRefusal(of: changes)
    },
    ConformanceCase("refusal: targets, access, accounts and portals") { trial in
      let (name, other) = (try trial.samples.name(), try trial.samples.name(2))
      let able = trial.capabilities
      var changes: [Change] = [.setAttribute(name, "no-such-attribute", "1")]
      if let range = able.targetIDs {
        changes.append(.createTarget(other, id: range.upperBound + 1))
        if range.lowerBound > 0 { changes.append(.createTarget(other, id: range.lowerBound - 1)) }
      } else {
        changes.append(.createTarget(other, id: 7))
      }
      for kind in Capabilities.InitiatorKind.allCases where !able.initiatorKinds.contains(kind) {
        changes.append(.allow(name, try trial.samples.initiator(kind)))
      }
      let account = try trial.samples.account("joan")
      if !able.mutualCHAP { changes.append(.setAccount(name, .outgoing, account, rewrite: false)) }
      if !able.discoveryCHAP { changes.append(.setAccount(nil, .incoming, account, rewrite: false)) }
      if able.portalScope == .implementation { changes.append(.addPortal(name, try Portal("192.0.2.1"))) }
      if !able.iser {
        changes.append(.addPortal(able.portalScope == .target ? name : nil, try Portal("192.0.2.1,iser")))
      }
      try await trial.expectRefusal(of: changes)
      if let limit = able.incomingAccountLimit {
        let accounts = try (0...limit).map { try trial.samples.account("many\($0)") }
        try await trial.expectUntouched(by: "too many accounts") { implementation in
          try await trial.expect(.unsupported, of: "\(limit + 1) accounts") {
            try await implementation.perform(
              accounts.map { .setAccount(name, .incoming, $0, rewrite: false) })
          }
        }
      }
    },
    ConformanceCase("refusal: a change among others that cannot be made") { trial in
      let (name, other) = (try trial.samples.name(), try trial.samples.name(2))
      try await trial.exportRichTarget()
      try await trial.expectUntouched(by: "a list of changes with one that is refused") { implementation in
        try await trial.expect(.unsupported, of: "it") {
          try await implementation.perform([
            .createTarget(other, id: nil), .disableTarget(name),
            .setAttribute(name, "no-such-attribute", "1"),
          ])
        }
      }
    },
    ConformanceCase("refusal: a dry run touches nothing") { trial in
      let document = try await trial.samples.richDocument()
      try await trial.expectUntouched(by: "a dry run") { implementation in
        var options = PerformOptions()
        options.dryRun = true
        let proposal = try await implementation.apply(document, options: options)
        try trial.expect(!proposal.plan.isEmpty, "a dry run shows no steps")
        for step in proposal.plan.steps {
          let shown = step.operation.display
          try trial.expect(!shown.contains("secret-of-"), "a dry run shows a secret: \(shown)")
        }
      }
    },
  ]
}

extension Trial {
  /// A value of a field whether or not the implementation has it.
  fileprivate func value(for field: UnitField) -> String {
    switch field {
    case .store: "other"
    case .deviceType: DeviceType.disk.rawValue
    case .blockSize: "512"
    case .readOnly, .thin, .removable, .online: "true"
    case .cache: CacheMode.back.rawValue
    case .scsiID, .serial, .vendor, .product, .revision: "x"
    }
  }

  /// Expects each change alone to be refused, on a rich target, and nothing to be touched.
  fileprivate func expectRefusal(of changes: [Change]) async throws {
    try require(!changes.isEmpty, otherwise: "it can do all of it")
    try await exportRichTarget()
    try await expectUntouched(by: "what is refused") { implementation in
      for change in changes {
        try await expect(.unsupported, .invalid, of: "\(change)") {
          try await implementation.perform([change])
        }
      }
    }
  }
}

extension Change {
  /// What a logical unit is to be, for a failure's text.
  fileprivate var details: String {
    switch self {
    case .addUnit(_, let unit), .setUnit(_, let unit):
      UnitField.allCases.compactMap { field in unit[field].map { "\(field.rawValue)=\($0)" } }
        .joined(separator: " ")
    default: ""
    }
  }
}
