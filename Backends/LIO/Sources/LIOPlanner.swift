import HostInterface
import TargetCore

/// Plans one change on one state.
struct LIOPlanner {
  let state: LiveState
  let reason: String

  func steps(for change: Change) throws -> [Step] {
    switch change {
    case .createTarget(let name, _): return createTarget(name)
    case .deleteTarget(let name, _): return try deleteTarget(name)
    case .enableTarget(let name): return try enable(name)
    case .disableTarget(let name): return [set(LIOPaths.group(name) + "/enable", to: "0", from: "1")]
    case .addUnit(let name, let unit): return try addUnit(unit, to: name)
    case .replaceUnit(let name, let unit, _):
      return try removeUnit(unit.lun, from: name) + addUnit(unit, to: name)
    case .setUnit(let name, let unit): return try setUnit(unit, of: name)
    case .resizeUnit(let name, let lun, let size): return try resizeUnit(lun, of: name, to: size)
    case .removeUnit(let name, let lun, _): return try removeUnit(lun, from: name)
    case .setParameter(let name, let parameter, let value):
      let path = "\(LIOPaths.group(name))/param/\(parameter.rawValue)"
      return [set(path, to: value, from: try target(name).parameters[parameter])]
    case .setAttribute(let name, let attribute, let value):
      let folder = attribute == "TargetAlias" ? "param" : "attrib"
      let path = "\(LIOPaths.group(name))/\(folder)/\(attribute)"
      return [set(path, to: value, from: try target(name).attributes[attribute])]
    case .allow(let name, let initiator): return try allow(initiator, at: name)
    case .deny(let name, let initiator): return try deny(initiator, at: name)
    case .setAccount(let name, let direction, let account, _):
      return try setAccount(account, direction, of: name)
    case .clearAccount(let name, let direction, let user): return try clearAccount(user, direction, of: name)
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

  // MARK: Single steps

  func step(_ operation: Operation, undo: Operation? = nil, patience: Duration? = nil) -> Step {
    Step(operation, undo: undo.map { [$0] } ?? [], reason: reason, patience: patience)
  }

  /// Writes a value; the old one is written back when it is known.
  func set(_ path: String, to value: Text, from old: Text? = nil) -> Step {
    step(
      .write(path: Text(path), contents: value + "\n"),
      undo: old.map { .write(path: Text(path), contents: $0 + "\n") })
  }

  func set(_ path: String, to value: String, from old: String?) -> Step {
    set(path, to: Text(value), from: old.map { Text($0) })
  }

  func make(_ directory: String) -> Step {
    step(.createDirectory(path: Text(directory)), undo: .removeDirectory(path: Text(directory)))
  }

  func remove(_ directory: String) -> Step {
    step(
      .removeDirectory(path: Text(directory)), undo: .createDirectory(path: Text(directory)),
      patience: .seconds(10))
  }

  func link(_ path: String, to destination: String) -> Step {
    step(
      .createLink(path: Text(path), destination: Text(destination)), undo: .removeFile(path: Text(path)))
  }

  func unlink(_ path: String, from destination: String) -> Step {
    step(
      .removeFile(path: Text(path)),
      undo: .createLink(path: Text(path), destination: Text(destination)))
  }

  // MARK: Targets

  func createTarget(_ name: TargetName) -> [Step] {
    let made = state.facts["half-built \(name)"] != nil ? [] : [make(LIOPaths.target(name))]
    return made + [make(LIOPaths.group(name))]
  }

  /// Whoever is let in without an account must not be asked for one, and the other way round: authentication is
  /// settled before the portal group opens.
  func enable(_ name: TargetName) throws -> [Step] {
    let target = try target(name)
    let group = LIOPaths.group(name)
    return [
      set(group + "/attrib/authentication", to: target.chap.incoming.isEmpty ? "0" : "1", from: nil),
      set(group + "/enable", to: "1", from: "0"),
    ]
  }

  /// Disabling closes the sessions; then everything goes in the order that configfs demands.
  func deleteTarget(_ name: TargetName) throws -> [Step] {
    let target = try target(name)
    let group = LIOPaths.group(name)
    var steps: [Step] = []
    if target.enabled { steps.append(set(group + "/enable", to: "0", from: "1")) }
    for initiator in target.initiators.sorted() { steps += try deny(initiator, at: name) }
    for lun in target.units.keys.sorted(by: >) { steps += try removeUnit(lun, from: name, mapped: false) }
    for portal in (target.portals ?? []).sorted() { steps += try removePortal(portal, from: name) }
    if state.facts["half-built \(name)"] == nil { steps.append(remove(group)) }
    return steps + [remove(LIOPaths.target(name))]
  }

  func addPortal(_ portal: Portal, to name: TargetName?) throws -> [Step] {
    guard let name else {
      throw Failure(
        .invalid, "portal \(portal)", "needs a target, since each has its own portals",
        remedy: "say --target")
    }
    let path = LIOPaths.portal(name, portal)
    return [make(path)] + (portal.iser ? [set(path + "/iser", to: "1", from: "0")] : [])
  }

  func removePortal(_ portal: Portal, from name: TargetName?) throws -> [Step] {
    guard let name else {
      throw Failure(
        .invalid, "portal \(portal)", "needs a target, since each has its own portals",
        remedy: "say --target")
    }
    return [remove(LIOPaths.portal(name, portal))]
  }

  /// LIO has no file that closes a session.
  ///
  /// A node ACL closes its own when its queue depth changes; the session of
  /// a dynamic ACL is taken over by a named one, which closes it by going.
  func closeSession(_ id: String, of name: TargetName) throws -> [Step] {
    let target = try target(name)
    guard let session = target.sessions.first(where: { $0.id == id }),
      let initiator = ISCSIName(asFound: session.initiator)
    else {
      throw Failure(
        .notFound, "session \(id) of \(name)", "does not exist", remedy: "see `quartet session list`")
    }
    let acl = LIOPaths.acl(name, initiator)
    guard target.initiators.contains(.name(initiator)) else {
      return [step(.createDirectory(path: Text(acl))), step(.removeDirectory(path: Text(acl)))]
    }
    let depth = state.facts["depth \(name) \(initiator)"].flatMap { Int($0) } ?? 64
    return [
      step(.write(path: Text(acl + "/cmdsn_depth"), contents: "\(depth + 1)\n")),
      step(.write(path: Text(acl + "/cmdsn_depth"), contents: "\(depth)\n")),
    ]
  }
}
