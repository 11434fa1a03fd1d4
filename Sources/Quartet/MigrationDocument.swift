import HostInterface
import SystemPackage
import TargetCore

/// What a migration makes at its destination, and what of the source it cannot bring there.
struct MigrationDocument: Sendable {
  /// What the source exports, with everything that is needed to make it again.
  var origin: [TargetSpec]
  /// What the destination is to export.
  var specs: [TargetSpec]
  /// What does not carry over, each a sentence.
  var losses: [String]
  /// What the reader should know and need not decide, each a sentence.
  var remarks: [String]
  /// Why it cannot be done at all, each a sentence.
  var obstacles: [String]
}

extension MigrationDocument {
  /// Where portals belong to the whole destination, those that are there stay, and what they cover is not opened again.
  mutating func keepPortals(_ there: Set<Portal>, of capabilities: Capabilities) {
    guard capabilities.portalScope == .implementation else { return }
    for index in specs.indices {
      let missing = (specs[index].portals ?? []).filter { portal in
        !there.contains {
          $0.port == portal.port && $0.iser == portal.iser && $0.address.isUnspecified
            && $0.address.isIPv6 == portal.address.isIPv6
        }
      }
      specs[index].portals = there.union(missing).sorted()
    }
  }
}

/// Translates the targets of one implementation for another; pure, but for the kinds of backings.
struct MigrationTranslator {
  let source: any TargetBackend
  let destination: any TargetBackend
  let names: (source: String, destination: String)
  let live: LiveState
  let options: Migration.Options
  /// What kind of file a backing is.
  let kind: (String) -> FileStatus.Kind?

  var from: Capabilities { source.capabilities }
  var able: Capabilities { destination.capabilities }

  func document(of targets: [Target]) -> MigrationDocument {
    var made = MigrationDocument(origin: [], specs: [], losses: [], remarks: [], obstacles: [])
    for target in targets {
      made.origin.append(origin(of: target))
      made.specs.append(spec(for: target, &made))
    }
    sharePortals(&made)
    return made
  }

  /// The source's own description, as it can be applied to the source again.
  private func origin(of target: Target) -> TargetSpec {
    var spec = TargetSpec(name: target.name)
    spec.id = target.id
    spec.enabled = target.enabled
    spec.portals = (target.portals ?? live.portals).sorted()
    spec.initiators = target.initiators.sorted()
    spec.chap = CHAPSpec(incoming: target.chap.incoming, outgoing: .some(target.chap.outgoing))
    spec.parameters = target.parameters
    spec.attributes = target.attributes
    spec.units = target.units.values.sorted { $0.lun < $1.lun }.map { unit in
      // An identity that is not told is as well as known: the unit may have to be made again.
      var nothing = MigrationDocument(origin: [], specs: [], losses: [], remarks: [], obstacles: [])
      let extra = options.supplement.targets.first { $0.name == target.name }?.units
      var unit = completed(unit, by: extra?.first { $0.lun == unit.lun }, of: target, "", &nothing)
      (unit.size, unit.printedSize, unit.reservation) = (nil, nil, nil)
      return unit
    }
    return spec
  }

  private func spec(for target: Target, _ made: inout MigrationDocument) -> TargetSpec {
    let extra = options.supplement.targets.first { $0.name == target.name }
    var spec = TargetSpec(name: target.name)
    spec.enabled = target.enabled
    spec.initiators = target.initiators.sorted().filter { initiator in
      let fits = able.initiatorKinds.contains(initiator.kind)
      if !fits {
        made.losses.append(
          "\(target.name): \(initiator) is not let in, since \(names.destination) has no access by "
            + initiator.kind.rawValue)
      }
      return fits
    }
    spec.chap = accounts(target.chap, of: target.name, extra?.chap, &made)
    spec.portals = portals(of: target, &made)
    parameters(of: target, into: &spec, &made)
    attributes(target.attributes, place: "\(target.name)", &made)
    spec.units = target.units.values.sorted { $0.lun < $1.lun }.compactMap { unit in
      self.unit(unit, of: target, extra?.units?.first { $0.lun == unit.lun }, &made)
    }
    if !target.sessions.isEmpty {
      let who = Set(target.sessions.map(\.initiator)).sorted().joined(separator: ", ")
      made.losses.append(
        "\(target.name): \(target.sessions.count) open sessions are closed, their initiators log in again (\(who))"
      )
    }
    return spec
  }

  // MARK: Accounts

