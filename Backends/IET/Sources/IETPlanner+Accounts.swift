import HostInterface
import TargetCore

/// CHAP accounts.
///
/// ietd keeps two entries when an account is made twice, and the newest counts; so an account is deleted as often as it
/// is there before it is made anew. A target without incoming accounts asks nobody for a proof: where it would have none
/// for a moment, it lets nobody in for that moment.
extension IETPlanner {
  private func accounts(of name: TargetName?) throws -> (chap: CHAPAccounts, tid: UInt32?) {
    guard let name else { return (state.discovery, nil) }
    let (target, tid) = try target(name)
    return (target.chap, tid)
  }

  func setAccount(_ account: CHAPAccount, _ direction: CHAPDirection, of name: TargetName?, rewrite: Bool)
    throws
    -> [Step]
  {
    let (chap, tid) = try accounts(of: name)
    let isThere = chap.contains(account.user, direction)
    if isThere, !rewrite { return [] }
    let place = "CHAP account \(account.user) of \(name?.description ?? "discovery")"
    guard let secret = account.secret else {
      throw Failure(.invalid, place, "needs a secret", remedy: "name a file that holds it")
    }
    guard secret.count <= 254 else {
      throw Failure(.unsupported, place, "has a secret of \(secret.count) bytes, of which IET keeps 254")
    }
    let removal = Ietadm.deleteUser(tid, direction, account.user)
    let addition = Ietadm.newUser(tid, direction, account.user, secret)
    switch direction {
    // A second outgoing account takes the place of the first.
    case .outgoing:
      let old = chap.outgoing.map { old in
        old.secret.map { [Ietadm.newUser(tid, .outgoing, old.user, $0)] } ?? []
      }
      return [step(addition, undo: old ?? [removal])]
    case .incoming:
      let new = [step(addition, undo: [removal])]
      guard isThere else { return new }
      let steps = clearing(account.user, chap, tid, name) + new
      guard let name, chap.incoming.count == 1 else { return steps }
      let (closing, opening) = try closedForAMoment(name)
      return closing + steps + opening
    }
  }

  func clearAccount(_ user: CHAPUser, _ direction: CHAPDirection, of name: TargetName?) throws -> [Step] {
    let (chap, tid) = try accounts(of: name)
    guard chap.contains(user, direction) else {
      throw Failure(
        .notFound, "CHAP account \(user) of \(name?.description ?? "discovery")", "does not exist")
    }
    if direction == .incoming { return clearing(user, chap, tid, name) }
    let undo = chap.outgoing?.secret.map { [Ietadm.newUser(tid, .outgoing, user, $0)] }
    return [step(Ietadm.deleteUser(tid, .outgoing, user), undo: undo ?? [])]
  }

  private func clearing(_ user: CHAPUser, _ chap: CHAPAccounts, _ tid: UInt32?, _ name: TargetName?) -> [Step]
  {
    let copies = state.facts[IETFact.copies(of: user, name)].flatMap { Int($0) } ?? 1
    let secret = chap.incoming.first { $0.user == user }?.secret
    let removal = Ietadm.deleteUser(tid, .incoming, user)
    // Only the newest entry's secret is known, and only it counted. Where the removal was not carried out, the entry is
    // there yet.
    let undo = secret.map { [removal, Ietadm.newUser(tid, .incoming, user, $0)] } ?? []
    return (0..<max(1, copies)).map { step(removal, undo: $0 == 0 ? undo : []) }
  }
}
