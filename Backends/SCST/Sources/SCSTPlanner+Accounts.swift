import HostInterface
import TargetCore

extension SCSTPlanner {
  // MARK: CHAP

  /// Adds an account, or gives one that is there its secret by its own file: taking it away first would for a moment
  /// ask nobody for a proof.
  func setAccount(
    _ account: CHAPAccount, _ direction: CHAPDirection, of name: TargetName?, rewrite: Bool
  ) throws -> [Step] {
    let now = try accounts(of: name)
    let old =
      direction == .incoming ? now.incoming.first { $0.user == account.user } : now.outgoing
    if let old, old.user == account.user, !rewrite { return [] }
    try check(account)
    guard let old else {
      guard let operation = addition(of: account, direction, to: name) else { return [] }
      return [step(operation, undo: [removal(of: account.user, direction, from: name)])]
    }
    // A second outgoing account would make iscsi-scstd lose the first, and then refuse the second.
    guard let file = file(of: old, direction, name) else {
      throw Failure(
        .refused, "CHAP account \(account.user)", "cannot be changed by the plan that adds it",
        remedy: "run the command again")
    }
    func write(_ account: CHAPAccount) -> Operation? {
      account.secret.map { command("\(folder(of: name))/\(file)", "\(account.user) \($0)") }
    }
    guard let operation = write(account) else { return [] }
    return [step(operation, undo: [write(old)].compactMap { $0 })]
  }

  func clearAccount(_ user: CHAPUser, _ direction: CHAPDirection, of name: TargetName?) throws -> Step {
    let now = try accounts(of: name)
    let found = direction == .incoming ? now.incoming.first { $0.user == user } : now.outgoing
    guard let found, found.user == user else {
      throw Failure(
        .notFound, "CHAP account \(user)",
        "is no \(direction.rawValue) account of \(name?.description ?? "discovery")")
    }
    return step(
      removal(of: user, direction, from: name),
      undo: [addition(of: found, direction, to: name)].compactMap { $0 })
  }

  /// The file of an account that was found; new ones stand behind those.
  private func file(of account: CHAPAccount, _ direction: CHAPDirection, _ name: TargetName?) -> String? {
    guard direction == .incoming else { return Self.outgoing }
    let files = (state.facts[SCSTFact.accounts(name)] ?? "").split(separator: "\n").map(String.init)
    let index = (try? accounts(of: name))?.incoming.firstIndex { $0.user == account.user }
    return index.flatMap { $0 < files.count ? files[$0] : nil }
  }

  private func accounts(of name: TargetName?) throws -> CHAPAccounts {
    guard let name else { return state.discovery }
    return try target(name).chap
  }

  private func folder(of name: TargetName?) -> String { name.map(SCSTPaths.target) ?? SCSTPaths.driver }

  private static let outgoing = "OutgoingUser"

  private func kind(_ direction: CHAPDirection) -> String {
    direction == .incoming ? "IncomingUser" : Self.outgoing
  }

  /// iscsi-scstd checks secrets of new accounts only, and takes a blank or an `=` for the end of a word.
  private func check(_ account: CHAPAccount) throws {
    let place = "CHAP account \(account.user)"
    guard let secret = account.secret else {
      throw Failure(.invalid, place, "needs a secret", remedy: "name a file that holds it")
    }
    guard SCSTToken.isOne(account.user.description) else {
      throw Failure(
        .unsupported, place, "has an '=' or ';' in its name, which SCST reads as syntax",
        remedy: "choose another name")
    }
    guard secret.count >= 12 else {
      throw Failure(.unsupported, place, "has a secret of \(secret.count) bytes, SCST wants at least 12")
    }
    guard secret.withBytes({ SCSTToken.isOne(String(decoding: $0, as: UTF8.self)) }) else {
      throw Failure(
        .unsupported, place, "has an '=' or ';' in its secret, which SCST reads as syntax",
        remedy: "choose a secret without them")
    }
  }

  /// Adds an account; nil where its secret is not known.
  ///
  /// There is never an outgoing account when one is added; were it only that the old one could not be removed, adding
  /// another would be a disaster.
  func addition(of account: CHAPAccount, _ direction: CHAPDirection, to name: TargetName?) -> Operation? {
    guard let secret = account.secret else { return nil }
    let words: Text = "\(kind(direction)) \(account.user) \(secret)"
    let outgoing = Condition.exists(path: Text("\(folder(of: name))/\(Self.outgoing)"))
    return command(
      SCSTPaths.targets, name.map { "add_target_attribute \($0) \(words)" } ?? "add_attribute \(words)",
      unless: direction == .outgoing ? outgoing : nil)
  }

