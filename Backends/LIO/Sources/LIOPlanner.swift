import HostInterface
import TargetCore

/// Plans one change on one state.
struct LIOPlanner {
  let state: LiveState
  let reason: String

  func steps(for change: Change) throws -> [Step] {
    guard let name = change.target, let built = state.facts[LIOFacts.halfBuilt(name)] else {
      return try ownSteps(for: change)
    }
    switch change {
    case .deleteTarget: return try ownSteps(for: change)
    // It does not take part yet.
    case .disableTarget: return []
    default: return try finish(name, from: built) + ownSteps(for: change)
    }
  }

  private func ownSteps(for change: Change) throws -> [Step] {
    switch change {
    case .createTarget(let name, _): return [make(LIOPaths.target(name))] + groupSteps(name)
    case .deleteTarget(let name, _): return try deleteTarget(name)
    case .enableTarget(let name): return [set(LIOPaths.group(name) + "/enable", to: "1", from: "0")]
    case .disableTarget(let name): return [set(LIOPaths.group(name) + "/enable", to: "0", from: "1")]
    case .addUnit(let name, let unit): return try addUnit(unit, to: name)
    case .replaceUnit(let name, let unit, _):
      return try removeUnit(unit.lun, from: name) + addUnit(unit, to: name, isCleared: true)
    case .setUnit(let name, let unit): return try setUnit(unit, of: name)
    case .resizeUnit(let name, let lun, let size): return try resizeUnit(lun, of: name, to: size)
    case .removeUnit(let name, let lun, _): return try removeUnit(lun, from: name)
    case .setParameter(let name, let parameter, let value):
      let path = "\(LIOPaths.group(name))/param/\(parameter.rawValue)"
      return [set(path, to: value, from: try target(name).parameters[parameter])]
    case .setAttribute(let name, let attribute, let value):
      let path = "\(LIOPaths.group(name))/\(LIOPaths.targetAttribute(attribute))"
      return [set(path, to: value, from: try target(name).attributes[attribute])]
    case .allow(let name, let initiator): return try allow(initiator, at: name)
    case .deny(let name, let initiator): return try deny(initiator, at: name)
    case .setAccount(let name, let direction, let account, let rewrite):
      return try setAccount(account, direction, of: name, rewrite: rewrite)
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

  /// A new portal group takes part at once: it has no portal, and lets nobody in.
  ///
  /// A later step that enables it could be
  /// missing after a kill, and nothing would tell that from a target that was disabled on purpose.
  private func groupSteps(_ name: TargetName) -> [Step] {
    let group = LIOPaths.group(name)
    return [
      make(group), set(group + "/attrib/authentication", to: "0", from: nil),
      set(group + "/enable", to: "1", from: nil),
    ]
  }

  /// What a killed run had not done yet.
  ///
  /// Each chain of a plan begins with it, so that it is not undone.
  private func finish(_ name: TargetName, from built: String) throws -> [Step] {
    let target = try target(name)
    let group = LIOPaths.group(name)
    var steps = built == "name" ? [make(group)] : []
    let isAsked = !target.chap.incoming.isEmpty
    steps.append(set(group + "/attrib/authentication", to: isAsked ? "1" : "0", from: nil))
    if target.enabled { steps.append(set(group + "/enable", to: "1", from: nil)) }
    return steps.map { Step($0.operation, reason: reason) }
  }

  /// Disabling closes the sessions; then everything goes in the order that configfs demands.
  private func deleteTarget(_ name: TargetName) throws -> [Step] {
    let target = try target(name)
    let group = LIOPaths.group(name)
    if let others = state.facts[LIOFacts.otherGroups(name)] {
      throw Failure(
        .unsupported, "target \(name)",
        "has portal groups that Quartet does not know (\(others.split(separator: "\n").joined(separator: ", ")))",
        remedy: "remove them with the tool that made them")
    }
    var steps: [Step] = []
    let isBuilt = state.facts[LIOFacts.halfBuilt(name)] == nil
    if target.enabled, isBuilt { steps.append(set(group + "/enable", to: "0", from: "1")) }
    // Everyone's sessions ended with the portal group, and so does what the kernel keeps of them.
    for node in allNodes(of: target) {
      steps += denyNode(node, at: target)
    }
    for lun in target.units.keys.sorted(by: >) { steps += try removeUnit(lun, from: name, mapped: false) }
    for portal in (target.portals ?? []).sorted() { steps += try removePortal(portal, from: name) }
    if state.facts[LIOFacts.halfBuilt(name)] != "name" {
      var removal = remove(group)
      removal.undo += restoration(of: target)
      steps.append(removal)
    }
    return steps + [remove(LIOPaths.target(name))]
  }

  /// What a portal group had besides what is in it.
  private func restoration(of target: Target) -> [Operation] {
    let group = LIOPaths.group(target.name)
    func write(_ file: String, _ value: String) -> Operation {
      .write(path: Text("\(group)/\(file)"), contents: Text(value + "\n"))
    }
    var operations = target.parameters.sorted { $0.key < $1.key }.map {
      write("param/\($0.key.rawValue)", $0.value)
    }
    operations += target.attributes.sorted { $0.key < $1.key }.map {
      write(LIOPaths.targetAttribute($0.key), $0.value)
    }
    for direction in CHAPDirection.allCases {
      operations += previous(direction, in: group + "/auth", of: target.chap, elseClear: false)
    }
    operations.append(write("attrib/authentication", target.chap.incoming.isEmpty ? "0" : "1"))
    if target.initiators.contains(.all) {
      operations += [write("attrib/demo_mode_write_protect", "0"), write("attrib/generate_node_acls", "1")]
    }
    return operations
  }

  func lines(_ fact: String) -> [String] { (state.facts[fact] ?? "").split(separator: "\n").map(String.init) }

  private func addPortal(_ portal: Portal, to name: TargetName?) throws -> [Step] {
    guard let name else { throw Self.wantsTarget(portal) }
    let path = LIOPaths.portal(name, portal)
    // The kernel has no way back from iSER but to remove the portal, which undoes both steps.
    return [make(path)] + (portal.iser ? [set(path + "/iser", to: "1", from: nil)] : [])
  }

  func removePortal(_ portal: Portal, from name: TargetName?) throws -> [Step] {
    guard let name else { throw Self.wantsTarget(portal) }
    var step = remove(LIOPaths.portal(name, portal))
    if portal.iser {
      step.undo.append(.write(path: Text(LIOPaths.portal(name, portal) + "/iser"), contents: "1\n"))
    }
    return [step]
  }

  private static func wantsTarget(_ portal: Portal) -> Failure {
    Failure(
      .invalid, "portal \(portal)", "needs a target, since each has its own portals", remedy: "say --target")
  }

  /// LIO has no file that closes a session.
  ///
  /// A node ACL closes its own when its queue depth changes; the session of an ACL that the kernel made is taken over
  /// by a named one, which closes it by going (Fixtures/LIO/sessions.jsonl).
  private func closeSession(_ id: String, of name: TargetName) throws -> [Step] {
    let target = try target(name)
    guard let session = target.sessions.first(where: { $0.id == id }),
      let initiator = ISCSIName(asFound: session.initiator)
    else {
      throw Failure(
        .notFound, "session \(id) of \(name)", "does not exist", remedy: "see `quartet session list`")
    }
    guard target.initiators.contains(.name(initiator)) else { return dropDynamic(initiator, at: name) }
    let file = LIOPaths.acl(name, initiator) + "/cmdsn_depth"
    let depth = state.facts[LIOFacts.depth(name, initiator)].flatMap { Int($0) } ?? 64
    // 512 is the most that it takes (TA_DEFAULT_CMDSN_DEPTH_MAX).
    let other = depth < 512 ? depth + 1 : depth - 1
    return [
      step(
        .write(path: Text(file), contents: "\(other)\n"),
        undo: .write(path: Text(file), contents: "\(depth)\n")),
      step(.write(path: Text(file), contents: "\(depth)\n")),
    ]
  }

  /// Ends the session of an ACL that the kernel made, and makes the kernel forget the ACL.
  func dropDynamic(_ initiator: ISCSIName, at name: TargetName) -> [Step] {
    let acl = LIOPaths.acl(name, initiator)
    return [make(acl), step(.removeDirectory(path: Text(acl)), patience: .seconds(10))]
  }
}
