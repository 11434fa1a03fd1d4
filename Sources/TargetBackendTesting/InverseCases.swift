import HostInterface
import Quartet
import TargetCore

extension Conformance {
  /// Every change and what takes it back, on a target that has something of everything.
  static let inverses: [ConformanceCase] = [
    ConformanceCase("inverse: a target created and deleted") { trial in
      let name = try trial.samples.name(2)
      try await trial.expectInverse(
        [.createTarget(name, id: nil)], [.deleteTarget(name, force: false)])
    },
    ConformanceCase("inverse: a target disabled and enabled") { trial in
      let name = try trial.samples.name()
      try await trial.expectInverse([.disableTarget(name)], [.enableTarget(name)])
    },
    ConformanceCase("inverse: a logical unit added and removed") { trial in
      let (name, unit) = (try trial.samples.name(), try await trial.samples.namedUnit(2))
      try await trial.expectInverse([.addUnit(name, unit)], [.removeUnit(name, unit.lun, force: false)])
    },
    ConformanceCase("inverse: a logical unit replaced and put back") { trial in
      let name = try trial.samples.name()
      let spec = try await trial.exportRichTarget()
      guard let old = spec.units?.first else { return }
      var new = try await trial.samples.unit(0, bytes: Samples.backingSize * 2)
      let reconciler = Reconciler(capabilities: trial.capabilities)
      new.serial = trial.samples.values(of: .serial)?.last
      try await trial.expectInverse(
        [.replaceUnit(name, reconciler.completed(new, of: name), force: false)],
        [.replaceUnit(name, reconciler.completed(old, of: name), force: false)])
    },
    ConformanceCase("inverse: each setting of a logical unit that can change in place") { trial in
      let name = try trial.samples.name()
      let spec = try await trial.exportRichTarget()
      guard let unit = spec.units?.last else { return }
      let fields = UnitField.allCases.filter {
        trial.samples.values(of: $0) != nil && !trial.capabilities.fixedUnitFields.contains($0)
          && !trial.world.untoldFields.contains($0)
      }
      try trial.require(!fields.isEmpty, otherwise: "no setting of a logical unit can change in place")
      for field in fields {
        let now = try await trial.read().targets[name]?.units[unit.lun]?[field]
        guard let now, let other = trial.samples.values(of: field)?.first(where: { $0 != now }) else {
          continue
        }
        // As the command line does it: only the number and the setting are named.
        var (forth, back) = (
          LogicalUnit(lun: unit.lun, backing: .none), LogicalUnit(lun: unit.lun, backing: .none)
        )
        forth[field] = other
        back[field] = now
        try await trial.expectInverse([.setUnit(name, forth)], [.setUnit(name, back)], "\(field.rawValue): ")
      }
    },
    ConformanceCase("inverse: a session parameter set and set back") { trial in
      let name = try trial.samples.name()
      try await trial.exportRichTarget()
      try trial.require(!trial.capabilities.parameters.isEmpty, otherwise: "it has no session parameters")
      let now = try await trial.read().targets[name]?.parameters ?? [:]
      for parameter in trial.capabilities.parameters.keys.sorted() {
        guard let old = now[parameter] else {
          throw ConformanceFailure("\(parameter.rawValue) is among the capabilities, and is not read")
        }
        guard let new = trial.samples.values(of: parameter)?.first(where: { $0 != old }) else { continue }
        try await trial.expectInverse(
          [.setParameter(name, parameter, new)], [.setParameter(name, parameter, old)],
          "\(parameter.rawValue): ")
      }
    },
    ConformanceCase("inverse: an attribute set and set back") { trial in
      let name = try trial.samples.name()
      try await trial.exportRichTarget()
      let told = trial.world.targetAttributes.filter { !trial.world.untoldAttributes.contains($0.key) }
      try trial.require(!told.isEmpty, otherwise: "this world names no attributes of targets that are told")
      for (attribute, values) in told.sorted(by: { $0.key < $1.key }) {
        guard let new = values.last, let old = values.first else { continue }
        try await trial.expectInverse(
          [.setAttribute(name, attribute, new)], [.setAttribute(name, attribute, old)], "\(attribute): ")
      }
    },
    ConformanceCase("inverse: initiators of each kind allowed and denied") { trial in
      let name = try trial.samples.name()
      for kind in Capabilities.InitiatorKind.allCases where trial.capabilities.initiatorKinds.contains(kind) {
        let initiator = try trial.samples.initiator(kind)
        try await trial.expectInverse(
          [.allow(name, initiator)], [.deny(name, initiator)], "\(kind.rawValue): ")
      }
    },
    ConformanceCase("inverse: an incoming account set and cleared") { trial in
      try trial.require(
        trial.capabilities.incomingAccountLimit.map { $0 > 2 } ?? true, otherwise: "it takes too few accounts"
      )
      let (name, account) = (try trial.samples.name(), try trial.samples.account("joan"))
      try await trial.expectInverse(
        [.setAccount(name, .incoming, account, rewrite: false)],
        [.clearAccount(name, .incoming, account.user)])
    },
    ConformanceCase("inverse: the first of several incoming accounts cleared and set") { trial in
      let spec = try await trial.exportRichTarget()
      guard let account = spec.chap?.incoming?.first else { return }
      try await trial.expectInverse(
        [.clearAccount(spec.name, .incoming, account.user)],
        [.setAccount(spec.name, .incoming, account, rewrite: true)])
    },
    ConformanceCase("inverse: the outgoing account cleared and set") { trial in
      try trial.require(trial.capabilities.mutualCHAP, otherwise: "it has no mutual CHAP")
      let spec = try await trial.exportRichTarget()
      guard let account = spec.chap?.outgoing ?? nil else { return }
      try await trial.expectInverse(
        [.clearAccount(spec.name, .outgoing, account.user)],
        [.setAccount(spec.name, .outgoing, account, rewrite: true)])
    },
    ConformanceCase("inverse: accounts of discovery set and cleared") { trial in
      try trial.require(trial.capabilities.discoveryCHAP, otherwise: "it has no CHAP for discovery")
      let (finder, found) = (try trial.samples.account("finder"), try trial.samples.account("found"))
      try await trial.expectInverse(
        [.setAccount(nil, .incoming, finder, rewrite: false)], [.clearAccount(nil, .incoming, finder.user)])
      try await trial.implementation.perform([.setAccount(nil, .incoming, finder, rewrite: true)])
      try await trial.expectInverse(
        [.setAccount(nil, .outgoing, found, rewrite: false)], [.clearAccount(nil, .outgoing, found.user)])
    },
    ConformanceCase("inverse: a portal added and removed") { trial in
      guard let portal = trial.world.portals.last else { throw Skip(reason: "this world names no portals") }
      let name = trial.capabilities.portalScope == .target ? try trial.samples.name() : nil
      try await trial.expectInverse([.addPortal(name, portal)], [.removePortal(name, portal)])
    },
    ConformanceCase("inverse: a backing grown, and shown as grown") { trial in
      try trial.require(trial.capabilities.resizesUnits, otherwise: "it resizes no logical unit")
      let (name, unit) = (try trial.samples.name(), try await trial.samples.unit(2))
      guard case .path(let path) = unit.backing else { return }
      try await trial.exportRichTarget()
      try await trial.implementation.perform([.addUnit(name, unit)])
      let before = try await trial.read()
      try await trial.world.resizeBacking(path, Samples.backingSize * 2)
      try await trial.implementation.perform([.resizeUnit(name, unit.lun)])
      let grown = try await trial.read().targets[name]?.units[unit.lun]
      let old = before.targets[name]?.units[unit.lun]
      try trial.expect(
        grown?.size != old?.size || grown?.printedSize != old?.printedSize,
        "the size is \(grown?.size as Any) \(grown?.printedSize as Any) before and after")
      try await trial.world.resizeBacking(path, Samples.backingSize)
      try await trial.implementation.perform([.resizeUnit(name, unit.lun)])
      try trial.expect(await trial.read(), equals: before, "growing and shrinking leaves a difference")
    },
  ]
}

extension Trial {
  /// Exports the rich target, unless it is exported.
  @discardableResult
  func exportRichTarget() async throws -> TargetSpec {
    let spec = try await samples.rich()
    try await implementation.apply(DesiredState(targets: [spec]))
    return spec
  }

  /// Expects changes to change the state, and others to bring back all that was before.
  func expectInverse(_ changes: [Change], _ inverse: [Change], _ prefix: String = "") async throws {
    let name = try samples.name()
    if try await read().targets[name] == nil { try await exportRichTarget() }
    let before = try await read()
    try await implementation.perform(changes)
    let between = try await read()
    try expect(
      !before.differences(from: between).isEmpty, "\(prefix)\(changes) is accepted and changes nothing")
    try await implementation.perform(inverse)
    try expect(
      await read(), equals: before, ignoringAccounts: capabilities.sharedAccounts,
      "\(prefix)\(changes), then \(inverse), leaves a difference")
  }
}
