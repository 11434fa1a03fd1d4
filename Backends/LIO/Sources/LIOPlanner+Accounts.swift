import HostInterface
import TargetCore

/// CHAP: the same account for initiators without an ACL, in the portal group, and for those with one, in each ACL; a
/// portal group's account is none of an ACL's (Fixtures/LIO/chap.jsonl).
extension LIOPlanner {
  func setAccount(
    _ account: CHAPAccount, _ direction: CHAPDirection, of name: TargetName?, rewrite: Bool
  ) throws -> [Step] {
    let known = try name.map { try self.target($0).chap } ?? state.discovery
    // It is taken as it is.
    if !rewrite, known.contains(account.user, direction) { return [] }
    guard let name else {
      let steps = try credentials(account, direction, in: LIOPaths.discovery, of: state.discovery)
      let isAsked = !state.discovery.incoming.isEmpty
      return direction == .incoming && !isAsked
        ? steps + [set(LIOPaths.discovery + "/enforce_discovery_auth", to: "1", from: "0")] : steps
    }
    let target = try target(name)
    let group = LIOPaths.group(name)
    var steps: [Step] = []
    if direction == .incoming, target.chap.incoming.isEmpty {
      // Asking for a proof before there is an account locks out; the other order would let in.
      steps.append(set(group + "/attrib/authentication", to: "1", from: "0"))
    }
    for folder in folders(of: target) {
      steps += try credentials(account, direction, in: folder, of: target.chap)
    }
    return steps
  }

  func clearAccount(_ user: CHAPUser, _ direction: CHAPDirection, of name: TargetName?) throws -> [Step] {
    let place = try name.map { try self.target($0) }
    let accounts = place?.chap ?? state.discovery
    guard accounts.contains(user, direction) else {
      throw Failure(
        .notFound, "CHAP account \(user)", "is not there", remedy: "see `quartet target show`")
    }
    let all = place.map(folders) ?? [LIOPaths.discovery]
    // A folder has one account: what another one is written over is gone, and the other stays.
    let holding = all.filter { folder in
      state.facts[LIOFacts.user(folder, direction)].map { $0 == user.description } ?? true
    }
    let staying =
      direction == .incoming ? accounts.incoming.last { $0.user != user && $0.secret != nil } : nil
    if let staying {
      return try holding.flatMap { try credentials(staying, direction, in: $0, of: accounts) }
    }
    var steps = holding.flatMap { clearing(direction, in: $0, of: accounts) }
    guard direction == .incoming, accounts.incoming.allSatisfy({ $0.user == user }) else { return steps }
    if let name {
      steps.append(set(LIOPaths.group(name) + "/attrib/authentication", to: "0", from: "1"))
    } else {
      steps.insert(set(LIOPaths.discovery + "/enforce_discovery_auth", to: "0", from: "1"), at: 0)
    }
    return steps
  }

  private func folders(of target: Target) -> [String] {
    [LIOPaths.group(target.name) + "/auth"]
      + nodes(of: target.initiators).map { LIOPaths.acl(target.name, $0) + "/auth" }
  }

  /// Writes a name and its secret; undone, what was there before stands there again.
  func credentials(
    _ account: CHAPAccount, _ direction: CHAPDirection, in folder: String, of accounts: CHAPAccounts
  ) throws -> [Step] {
    guard let secret = account.secret else {
      throw Failure(
        .invalid, "CHAP account \(account.user)", "needs a secret", remedy: "name a file that holds it")
    }
    let before = previous(direction, in: folder, of: accounts, elseClear: true)
    return zip(Self.operations(account.user.description, Text(secret), direction, folder), before).map {
      Step($0, undo: [$1], reason: reason)
    }
  }

  private func clearing(_ direction: CHAPDirection, in folder: String, of accounts: CHAPAccounts) -> [Step] {
    let before = previous(direction, in: folder, of: accounts, elseClear: true)
    return zip(Self.operations("NULL", "NULL", direction, folder), before).map {
      Step($0, undo: [$1], reason: reason)
    }
  }

  /// What writes the account that stands in a folder.
  func previous(
    _ direction: CHAPDirection, in folder: String, of accounts: CHAPAccounts, elseClear: Bool
  ) -> [Operation] {
    let known = direction == .incoming ? accounts.incoming : [accounts.outgoing].compactMap { $0 }
    let user = state.facts[LIOFacts.user(folder, direction)]
    if let old = known.first(where: { $0.user.description == user }), let secret = old.secret {
      return Self.operations(old.user.description, Text(secret), direction, folder)
    }
    return elseClear ? Self.operations("NULL", "NULL", direction, folder) : []
  }

  /// No newline: the kernel takes it for a part of the name and of the secret, and no proof is right then.
  ///
  /// The word
  /// NULL stands for no name.
  private static func operations(
    _ user: String, _ secret: Text, _ direction: CHAPDirection, _ folder: String
  ) -> [Operation] {
    let suffix = direction == .outgoing ? "_mutual" : ""
    return [
      .write(path: "\(folder)/userid\(suffix)", contents: Text(user)),
      .write(path: "\(folder)/password\(suffix)", contents: secret),
    ]
  }
}
