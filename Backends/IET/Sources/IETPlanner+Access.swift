import HostInterface
import TargetCore

/// Access: who may log in, and whether the target is in service.
///
/// IET has no switch that takes a target out of service. Quartet refuses all logins to such a target, and keeps its list
/// in a remark of initiators.allow. Each edit touches the lines of one target only; the line that decides about it is put
/// first, since a line for all targets above it would decide instead.
extension IETPlanner {
  /// Lets in exactly these initiators.
  func access(of target: Target, to initiators: Set<Initiator>) throws -> [Step] {
    try access(of: target, to: initiators, enabled: target.enabled)
  }

  func enable(_ name: TargetName) throws -> [Step] {
    let target = try target(name).target
    return try access(of: target, to: target.initiators, enabled: true)
  }

  func disable(_ name: TargetName) throws -> [Step] {
    let (target, tid) = try target(name)
    let steps = try access(of: target, to: target.initiators, enabled: false)
    return steps + closeConnections(of: target, tid) + [quiet(tid, name)]
  }

  private func line(_ name: TargetName, _ initiators: Set<Initiator>) -> String {
    AccessItem.line(name, initiators.sorted().map { AccessItem.text($0) })
  }

  /// The line that decides about a target as it is now, and the remark that keeps its list.
  private func lines(of target: Target) -> (deciding: String, remark: String) {
    let list = line(target.name, target.initiators)
    return target.enabled
      ? (list, "") : (line(target.name, []), "\(AccessFile.disabledMark)\(list)")
  }

  private func access(of target: Target, to initiators: Set<Initiator>, enabled: Bool) throws -> [Step] {
    let name = target.name
    if initiators == target.initiators, enabled == target.enabled { return [] }
    if enabled, initiators.contains(.all), let some = state.facts[IETFact.exceptions(name)] {
      throw Failure(
        .unsupported, "target \(name)",
        "is open to everyone but those that initiators.deny names (\(some)), which cannot be expressed",
        remedy: "deny `all` first, or take its line out of initiators.deny")
    }
    var wanted = target
    (wanted.initiators, wanted.enabled) = (initiators, enabled)
    let (now, new) = (lines(of: target), lines(of: wanted))
    var steps: [Step] = []
    // The list is kept before the line that has it goes, and comes back before the remark goes.
    if !enabled {
      steps.append(try first(new.remark, insteadOf: [now.remark], in: .initiatorsAllow, undo: now.remark))
    }
    if new.deciding == line(name, []) {
      steps += try closing(name)
    } else if now.deciding != new.deciding {
      steps += try decide(new.deciding, now.deciding, of: target)
    }
    if enabled { steps += forgettingList(of: target) }
    return steps
  }

  /// Lets nobody in, whatever the target had before, and whether it is there or not.
  func closing(_ name: TargetName) throws -> [Step] {
    let shut = line(name, [])
    if let target = state.targets[name] {
      let now = lines(of: target).deciding
      // A line with items that are not understood may let somebody in although the list is empty.
      let isShut = now == shut && state.facts[IETFact.own(.initiatorsAllow, name)] == shut
      return isShut ? [] : try decide(shut, now, of: target)
    }
    // Lines that wait for a target of this name stay where they are, and decide nothing below this one.
    return [try first(shut, insteadOf: [], in: .initiatorsAllow, undo: "")]
      + (try shutting(name))
  }

  /// What closes a target for a moment, and what opens it again.
  func closedForAMoment(_ name: TargetName) throws -> (closing: [Step], opening: [Step]) {
    let closing = try closing(name)
    let opening = closing.reversed().flatMap { step in
      step.undo.map { Step($0, undo: [step.operation], reason: reason) }
    }
    return (closing, opening)
  }

  /// Makes a line decide about a target in place of the one that does now.
  private func decide(_ new: String, _ now: String, of target: Target) throws -> [Step] {
    let own = state.facts[IETFact.own(.initiatorsAllow, target.name)]
    let isAsRead = target.enabled && now == state.facts[IETFact.access(target.name)]
    // Where no line of the target's own decided, taking the new one away brings back what was.
    let old = isAsRead ? own ?? "" : now
    let edit = try first(new, insteadOf: [now] + (own.map { [$0] } ?? []), in: .initiatorsAllow, undo: old)
    return [edit] + (try shutting(target.name))
  }

  /// With an initiators.deny, whom initiators.allow does not name is let in, unless the target's line there denies all.
  private func shutting(_ name: TargetName) throws -> [Step] {
    guard state.facts[IETFact.hasDeny] != nil else { return [] }
    let all = AccessItem.line(name, ["ALL"])
    let own = state.facts[IETFact.own(.initiatorsDeny, name)]
    if own == all { return [] }
    return [try first(all, insteadOf: own.map { [$0] } ?? [], in: .initiatorsDeny, undo: own ?? "")]
  }

  /// Takes away the remark that keeps a target's list, while the target is there: a new one of its name must not find it.
  func forgettingList(of target: Target) -> [Step] {
    if target.enabled { return [] }
    let word = "\(AccessFile.disabledMark)\(target.name)"
    return [removal(about: word, in: .initiatorsAllow, undo: lines(of: target).remark)]
  }

  /// Takes every line of a target away; undone by those that decide about it now.
  func forgetting(_ name: TargetName) -> [Step] {
    var steps = [removal(about: name.description, in: .initiatorsAllow, undo: line(name, []))]
    if state.facts[IETFact.hasDeny] != nil {
      steps.append(
        removal(about: name.description, in: .initiatorsDeny, undo: AccessItem.line(name, ["ALL"])))
    }
    if state.facts[IETFact.names(.targetsAllow, name)] != nil {
      let own = state.facts[IETFact.own(.targetsAllow, name)]
      steps.append(removal(about: name.description, in: .targetsAllow, undo: own))
    }
    return steps
  }
}
