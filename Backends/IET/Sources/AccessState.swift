import HostInterface
import SystemPackage
import TargetCore

/// IET's three access files as they are found.
struct AccessState {
  private var paths: [AccessFile.Kind: String] = [:]
  private var files: [AccessFile.Kind: AccessFile] = [:]

  /// Reads each from /etc/iet, or from /etc where the newer place does not have it, as ietd does.
  init(_ host: any Host) throws {
    let directory = "/etc/iet"
    for kind in AccessFile.Kind.allCases {
      let (new, old) = ("\(directory)/\(kind.rawValue)", "/etc/\(kind.rawValue)")
      if try host.status(FilePath(new)) != nil {
        paths[kind] = new
      } else if try host.status(FilePath(old)) != nil {
        paths[kind] = old
      } else {
        paths[kind] = try host.status(FilePath(directory))?.kind == .directory ? new : old
        continue
      }
      files[kind] = AccessFile(try host.text(FilePath(paths[kind] ?? new)))
    }
  }

  /// Puts access lists and portals into the state, and what the planner needs of the files into its facts.
  func fill(_ state: inout LiveState, port: UInt16) {
    for kind in AccessFile.Kind.allCases {
      state.facts[IETFact.path(kind)] = paths[kind]
      let rest = files[kind]?.lines.first { $0.target == "ALL" }
      if files[kind] == nil || rest?.text == Self.everyone { state.facts[IETFact.isOpen(kind)] = "yes" }
    }
    if files[.initiatorsDeny] != nil {
      state.facts[IETFact.hasDeny] = "yes"
      state.facts[IETFact.isOpen(.initiatorsAllow)] = nil
    }
    for name in state.targets.keys.sorted() { fill(&state, name, port: port) }
  }

  /// The line by which a file leaves everything to the other file, or to the account.
  static let everyone = "ALL ALL"

  private func fill(_ state: inout LiveState, _ name: TargetName, port: UInt16) {
    guard var target = state.targets[name] else { return }
    let key = name.description.asciiLowercased
    for kind in AccessFile.Kind.allCases {
      if let line = files[kind]?.deciding(key), line.target != "ALL" {
        state.facts[IETFact.own(kind, name)] = line.text
      }
      if files[kind]?.names(key) == true { state.facts[IETFact.names(kind, name)] = "yes" }
    }
    let access = initiators(key)
    target.initiators = access.initiators
    if let line = files[.initiatorsAllow]?.disabled[key], access.initiators.isEmpty, access.exceptions.isEmpty
    {
      target.enabled = false
      target.initiators = AccessItem.initiators(line.items).0
    }
    for item in access.unknown {
      state.remarks.append(
        "initiators.allow has an item for \(name) that cannot be handled (\(ISCSIName.printable(item)))")
    }
    if !access.exceptions.isEmpty {
      state.facts[IETFact.exceptions(name)] = access.exceptions.joined(separator: ",")
      state.remarks.append(
        "\(name) lets in everyone but those that initiators.deny names (\(access.exceptions.joined(separator: ", ")))"
      )
    }
    state.facts[IETFact.access(name)] = AccessItem.line(
      name, target.initiators.sorted().map { AccessItem.text($0) })
    let places = files[.targetsAllow].map { $0.deciding(key)?.items ?? [] } ?? ["ALL"]
    target.portals = Set(places.compactMap { AccessItem.portal($0, port: port) })
    for item in places where AccessItem.portal(item, port: port) == nil {
      state.remarks.append(
        "targets.allow has an item for \(name) that is no address (\(ISCSIName.printable(item)))")
    }
    state.targets[name] = target
  }

  private struct Access {
    var initiators: Set<Initiator> = []
    var unknown: [String] = []
    /// Whom initiators.deny shuts out although everyone else is let in.
    var exceptions: [String] = []
  }

  /// Who may log in (usr/plain.c, `plain_initiator_allow`): with an initiators.deny, whoever is not denied is let in;
  /// without it, whoever is allowed, or everyone where there is no initiators.allow either.
  private func initiators(_ target: String) -> Access {
    var access = Access()
    let line = files[.initiatorsAllow]?.deciding(target)
    (access.initiators, access.unknown) = AccessItem.initiators(line?.items ?? [])
    guard let deny = files[.initiatorsDeny] else {
      if files[.initiatorsAllow] == nil { access.initiators = [.all] }
      return access
    }
    let denied = deny.deciding(target)?.items ?? []
    if !AccessItem.initiators(denied).0.contains(.all) {
      access.initiators = [.all]
      access.exceptions = denied
    }
    return access
  }
}