  private func accounts(
    _ chap: CHAPAccounts, of name: TargetName, _ extra: CHAPSpec?, _ made: inout MigrationDocument
  ) -> CHAPSpec {
    func known(_ account: CHAPAccount, _ others: [CHAPAccount]) -> CHAPAccount {
      account.secret == nil
        ? others.first { $0.user == account.user && $0.secret != nil } ?? account : account
    }
    var spec = CHAPSpec(
      incoming: chap.incoming.map { known($0, extra?.incoming ?? []) },
      outgoing: .some(chap.outgoing.map { known($0, [extra?.outgoing ?? nil].compactMap { $0 }) }))
    if let limit = able.incomingAccountLimit, let incoming = spec.incoming, incoming.count > limit {
      for account in incoming.dropFirst(limit) {
        made.losses.append(
          "\(name): \(account.user) cannot log in any longer, since \(names.destination) has at most "
            + "\(limit) incoming CHAP account a target")
      }
      spec.incoming = Array(incoming.prefix(limit))
    }
    if case .some(.some(let account)) = spec.outgoing, !able.mutualCHAP {
      made.losses.append(
        "\(name): the target does not prove itself as \(account.user) any longer, \(names.destination) has no "
          + "mutual CHAP")
      spec.outgoing = .some(nil)
    }
    let accounts = (spec.incoming ?? []) + [spec.outgoing ?? nil].compactMap { $0 }
    for account in accounts where account.secret == nil {
      made.obstacles.append(
        "\(name): the secret of \(account.user) is not known, since \(names.source) does not tell secrets; name a "
          + "state file that has it with --supplement")
    }
    return spec
  }

  // MARK: Portals

  private func portals(of target: Target, _ made: inout MigrationDocument) -> [Portal] {
    if let portals = options.portals { return portals }
    let found = target.portals ?? live.portals
    let portals = found.filter { !$0.address.isUnspecified }.union(wildcards(found))
    return portals.filter { portal in
      guard portal.iser, !able.iser else { return true }
      made.losses.append("\(target.name): is not reached at \(portal), \(names.destination) has no iSER")
      return false
    }.sorted()
  }

  /// Every address, as the destination calls it.
  private func wildcards(_ found: Set<Portal>) -> Set<Portal> {
    guard let four = IPAddress("0.0.0.0"), let six = IPAddress("::") else { return [] }
    var portals: Set<Portal> = []
    for portal in found where portal.address.isUnspecified {
      let isSix = portal.address.isIPv6
      let isBoth = from.wildcards == (isSix ? .inIPv6 : .inIPv4)
      for address in isBoth ? [four, six] : [isSix ? six : four] {
        portals.insert(
          Portal(address: able.wildcards == .inIPv4 ? four : address, port: portal.port, iser: portal.iser))
      }
    }
    if able.wildcards == .inIPv6 {
      for portal in portals where portal.address.isIPv6 {
        portals.remove(Portal(address: four, port: portal.port, iser: portal.iser))
      }
    }
    return portals
  }

  /// Where all targets of the destination share their portals, each has those of all, and those that are there stay.
  private func sharePortals(_ made: inout MigrationDocument) {
    guard able.portalScope == .implementation else { return }
    let all = Set(made.specs.compactMap(\.portals).joined())
    for index in made.specs.indices {
      let own = Set(made.specs[index].portals ?? [])
      if own != all {
        made.losses.append(
          "\(made.specs[index].name): is reached at \(all.subtracting(own).sorted().map(\.description).joined(separator: ", ")) "
            + "too, all targets of \(names.destination) share their portals")
      }
      made.specs[index].portals = all.sorted()
    }
  }

  // MARK: Settings

  private func parameters(of target: Target, into spec: inout TargetSpec, _ made: inout MigrationDocument) {
    for (parameter, value) in target.parameters.sorted(by: { $0.key < $1.key }) {
      let refusals = able.refusals(of: .setParameter(target.name, parameter, value))
      guard let refusal = refusals.first else {
        spec.parameters[parameter] = value
        continue
      }
      if case .number(let range)? = able.parameters[parameter], let number = Int(value) {
        let nearest = min(max(number, range.lowerBound), range.upperBound)
        spec.parameters[parameter] = String(nearest)
        made.losses.append("\(target.name): \(parameter.rawValue) becomes \(nearest), it is \(value)")
      } else if parameter.standard != value {
        made.losses.append("\(target.name): \(names.destination) has no \(refusal)")
      }
    }
  }

  func attributes(
    _ attributes: [String: String], place: String, _ made: inout MigrationDocument
  ) {
    let own = attributes.sorted { $0.key < $1.key }.filter { name, value in
      guard let defaults = from.attributeDefaults[name] else { return true }
      return !defaults.isEmpty && !defaults.contains(value)
    }
    guard !own.isEmpty else { return }
    made.losses.append(
      "\(place): \(names.source)'s own settings stay behind: "
        + own.map { "\($0.key)=\($0.value)" }.joined(separator: ", "))
  }
}