  private func removal(of user: CHAPUser, _ direction: CHAPDirection, from name: TargetName?) -> Operation {
    let words = "\(kind(direction)) \(user)"
    return command(
      SCSTPaths.targets, name.map { "del_target_attribute \($0) \(words)" } ?? "del_attribute \(words)")
  }

  // MARK: Portals

  /// The patterns that a target has now.
  func patterns(of name: TargetName) -> [String] {
    state.facts[SCSTFact.portals(name)]?.split(separator: "\n").map(String.init) ?? []
  }

  func addPortal(_ portal: Portal, to name: TargetName?) throws -> [Step] {
    let name = try checked(portal, name)
    let target = try target(name)
    if target.portals?.contains(portal) == true {
      throw Failure(.exists, "portal \(portal) of \(name)", "is there already")
    }
    let pattern = PortalPattern(portal).text
    if target.portals?.isEmpty == true {
      // The pattern that closes the target becomes the new one at once.
      if let file = state.facts[SCSTFact.portalFile(name)] {
        return [rewriting(file, of: name, from: PortalPattern.none.text, to: pattern)]
      }
      return [adding(pattern, to: name), removing(PortalPattern.none.text, from: name)]
    }
    // A target without patterns is open everywhere: what was open is said before the first one closes it.
    let isOpen = state.facts[SCSTFact.portals(name)] == nil && target.portals == any
    return (isOpen ? [adding(PortalPattern.any.text, to: name)] : []) + [adding(pattern, to: name)]
  }

  func removePortal(_ portal: Portal, from name: TargetName?) throws -> [Step] {
    let name = try checked(portal, name)
    guard let portals = try target(name).portals, portals.contains(portal) else {
      throw Failure(.notFound, "portal \(portal) of \(name)", "does not exist")
    }
    let found = patterns(of: name)
    let rest = portals.subtracting([portal])
    let pattern = found.first { PortalPattern(asFound: $0) == PortalPattern(portal) }
    // Without any pattern the target would be open everywhere.
    if rest.isEmpty, let pattern, let file = state.facts[SCSTFact.portalFile(name)] {
      return [rewriting(file, of: name, from: pattern, to: PortalPattern.none.text)]
    }
    var steps =
      rest.isEmpty && !found.contains(PortalPattern.none.text)
      ? [adding(PortalPattern.none.text, to: name)] : []
    if found.isEmpty || found.contains(PortalPattern.any.text), any.contains(portal),
      any.isSubset(of: portals)
    {
      // The one pattern for both families, or none at all, becomes that of the other.
      steps += rest.intersection(any).map { adding(PortalPattern($0).text, to: name) }
      if !found.isEmpty { steps.append(removing(PortalPattern.any.text, from: name)) }
    } else {
      steps.append(removing(pattern ?? PortalPattern(portal).text, from: name))
    }
    return steps
  }

  /// The portals of a target that nobody restricted.
  private var any: Set<Portal> { PortalPattern.any.portals(port: port) }

  private func checked(_ portal: Portal, _ name: TargetName?) throws -> TargetName {
    guard let name else {
      throw Failure(
        .invalid, "portal \(portal)", "needs a target, since each has its own portals",
        remedy: "say --target")
    }
    guard portal.port == port else {
      throw Failure(
        .unsupported, "portal \(portal) of \(name)",
        "cannot have port \(portal.port), since iscsi-scstd serves all targets at port \(port)",
        remedy: "use port \(port), or start iscsi-scstd with -p and say so by the setting port")
    }
    return name
  }

  func addition(of pattern: String, to name: TargetName) -> Operation {
    command(SCSTPaths.targets, "add_target_attribute \(name) allowed_portal \(pattern)")
  }

  private func removal(of pattern: String, from name: TargetName) -> Operation {
    command(SCSTPaths.targets, "del_target_attribute \(name) allowed_portal \(pattern)")
  }

  private func adding(_ pattern: String, to name: TargetName) -> Step {
    step(addition(of: pattern, to: name), undo: [removal(of: pattern, from: name)])
  }

  private func removing(_ pattern: String, from name: TargetName) -> Step {
    step(removal(of: pattern, from: name), undo: [addition(of: pattern, to: name)])
  }

  private func rewriting(_ file: String, of name: TargetName, from old: String, to pattern: String) -> Step {
    set("\(SCSTPaths.target(name))/\(file)", to: pattern, from: old, reads: pattern)
  }
}
