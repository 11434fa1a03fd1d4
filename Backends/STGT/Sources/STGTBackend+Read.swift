import HostInterface
import TargetCore

extension STGTBackend {
  func read(_ host: any Host, detail: ReadDetail) async throws -> LiveState {
    var transport = Transport.socket
    let question = ManagementRequest(mode: .target, operation: .show)
    let text: String
    do {
      text = try await show(question, by: .socket, host)
    } catch let failure as Failure where failure.code == .garbled && host.executable("tgtadm") != nil {
      // Where tgtadm gets no further, what the socket did tells more than what tgtadm makes of it.
      guard let answer = try? await show(question, by: .tgtadm, host) else { throw failure }
      text = answer
      transport = .tgtadm
    }
    var state = try ShowText.targets(text)
    state.facts[Self.transportFact] = transport.rawValue
    if transport == .tgtadm {
      state.remarks.append(
        "tgtd's socket speaks an unknown version, so tgtadm is used; CHAP secrets cannot be set")
    }
    if detail.shared { try await readShared(into: &state, by: transport, host) }
    for (name, target) in state.targets {
      guard let tid = target.id else { continue }
      if detail.parameters.contains(name) {
        try await readParameters(of: tid, into: &state.targets[name], by: transport, host)
        if !target.sessions.isEmpty {
          let request = ManagementRequest(mode: .connection, operation: .show, tid: tid)
          if let text = try await showIfThere(request, by: transport, host) {
            state.targets[name]?.takeConnections(text)
          }
        }
      }
      if detail.statistics.contains(name), !target.sessions.isEmpty {
        let request = ManagementRequest(mode: .target, operation: .stat, tid: tid)
        if let text = try await showIfThere(request, by: transport, host) {
          state.targets[name]?.takeStatistics(text)
        }
      }
    }
    return state
  }

  /// Asks tgtd for a text.
  func show(_ request: ManagementRequest, by transport: Transport, _ host: any Host) async throws -> String {
    switch try await host.perform(operation(request, by: transport)) {
    case .reply(let reply): return try ManagementReply.text(of: reply, to: channel.path)
    case .command(let result):
      if let failure = tgtadmFailure(result) { throw failure }
      return String(decoding: result.output, as: UTF8.self)
    case .none, .bound: return ""
    }
  }

  /// The same about one target, which another process may have removed since it was listed.
  private func showIfThere(_ request: ManagementRequest, by transport: Transport, _ host: any Host)
    async throws -> String?
  {
    do {
      return try await show(request, by: transport, host)
    } catch let failure as Failure where failure.code == .notFound {
      return nil
    }
  }

  private func readParameters(
    of tid: UInt32, into target: inout Target?, by transport: Transport, _ host: any Host
  ) async throws {
    let request = ManagementRequest(mode: .target, operation: .show, tid: tid)
    guard let text = try await showIfThere(request, by: transport, host) else { return }
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

  private func readShared(into state: inout LiveState, by transport: Transport, _ host: any Host) async throws
  {
    let portals = try await show(ManagementRequest(mode: .portal, operation: .show), by: transport, host)
    for line in portals.split(separator: "\n") where line.hasPrefix("Portal: ") {
      // Portal: [::1]:3260,1
      let text = line.dropFirst("Portal: ".count)
      let portal = text.lastIndex(of: ",").flatMap { try? Portal(String(text[..<$0])) }
      if let portal {
        state.portals.insert(portal)
      } else {
        state.remarks.append("tgtd has a portal that cannot be handled (\(text.prefix(80)))")
      }
    }
    let accounts = try await show(ManagementRequest(mode: .account, operation: .show), by: transport, host)
    for line in accounts.split(separator: "\n") where line.hasPrefix(" ") {
      if let user = CHAPUser(asFound: line.trimmed) { state.accounts.insert(user) }
    }
    let system = try await show(ManagementRequest(mode: .system, operation: .show), by: transport, host)
    state.takeSystem(system)
  }
}

extension LiveState {
  /// Takes the backing stores and the discovery accounts of `--mode system --op show`.
  fileprivate mutating func takeSystem(_ text: String) {
    var section = Substring()
    for line in text.split(separator: "\n") {
      if !line.hasPrefix(" ") {
        section = line
        continue
      }
      let words = line.trimmed
      if words == "Account information:" {
        section = "Account information:"
      } else if section == "Backing stores:" {
        // rdwr (bsoflags sync:direct)
        let parts = words.split(separator: " ", maxSplits: 1)
        let flags = parts.count == 2 ? parts[1].dropFirst("(bsoflags ".count).dropLast() : ""
        stores[String(parts[0])] = Set(flags.split(separator: ":").map(String.init))
      } else if section == "Account information:" {
        let outgoing = words.hasSuffix(" (outgoing)")
        guard let user = CHAPUser(asFound: outgoing ? String(words.dropLast(11)) : words) else { continue }
        if outgoing {
          discovery.outgoing = CHAPAccount(user: user)
        } else {
          discovery.incoming.append(CHAPAccount(user: user))
        }
      }
    }
  }
}

extension Target {
  /// Takes every connection of `--mode conn --op show`; the target's own text shows the first of a session only.
  fileprivate mutating func takeConnections(_ text: String) {
    var bySession: [String: [Session.Connection]] = [:]
    var session = ""
    for line in text.split(separator: "\n") {
      let words = line.trimmed
      let value = words.split(separator: " ").last.map(String.init) ?? ""
      if words.hasPrefix("Session: ") {
        session = value
      } else if words.hasPrefix("Connection: "), let cid = UInt32(value) {
        bySession[session, default: []].append(.init(id: cid, address: nil))
      } else if words.hasPrefix("IP Address: "), let last = bySession[session]?.indices.last {
        bySession[session]?[last].address = IPAddress(value)
      }
    }
    for index in sessions.indices {
      if let found = bySession[sessions[index].id] { sessions[index].connections = found }
    }
  }

  /// Takes the counters of `--mode target --op stat`, summed over the logical units of a session.
  fileprivate mutating func takeStatistics(_ text: String) {
    let names = [
      "readSubmittedBytes", "readSubmittedCommands", "readBytes", "readCommands", "writeSubmittedBytes",
      "writeSubmittedCommands", "writtenBytes", "writeCommands", "errors",
    ]
    for line in text.split(separator: "\n") {
      // tgt lun sid, then nine counters
      let numbers = line.split(separator: " ").map { UInt64($0) }
      guard numbers.count == 3 + names.count, let sid = numbers[2],
        let index = sessions.firstIndex(where: { $0.id == String(sid) })
      else { continue }
      for (name, number) in zip(names, numbers.dropFirst(3)) {
        sessions[index].statistics[name, default: 0] &+= number ?? 0
      }
    }
  }
}
