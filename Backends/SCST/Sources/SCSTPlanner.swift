import HostInterface
import TargetCore

/// Plans one change on one state.
struct SCSTPlanner {
  let state: LiveState
  let port: UInt16
  let reason: String

  /// How long a command may take: longer than the 90 s after which SCST gives up to stop all I/O.
  static let limit = Duration.seconds(100)
  /// How long sessions may take to end.
  static let quietLimit = Duration.seconds(30)

  func steps(for change: Change) throws -> [Step] {
    switch change {
    case .createTarget(let name, let id): return try createTarget(name, id: id)
    case .deleteTarget(let name, _): return try deleteTarget(name)
    case .enableTarget(let name): return try setEnabled(name, true)
    case .disableTarget(let name): return try setEnabled(name, false)
    case .addUnit(let name, let unit): return try addUnit(unit, to: name)
    case .replaceUnit(let name, let unit, _):
      return try replaceUnit(unit, of: name)
    case .setUnit(let name, let unit): return try setUnit(unit, of: name)
    case .resizeUnit(let name, let lun, _): return try resizeUnit(lun, of: name)
    case .removeUnit(let name, let lun, _): return try removeUnit(lun, from: name)
    case .setParameter(let name, let parameter, let value):
      return [try setParameter(parameter, to: value, of: name)]
    case .setAttribute(let name, let attribute, let value):
      return [try setAttribute(attribute, to: value, of: name)]
    case .allow(let name, let initiator): return try allow(initiator, at: name)
    case .deny(let name, let initiator): return try deny(initiator, at: name)
    case .setAccount(let name, let direction, let account, let rewrite):
      return try setAccount(account, direction, of: name, rewrite: rewrite)
    case .clearAccount(let name, let direction, let user):
      return [try clearAccount(user, direction, of: name)]
    case .addPortal(let name, let portal): return try addPortal(portal, to: name)
    case .removePortal(let name, let portal): return try removePortal(portal, from: name)
    case .closeSession(let name, let id): return try closeSession(id, of: name)
    }
  }

  func target(_ name: TargetName) throws -> Target {
    guard let target = state.targets[name] else {
      throw Failure(.notFound, "target \(name)", "does not exist")
    }
    return target
  }

  // MARK: Commands

  func command(
    _ path: String, _ contents: Text, _ proof: Condition? = nil, unless condition: Condition? = nil
  )
    -> Operation
  {
    .manage(
      ManagementWrite(
        path: Text(path), contents: contents + "\n", result: Text(SCSTPaths.result), proof: proof,
        unless: condition, limit: Self.limit))
  }

  func step(_ operation: Operation, undo: [Operation] = [], patience: Duration? = nil) -> Step {
    Step(operation, undo: undo, reason: reason, patience: patience)
  }

  /// Writes the value of an attribute; the old one is written back where it is known.
  func set(_ path: String, to value: String, from old: String?, reads: String? = nil) -> Step {
    func write(_ value: String, _ line: String?) -> Operation {
      command(path, Text(value), line.map { .reads(path: Text(path), line: Text($0)) })
    }
    return step(write(value, reads), undo: old.map { [write($0, nil)] } ?? [])
  }

  // MARK: Targets

  private func creation(of name: TargetName) -> Operation {
    command(SCSTPaths.targets, "add_target \(name)", .exists(path: Text(SCSTPaths.target(name))))
  }

  private func deletion(of name: TargetName) -> Operation {
    command(SCSTPaths.targets, "del_target \(name)", .absent(path: Text(SCSTPaths.target(name))))
  }

