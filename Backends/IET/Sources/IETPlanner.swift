import HostInterface
import TargetCore

/// Plans one change on one state.
struct IETPlanner {
  let port: UInt16
  let state: LiveState
  let reason: String

  /// How long to wait for sessions to end and for a number to come free.
  static let quietLimit = Duration.seconds(10)

  /// IET's own settings of a target (include/iet_u.h); a value out of the range becomes the smallest one.
  static let attributeRanges: [String: ClosedRange<Int>] = [
    "Wthreads": 1...128, "QueuedCommands": 1...256, "NOPInterval": 0...90, "NOPTimeout": 0...90,
  ]

  func steps(for change: Change) throws -> [Step] {
    switch change {
    case .createTarget(let name, let id): return try createTarget(name, id: id)
    case .deleteTarget(let name, _): return try deleteTarget(name)
    case .enableTarget(let name): return try enable(name)
    case .disableTarget(let name): return try disable(name)
    case .addUnit(let name, let unit): return try addUnit(unit, to: name)
    case .replaceUnit(let name, let unit, _): return try replaceUnit(unit, of: name)
    case .removeUnit(let name, let lun, _): return try removeUnit(lun, from: name)
    case .setUnit(let name, let unit):
      throw Failure(
        .unsupported, "lun \(unit.lun) of \(name)", "cannot be changed while it is there",
        remedy: "replace the logical unit")
    case .resizeUnit(let name, let lun, _):
      throw Failure(
        .unsupported, "lun \(lun) of \(name)", "keeps the size that its backing had when it was added",
        remedy: "replace the logical unit, with the identity that it has")
    case .setParameter(let name, let parameter, let value): return try set(parameter, of: name, to: value)
    case .setAttribute(let name, let attribute, let value): return try set(attribute, of: name, to: value)
    case .allow(let name, let initiator):
      let target = try target(name).target
      return try access(of: target, to: target.initiators.union([initiator]))
    case .deny(let name, let initiator):
      let target = try target(name).target
      return try access(of: target, to: target.initiators.subtracting([initiator]))
    case .setAccount(let name, let direction, let account, let rewrite):
      return try setAccount(account, direction, of: name, rewrite: rewrite)
    case .clearAccount(let name, let direction, let user): return try clearAccount(user, direction, of: name)
    case .addPortal(let name, let portal): return try portals(of: name, portal, isAdded: true)
    case .removePortal(let name, let portal): return try portals(of: name, portal, isAdded: false)
    case .closeSession(let name, let id): return try closeSession(id, of: name)
    }
  }

  func target(_ name: TargetName) throws -> (target: Target, tid: UInt32) {
    guard let target = state.targets[name], let tid = target.id else {
      throw Failure(.notFound, "target \(name)", "does not exist")
    }
    return (target, tid)
  }

  func step(_ command: Command, undo: [Command] = [], patience: Duration? = nil) -> Step {
    Step(.run(command), undo: undo.map { .run($0) }, reason: reason, patience: patience)
  }

  /// Waits until a target has no sessions.
  func quiet(_ tid: UInt32, _ name: TargetName) -> Step {
    step(SessionCheck.command(tid, name), patience: Self.quietLimit)
  }

  // MARK: Targets

  /// The target is closed before it is there.
  ///
  /// Then what could be left at its number goes: a target that ietd remembers although the kernel does not have it,
  /// whose lines in the access files would count for the new one. Accounts at a number without a target, which the new
  /// one would take over, are an error.
  private func createTarget(_ name: TargetName, id: UInt32?) throws -> [Step] {
    guard let id else { throw Failure(.invalid, "target \(name)", "needs a number") }
    guard (try? TargetName(name.description)) == name else {
      throw Failure(
        .invalid, "target \(name)", "cannot be created with this name",
        remedy: "write it like iqn.2011-12.com.example:disk1")
    }
    return try closing(name)
      + [
        step(Ietadm.deleteTarget(id)),
        step(Ietadm.showUsers(id)),
        // A target with sessions is never deleted: some versions end ietd over it.
        step(Ietadm.newTarget(id, name), undo: [SessionCheck.command(id, name), Ietadm.deleteTarget(id)]),
      ]
  }

  /// Refuses logins, closes what is open, waits until it is closed, and only then deletes.
  private func deleteTarget(_ name: TargetName) throws -> [Step] {
    let (target, tid) = try target(name)
    var steps = try closing(name) + forgettingList(of: target)
    steps += closeConnections(of: target, tid)
    steps.append(quiet(tid, name))
    steps.append(step(Ietadm.deleteTarget(tid), undo: restoration(of: target, tid)))
    return steps + forgetting(name)
  }

  /// What makes a deleted target again.
  private func restoration(of target: Target, _ tid: UInt32) -> [Command] {
    var commands = [Ietadm.newTarget(tid, target.name)]
    let settings =
      target.attributes.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) }
      + target.parameters.sorted { $0.key < $1.key }.map { (key: $0.key.rawValue, value: $0.value) }
    if !settings.isEmpty { commands.append(Ietadm.update(tid, settings)) }
    for unit in target.units.values.sorted(by: { $0.lun < $1.lun }) {
      if let parameters = try? parameters(of: unit, target.name) {
        commands.append(Ietadm.newUnit(tid, unit.lun, parameters))
      }
    }
    for account in target.chap.incoming.reversed() {
      if let secret = account.secret {
        commands.append(Ietadm.newUser(tid, .incoming, account.user, secret))
      }
    }
    if let account = target.chap.outgoing, let secret = account.secret {
      commands.append(Ietadm.newUser(tid, .outgoing, account.user, secret))
    }
    return commands
  }

  private func closeSession(_ id: String, of name: TargetName) throws -> [Step] {
    let (target, tid) = try target(name)
    guard let session = target.sessions.first(where: { $0.id == id }) else {
      throw Failure(
        .notFound, "session \(id) of \(name)", "does not exist", remedy: "see `quartet session list`")
    }
    return closing(session, tid)
  }

  func closeConnections(of target: Target, _ tid: UInt32) -> [Step] {
    target.sessions.flatMap { closing($0, tid) }
  }

  private func closing(_ session: Session, _ tid: UInt32) -> [Step] {
    guard let sid = UInt64(session.id) else { return [] }
    return session.connections.map { step(Ietadm.deleteConnection(tid, sid, $0.id)) }
  }

  // MARK: Settings

  private func set(_ parameter: SessionParameter, of name: TargetName, to value: String) throws -> [Step] {
    let (target, tid) = try target(name)
    // A comma would begin the next setting.
    let first = value.split(separator: ",").first.map(String.init) ?? value
    let old = target.parameters[parameter].map { [Ietadm.update(tid, [(parameter.rawValue, $0)])] }
    return [step(Ietadm.update(tid, [(parameter.rawValue, first)]), undo: old ?? [])]
  }

  private func set(_ attribute: String, of name: TargetName, to value: String) throws -> [Step] {
    let (target, tid) = try target(name)
    guard let range = Self.attributeRanges[attribute] else {
      throw Failure(.unsupported, "attribute \(attribute) of \(name)", "is none of IET")
    }
    guard let number = Int(value), range.contains(number), String(number) == value else {
      throw Failure(
        .invalid, "attribute \(attribute) of \(name)",
        "cannot be \(ISCSIName.printable(value)), \(range.lowerBound) to \(range.upperBound) are allowed")
    }
    let old = target.attributes[attribute].map { [Ietadm.update(tid, [(attribute, $0)])] }
    return [step(Ietadm.update(tid, [(attribute, value)]), undo: old ?? [])]
  }
}
