import HostInterface
import TargetCore

/// CHAP accounts.
///
/// tgtd keeps one account list for all targets, and binds entries of it to targets and to discovery. Two defects of
/// it (1.0.30 to 1.0.97) shape the plans: unbinding any but the last account bound to a target leaves a hole, and
/// the next `show` ends the daemon; and a target without incoming accounts asks nobody for a proof. So accounts
/// are unbound from the last backwards and bound again, and where a target would have none for a moment while it
/// still should, its access list is emptied for that moment.
extension STGTPlanner {
  /// Where an account is bound.
  private struct Place {
    var name: TargetName?
    var tid: UInt32?
    var chap: CHAPAccounts
  }

  private func place(_ name: TargetName?) throws -> Place {
    guard let name else { return Place(name: nil, tid: nil, chap: state.discovery) }
    let (target, tid) = try target(name)
    return Place(name: name, tid: tid, chap: target.chap)
  }

  private func places(using user: CHAPUser) -> [Place] {
    let targets = state.targets.values.sorted { $0.name < $1.name }.compactMap { target in
      target.id.map { Place(name: target.name, tid: $0, chap: target.chap) }
    }
    let all = [Place(name: nil, tid: nil, chap: state.discovery)] + targets
    return all.filter { $0.chap.contains(user, .incoming) || $0.chap.contains(user, .outgoing) }
  }

  func binding(_ user: CHAPUser, _ direction: CHAPDirection, _ tid: UInt32?, bind: Bool) -> ManagementRequest
  {
    // Without a target tgtadm sends the number of tgtd's global target, which is all ones too.
    ManagementRequest(
      mode: .account, operation: bind ? .bind : .unbind, tid: tid, outgoing: direction == .outgoing,
      parameters: "user=\(user)", options: ["--user", Text(user.description)])
  }

  private func bindStep(_ user: CHAPUser, _ direction: CHAPDirection, _ place: Place, bind: Bool) throws
    -> Step
  {
    try step(
      binding(user, direction, place.tid, bind: bind),
      undo: [binding(user, direction, place.tid, bind: !bind)])
  }

  func setAccount(_ account: CHAPAccount, _ direction: CHAPDirection, of name: TargetName?, rewrite: Bool)
    throws -> [Step]
  {
    let place = try place(name)
    let user = account.user
    if name == nil, direction == .outgoing, place.chap.incoming.isEmpty { throw lonely(user) }
    let isBound = place.chap.contains(user, direction)
    var steps: [Step] = []
    let users = places(using: user)
    if !state.accounts.contains(user) {
      steps.append(try newAccount(account))
    } else if users.isEmpty, account.secret != nil {
      steps += [try deleteAccount(user), try newAccount(account)]
    } else if rewrite {
      let around = try users.map { try taking(user, from: $0, comesBack: true) }
      steps += around.flatMap(\.before)
      steps += [try deleteAccount(user), try newAccount(account)]
      steps += around.reversed().flatMap(\.after)
    }
    if isBound { return steps }
    if direction == .outgoing, let old = place.chap.outgoing {
      steps.append(try bindStep(old.user, .outgoing, place, bind: false))
    }
    return steps + [try bindStep(user, direction, place, bind: true)]
  }

  func clearAccount(_ user: CHAPUser, _ direction: CHAPDirection, of name: TargetName?) throws -> [Step] {
    let place = try place(name)
    guard place.chap.contains(user, direction) else {
      throw Failure(
        .notFound, "CHAP account \(user) of \(name?.description ?? "discovery")", "does not exist")
    }
    if direction == .outgoing { return [try bindStep(user, .outgoing, place, bind: false)] }
    if name == nil, place.chap.incoming.count == 1, let outgoing = place.chap.outgoing {
      throw lonely(outgoing.user)
    }
    var incomingOnly = place
    incomingOnly.chap.outgoing = nil
    let (before, after) = try taking(user, from: incomingOnly, comesBack: false)
    return before + after
  }

  /// tgtd does not show discovery's outgoing account while there is no incoming one.
  private func lonely(_ user: CHAPUser) -> Failure {
    Failure(
      .unsupported, "outgoing CHAP account \(user) of discovery",
      "cannot be without an incoming one, since tgtd would not show it",
      remedy: "set an incoming account first, and clear the last one last")
  }

  /// Unbinds an account at a place without leaving a hole: the steps up to its absence, and those behind it.
  private func taking(_ user: CHAPUser, from place: Place, comesBack: Bool) throws
    -> (before: [Step], after: [Step])
  {
    var before: [Step] = []
    var after: [Step] = []
    if place.chap.outgoing?.user == user {
      before.append(try bindStep(user, .outgoing, place, bind: false))
      if comesBack { after.append(try bindStep(user, .outgoing, place, bind: true)) }
    }
    guard let index = place.chap.incoming.firstIndex(where: { $0.user == user }) else {
      return (before, after)
    }
    let behind = place.chap.incoming[(index + 1)...].map(\.user)
    let returning = (comesBack ? [user] : []) + behind
    var closing: [Step] = []
    var opening: [Step] = []
    if index == 0, !returning.isEmpty, let name = place.name, let target = state.targets[name] {
      for initiator in target.initiators.sorted() {
        closing += try deny(initiator, at: name)
        opening += try allow(initiator, at: name)
      }
    }
    before += closing
    before += try (behind.reversed() + [user]).map { try bindStep($0, .incoming, place, bind: false) }
    after += try returning.map { try bindStep($0, .incoming, place, bind: true) } + opening
    return (before, after)
  }

  private func newAccount(_ account: CHAPAccount) throws -> Step {
    guard let secret = account.secret else {
      throw Failure(
        .invalid, "CHAP account \(account.user)", "needs a secret, since tgtd does not have it yet",
        remedy: "name a file that holds it")
    }
    let parameters: Text = "user=\(account.user),password=\(secret)"
    let new = ManagementRequest(
      mode: .account, operation: .new, parameters: parameters,
      options: ["--user", Text(account.user.description), "--password", Text(secret)])
    return try step(new, undo: [accountDeletion(account.user)])
  }

  /// Its secret is known to nobody, so that this cannot be undone.
  private func deleteAccount(_ user: CHAPUser) throws -> Step { try step(accountDeletion(user)) }

  private func accountDeletion(_ user: CHAPUser) -> ManagementRequest {
    ManagementRequest(
      mode: .account, operation: .delete, parameters: "user=\(user)",
      options: ["--user", Text(user.description)])
  }
}