  /// A name that iscsi-scstd would take apart, or that is one of its own files, names no target.
  private func checkName(_ name: TargetName) throws {
    let own = ["mgmt", "version", "open_state", "trace_level", "enabled", "internal_portal", "link_local"]
    let kinds = ["iSNSServer", "isns_entity_name", "IncomingUser", "OutgoingUser"]
    guard SCSTToken.isOne(name.description), !name.description.contains("!"),
      !own.contains(name.description), !kinds.contains(where: name.description.isNumbered)
    else {
      throw Failure(
        .unsupported, "target \(name)", "cannot be called so with SCST, to which that is syntax or a file",
        remedy: "choose another name")
    }
  }

  private func createTarget(_ name: TargetName, id: UInt32?) throws -> [Step] {
    try checkName(name)
    let isThere = state.targets[name]?.isUnfinished == true
    var steps = isThere ? [] : [step(creation(of: name), undo: [deletion(of: name)])]
    guard let id else { return steps }
    if let owner = state.facts[SCSTFact.relativeID(id)] {
      throw Failure(
        .exists, "target \(name)", "cannot have number \(id), the target \(owner) has it",
        remedy: "give it another number")
    }
    let path = SCSTPaths.target(name) + "/rel_tgt_id"
    steps.append(set(path, to: "\(id)", from: nil, reads: "\(id)"))
    return steps
  }

  private func setEnabled(_ name: TargetName, _ isEnabled: Bool) throws -> [Step] {
    let (now, before) = isEnabled ? ("1", "0") : ("0", "1")
    let wasEnabled = try target(name).enabled
    let old = wasEnabled == isEnabled ? nil : before
    var steps = [set(SCSTPaths.target(name) + "/enabled", to: now, from: old, reads: now)]
    // The driver comes last: before, nobody is answered.
    if isEnabled, state.facts[SCSTFact.driver] == "0" {
      steps.append(set(SCSTPaths.driver + "/enabled", to: "1", from: "0", reads: "1"))
    }
    return steps
  }

  /// Refuses logins, closes what is open and waits for its end, and removes the logical units and then the target
  /// with its groups.
  private func deleteTarget(_ name: TargetName) throws -> [Step] {
    let target = try target(name)
    let path = SCSTPaths.target(name)
    var steps = [set(path + "/enabled", to: "0", from: target.enabled ? "1" : nil, reads: "0")]
    steps += target.sessions.map { step(closing($0.id, of: name)) }
    steps.append(step(.wait(for: .empty(directory: Text(path + "/sessions")), limit: Self.quietLimit)))
    let units = target.units.values.sorted { $0.lun < $1.lun }
    for unit in units.reversed() where ownDevice(of: unit, name) != nil {
      steps += try removal(of: unit, target)
    }
    let others = units.filter { ownDevice(of: $0, name) == nil }
    steps += leftovers(of: target)
    return steps + [
      step(deletion(of: name), undo: try restoration(of: target, with: others), patience: Self.quietLimit)
    ]
  }

  /// What makes a target again as it was, but for being enabled, with the logical units that went with it.
  private func restoration(of target: Target, with units: [LogicalUnit]) throws -> [Operation] {
    let name = target.name
    let path = SCSTPaths.target(name)
    var list = [creation(of: name)]
    for (parameter, value) in target.parameters.sorted(by: { $0.key < $1.key }) {
      list.append(command("\(path)/\(parameter.rawValue)", Text(value)))
    }
    for (attribute, value) in target.attributes.sorted(by: { $0.key < $1.key }) where !value.isEmpty {
      list.append(command("\(path)/\(attribute)", Text(value)))
    }
    for direction in CHAPDirection.allCases {
      let accounts =
        direction == .incoming ? target.chap.incoming : [target.chap.outgoing].compactMap { $0 }
      list += accounts.compactMap { addition(of: $0, direction, to: name) }
    }
    for pattern in patterns(of: name) { list.append(addition(of: pattern, to: name)) }
    for place in foundPlaces(of: name) {
      if case .group(let group) = place { list.append(groupCreation(group, of: name)) }
      for unit in units {
        if let shown = state.facts[SCSTFact.mapped(name, place, unit.lun)] {
          list.append(mapping(shown, at: unit.lun, place, of: name))
        }
      }
      if case .group(let group) = place {
        list += members(of: group, name).map { addition(of: $0, to: group, of: name) }
      }
    }
    if state.facts[SCSTFact.members(name, Place.marker)] != nil {
      list.append(groupCreation(Place.marker, of: name))
    }
    if let id = target.id { list.append(command(path + "/rel_tgt_id", "\(id)")) }
    return list
  }

