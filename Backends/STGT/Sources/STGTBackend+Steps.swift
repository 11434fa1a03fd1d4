import HostInterface
import TargetCore

extension STGTBackend {
  func steps(for change: Change, in state: LiveState) throws -> [Step] {
    let planner = STGTPlanner(backend: self, state: state, reason: change.description)
    switch change {
    case .createTarget(let name, let id): return try planner.createTarget(name, id: id)
    case .deleteTarget(let name, _): return try planner.deleteTarget(name)
    case .enableTarget(let name): return try planner.setState(of: name, ready: true)
    case .disableTarget(let name): return try planner.setState(of: name, ready: false)
    case .addUnit(let name, let unit): return try planner.addUnit(unit, to: name)
    case .replaceUnit(let name, let unit, let force):
      return try planner.removeUnit(unit.lun, from: name, force: force) + planner.addUnit(unit, to: name)
    case .setUnit(let name, let unit): return try planner.setUnit(unit, of: name)
    case .resizeUnit(let name, let lun, _): return try planner.resizeUnit(lun, of: name)
    case .removeUnit(let name, let lun, let force):
      return try planner.removeUnit(lun, from: name, force: force)
    case .setParameter(let name, let parameter, let value):
      return try planner.update(
        name, parameter.rawValue, to: value, from: state.targets[name]?.parameters[parameter])
    case .setAttribute(let name, let attribute, let value):
      return try planner.update(name, attribute, to: value, from: state.targets[name]?.attributes[attribute])
    case .allow(let name, let initiator): return try planner.allow(initiator, at: name)
    case .deny(let name, let initiator): return try planner.deny(initiator, at: name)
    case .setAccount(let name, let direction, let account, let rewrite):
      return try planner.setAccount(account, direction, of: name, rewrite: rewrite)
    case .clearAccount(let name, let direction, let user):
      return try planner.clearAccount(user, direction, of: name)
    case .addPortal(_, let portal): return try planner.addPortal(portal)
    case .removePortal(_, let portal): return try planner.removePortal(portal)
    case .closeSession(let name, let id): return try planner.closeSession(id, of: name)
    }
  }
}

/// Plans one change on one state.
struct STGTPlanner {
  let backend: STGTBackend
  let state: LiveState
  let reason: String

  var transport: STGTBackend.Transport {
    state.facts[STGTBackend.transportFact].flatMap(STGTBackend.Transport.init(rawValue:)) ?? .socket
  }

  /// How long to wait for commands and sessions to end before something is removed.
  static let quietLimit = Duration.seconds(10)

  func step(_ request: ManagementRequest, undo: [ManagementRequest] = [], patience: Duration? = nil) throws
    -> Step
  {
    Step(
      try backend.operation(request, by: transport),
      undo: try undo.map { try backend.operation($0, by: transport) }, reason: reason, patience: patience)
  }

  func target(_ name: TargetName) throws -> (target: Target, tid: UInt32) {
    guard let target = state.targets[name], let tid = target.id else {
      throw Failure(.notFound, "target \(name)", "does not exist")
    }
    return (target, tid)
  }

  func createTarget(_ name: TargetName, id: UInt32?) throws -> [Step] {
    guard let id else { throw Failure(.invalid, "target \(name)", "needs a number") }
    return [
      try step(
        creation(of: name, tid: id), undo: [ManagementRequest(mode: .target, operation: .delete, tid: id)])
    ]
  }

  private func creation(of name: TargetName, tid: UInt32) -> ManagementRequest {
    ManagementRequest(
      mode: .target, operation: .new, tid: tid, parameters: "targetname=\(name)",
      options: ["--targetname", "\(name)"])
  }

