import HostInterface
import SystemPackage
import TargetCore

extension IETBackend {
  /// Reads the state.
  ///
  /// Asking ietd comes first: both lists are empty when it is down, and it answers only when it has read its
  /// configuration to the end.
  func read(_ host: any Host, detail: ReadDetail) async throws -> LiveState {
    guard try host.status(FilePath(Self.volumeFile)) != nil else {
      throw Failure(
        .unavailable, "IET", "the kernel module iscsi_trgt is not loaded",
        remedy: "load it and start ietd: `quartet start -i iet`")
    }
    var state = LiveState()
    let discovery = try await accounts(of: nil, withSecrets: detail.shared, host)
    state.discovery = discovery.chap
    state.take(discovery, of: nil)
    let list = KernelLists(try await lists(host))
    state.targets = list.targets
    state.remarks += list.remarks
    state.facts[IETFact.blockSizes] = list.tellsBlockSizes.map { $0 ? "told" : "fixed" }
    for (name, target) in list.targets {
      guard let tid = target.id else { continue }
      let isWanted = detail.parameters.contains(name)
      let found = try await accounts(of: tid, withSecrets: detail.shared || isWanted, host)
      state.targets[name]?.chap = found.chap
      state.take(found, of: name)
      if isWanted { try await readParameters(of: tid, into: &state.targets[name], host) }
    }
    try AccessState(host).fill(&state, port: port)
    return state
  }

  /// The kernel's two lists, read by a process of its own: while a device hangs, reading them may not end.
  private func lists(_ host: any Host) async throws -> String {
    let command = Command(["cat", Text(Self.volumeFile), Text(Self.sessionFile)], limit: Ietadm.limit)
    let result = try await host.run(command)
    guard result.status == 0 else {
      throw Failure(.unavailable, Self.volumeFile, "cannot be read", answer: result.errors.trimmed)
    }
    let text = String(decoding: result.output, as: UTF8.self)
    guard text.isEmpty || (text.hasPrefix("tid:") && text.hasSuffix("\n")) else {
      throw Failure(.garbled, Self.volumeFile, "is no list of targets", answer: ISCSIName.printable(text))
    }
    return text
  }

  private func show(_ command: Command, _ host: any Host) async throws -> Substring {
    var tries = 3
    while true {
      let result = try await host.run(command)
      guard let failure = Ietadm.failure(result, of: command) else {
        return Substring(String(decoding: result.output, as: UTF8.self))
      }
      tries -= 1
      // A long list of accounts may come in parts, which ietadm takes for an error of input.
      guard tries > 0, result.status == Ietadm.noAnswer else { throw failure }
    }
  }

  /// The same about a target, which another process may have removed since it was listed.
  private func showIfThere(_ command: Command, _ host: any Host) async throws -> Substring {
    do {
      return try await show(command, host)
    } catch let failure as Failure where failure.code == .notFound {
      return ""
    }
  }

  private func readParameters(of tid: UInt32, into target: inout Target?, _ host: any Host) async throws {
    let ofTarget = try await showIfThere(Ietadm.showTarget(tid), host)
    let ofSessions = try await showIfThere(Ietadm.showParameters(tid), host)
    for (text, first) in [(ofTarget, "Wthreads="), (ofSessions, "InitialR2T=")]
    where !text.isEmpty && !(text.hasPrefix(first) && text.hasSuffix("\n")) {
      throw Failure(.garbled, "ietadm", "shows no parameters", answer: ISCSIName.printable(String(text)))
    }
    let text = ofTarget + ofSessions
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { continue }
      if let parameter = SessionParameter(rawValue: String(parts[0])) {
        target?.parameters[parameter] = String(parts[1])
      } else if capabilities.targetAttributes.contains(String(parts[0])) {
        target?.attributes[String(parts[0])] = String(parts[1])
      }
    }
  }
}

/// The accounts of a target or of discovery as ietadm lists them.
struct FoundAccounts {
  var chap = CHAPAccounts()
  /// How often each name is listed: IET keeps two entries when an account is made twice.
  var copies: [CHAPUser: Int] = [:]
  var unknown: [String] = []
}

extension IETBackend {
  private func accounts(of tid: UInt32?, withSecrets: Bool, _ host: any Host) async throws -> FoundAccounts {
    var found = FoundAccounts()
    let list = try await show(Ietadm.showUsers(tid), host)
    let isList = CHAPDirection.allCases.contains { list.hasPrefix(Ietadm.key($0) + " ") }
    guard list.isEmpty || (isList && list.hasSuffix("\n")) else {
      throw Failure(.garbled, "ietadm", "shows no accounts", answer: ISCSIName.printable(String(list)))
    }
    for line in list.split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
      guard words.count == 2, let user = CHAPUser(asFound: words[1]),
        let direction = CHAPDirection.allCases.first(where: { Ietadm.key($0) == words[0] })
      else {
        found.unknown.append(String(line))
        continue
      }
      switch direction {
      case .incoming:
        found.copies[user, default: 0] += 1
        if found.copies[user] == 1 { found.chap.incoming.append(CHAPAccount(user: user)) }
      case .outgoing: found.chap.outgoing = CHAPAccount(user: user)
      }
    }
    guard withSecrets else { return found }
    for index in found.chap.incoming.indices {
      found.chap.incoming[index] = try await complete(found.chap.incoming[index], .incoming, tid, host)
    }
    if let outgoing = found.chap.outgoing {
      found.chap.outgoing = try await complete(outgoing, .outgoing, tid, host)
    }
    return found
  }

  /// The account with its secret, which IET shows; as it was when the secret is none that may be set.
  private func complete(
    _ account: CHAPAccount, _ direction: CHAPDirection, _ tid: UInt32?, _ host: any Host
  ) async throws -> CHAPAccount {
    let text = try await showIfThere(Ietadm.showUser(tid, direction, account.user), host)
    let head = "\(Ietadm.key(direction)) \(account.user) "
    if text.isEmpty { return account }
    guard text.hasPrefix(head), let end = text.lastIndex(of: "\n") else {
      throw Failure(.garbled, "ietadm", "does not show the account \(account.user)")
    }
    let secret = Secret(text[..<end].utf8.dropFirst(head.utf8.count))
    return (try? CHAPAccount(user: account.user, secret: secret)) ?? account
  }
}

extension LiveState {
  fileprivate mutating func take(_ found: FoundAccounts, of name: TargetName?) {
    let place = name?.description ?? "discovery"
    for line in found.unknown {
      remarks.append("\(place) has an account that cannot be handled (\(ISCSIName.printable(line)))")
    }
    for (user, count) in found.copies.sorted(by: { $0.key < $1.key }) where count > 1 {
      facts[IETFact.copies(of: user, name)] = String(count)
      remarks.append("\(place) has the account \(user) \(count) times, the newest one counts")
    }
  }
}