  // MARK: Settings

  private func setParameter(_ parameter: SessionParameter, to value: String, of name: TargetName) throws
    -> Step
  {
    let reads = Capabilities.scst.parameterReadsAs[parameter]?[value] ?? value
    return set(
      "\(SCSTPaths.target(name))/\(parameter.rawValue)", to: value,
      from: try target(name).parameters[parameter],
      reads: reads)
  }

  private func setAttribute(_ attribute: String, to value: String, of name: TargetName) throws -> Step {
    try TargetAttribute.check(attribute, value, place: "target \(name)")
    let old = try target(name).attributes[attribute]
    return set("\(SCSTPaths.target(name))/\(attribute)", to: value, from: old)
  }

  // MARK: Sessions

  private func closing(_ id: String, of name: TargetName) -> Operation {
    command("\(SCSTPaths.target(name))/sessions/\(id)/force_close", "1")
  }

  private func closeSession(_ id: String, of name: TargetName) throws -> [Step] {
    guard try target(name).sessions.contains(where: { $0.id == id }) else {
      throw Failure(
        .notFound, "session \(id) of \(name)", "does not exist", remedy: "see `quartet session list`")
    }
    let path = "\(SCSTPaths.target(name))/sessions/\(id)"
    return [
      step(closing(id, of: name)),
      step(.wait(for: .absent(path: Text(path)), limit: Self.quietLimit)),
    ]
  }
}

/// SCST's own settings of targets (iscsi-scst/README and scst/README).
enum TargetAttribute {
  /// Checks a setting before anything is written.
  ///
  /// - Throws: ``Failure`` with code `invalid`.
  static func check(_ name: String, _ value: String, place: String) throws {
    func refuse(_ allowed: String) -> Failure {
      Failure(.invalid, place, "cannot have \(name) \(value.debugDescription), \(allowed)")
    }
    // More than a page would be taken in part.
    guard value.utf8.count <= 500 else { throw refuse("at most 500 bytes are allowed") }
    switch name {
    case "QueuedCommands": try number(value, 1...2048, refuse)
    case "RspTimeout", "NopInTimeout": try number(value, 2...65535, refuse)
    case "NopInInterval", "MaxSessions": try number(value, 0...65535, refuse)
    case "RDMAExtensions":
      guard ["Yes", "No"].contains(value) else { throw refuse("Yes and No are allowed") }
    case "aen_disabled", "forward_dst", "forward_src", "forwarding", "per_portal_acl":
      try number(value, 0...1, refuse)
    case "black_hole": try number(value, 0...4, refuse)
    case "addr_method":
      let words = ["PERIPHERAL", "FLAT", "LUN"]
      guard words.contains(value) else { throw refuse("\(words.joined(separator: ", ")) are allowed") }
    case "io_grouping_type":
      let words = ["auto", "this_group_only", "never"]
      if !words.contains(value) { try number(value, 1...Int(Int32.max), refuse) }
    case "cpu_mask":
      guard !value.isEmpty, value.allSatisfy({ $0.isASCII && $0.isHexDigit || $0 == "," }) else {
        throw refuse("hexadecimal digits are allowed")
      }
    default: break
    }
  }

  private static func number(_ value: String, _ range: ClosedRange<Int>, _ refuse: (String) -> Failure) throws
  {
    guard let number = Int(value), String(number) == value, range.contains(number) else {
      throw refuse("\(range.lowerBound) to \(range.upperBound) are allowed")
    }
  }
}