  /// Refuses logins, closes what is open, removes the logical units one by one (tgtd stops half way at a busy one),
  /// and then the target.
  func deleteTarget(_ name: TargetName) throws -> [Step] {
    let (target, tid) = try target(name)
    var steps = try target.initiators.sorted().flatMap { try deny($0, at: name) }
    steps += try closeConnections(of: target, tid)
    for unit in target.units.values.sorted(by: { $0.lun > $1.lun }) {
      steps.append(try removal(of: unit, tid))
    }
    var undo = [creation(of: name, tid: tid)]
    undo += target.parameters.sorted { $0.key < $1.key }.map { updating(tid, $0.key.rawValue, $0.value) }
    undo += target.attributes.sorted { $0.key < $1.key }.map { updating(tid, $0.key, $0.value) }
    if !target.enabled { undo.append(updating(tid, "state", "offline")) }
    undo += target.chap.incoming.map { binding($0.user, .incoming, tid, bind: true) }
    if let outgoing = target.chap.outgoing { undo.append(binding(outgoing.user, .outgoing, tid, bind: true)) }
    let deletion = ManagementRequest(mode: .target, operation: .delete, tid: tid)
    return steps + [try step(deletion, undo: undo, patience: Self.quietLimit)]
  }

  func closeSession(_ id: String, of name: TargetName) throws -> [Step] {
    let (target, tid) = try target(name)
    guard let session = target.sessions.first(where: { $0.id == id }) else {
      throw Failure(
        .notFound, "session \(id) of \(name)", "does not exist", remedy: "see `quartet session list`")
    }
    return try closing(session, tid)
  }

  func closeConnections(of target: Target, _ tid: UInt32) throws -> [Step] {
    try target.sessions.flatMap { try closing($0, tid) }
  }

  private func closing(_ session: Session, _ tid: UInt32) throws -> [Step] {
    guard let sid = UInt64(session.id) else { return [] }
    return try session.connections.map { connection in
      try step(
        ManagementRequest(mode: .connection, operation: .delete, tid: tid, sid: sid, cid: connection.id))
    }
  }

  func setState(of name: TargetName, ready: Bool) throws -> [Step] {
    let tid = try target(name).tid
    let (now, before) = ready ? ("ready", "offline") : ("offline", "ready")
    return [try step(updating(tid, "state", now), undo: [updating(tid, "state", before)])]
  }

  func update(_ name: TargetName, _ key: String, to value: String, from old: String?) throws -> [Step] {
    let tid = try target(name).tid
    return [try step(updating(tid, key, value), undo: old.map { [updating(tid, key, $0)] } ?? [])]
  }

  private func updating(_ tid: UInt32, _ key: String, _ value: String) -> ManagementRequest {
    ManagementRequest(
      mode: .target, operation: .update, tid: tid, parameters: "\(key)=\(value)",
      options: ["--name", Text(key), "--value", Text(value)])
  }

  func allow(_ initiator: Initiator, at name: TargetName) throws -> [Step] {
    let tid = try target(name).tid
    let word = word(for: initiator, at: name)
    return [
      try step(
        access(initiator, word, tid, bind: true), undo: [access(initiator, word, tid, bind: false)])
    ]
  }

  func deny(_ initiator: Initiator, at name: TargetName) throws -> [Step] {
    let tid = try target(name).tid
    let word = word(for: initiator, at: name)
    return [
      try step(
        access(initiator, word, tid, bind: false), undo: [access(initiator, word, tid, bind: true)])
    ]
  }

  /// tgtd compares the text, so that an entry goes only under the spelling that it was made with.
  private func word(for initiator: Initiator, at name: TargetName) -> String {
    state.facts[spelling(of: initiator, target: name)] ?? accessWord(initiator)
  }

  private func access(_ initiator: Initiator, _ word: String, _ tid: UInt32, bind: Bool) -> ManagementRequest
  {
    let key = initiator.kind == .name ? "initiator-name" : "initiator-address"
    return ManagementRequest(
      mode: .target, operation: bind ? .bind : .unbind, tid: tid, parameters: "\(key)=\(word)",
      options: ["--\(key)", Text(word)])
  }

  func addPortal(_ portal: Portal) throws -> [Step] {
    [try step(self.portal(portal, .new), undo: [self.portal(portal, .delete)])]
  }

  func removePortal(_ portal: Portal) throws -> [Step] {
    [try step(self.portal(portal, .delete), undo: [self.portal(portal, .new)])]
  }

  private func portal(_ portal: Portal, _ operation: ManagementRequest.Operation) -> ManagementRequest {
    ManagementRequest(
      mode: .portal, operation: operation, parameters: "portalOps portal=\(portal),",
      options: ["--param", "portal=\(portal)"])
  }
}
