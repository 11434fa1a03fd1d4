import HostInterface
import TargetCore

extension LIOPlanner {
  func allow(_ initiator: Initiator, at name: TargetName) throws -> [Step] {
    let target = try target(name)
    let group = LIOPaths.group(name)
    switch initiator {
    case .all:
      // Without the first two, everyone could log in and read, and a returning initiator would find no LUN.
      return [
        set(group + "/attrib/demo_mode_write_protect", to: "0", from: "1"),
        set(group + "/attrib/cache_dynamic_acls", to: "1", from: "0"),
        set(group + "/attrib/generate_node_acls", to: "1", from: "0"),
      ]
    case .name(let node):
      var steps = [make(LIOPaths.acl(name, node))]
      for direction in CHAPDirection.allCases {
        let accounts =
          direction == .incoming ? target.chap.incoming : [target.chap.outgoing].compactMap { $0 }
        for account in accounts {
          steps += try credentials(account, direction, in: LIOPaths.acl(name, node) + "/auth")
        }
      }
      for unit in target.units.values.sorted(by: { $0.lun < $1.lun }) where isShown(unit, to: node) {
        steps += map(unit, to: node, of: name)
      }
      return steps
    case .address, .network: return []
    }
  }

  func deny(_ initiator: Initiator, at name: TargetName) throws -> [Step] {
    let target = try target(name)
    switch initiator {
    case .all: return [set(LIOPaths.group(name) + "/attrib/generate_node_acls", to: "0", from: "1")]
    case .name(let node):
      let mapped = target.units.values.sorted { $0.lun < $1.lun }.filter { isMapped($0, to: node, of: name) }
      return mapped.flatMap { unmap($0, from: node, of: name) } + [remove(LIOPaths.acl(name, node))]
    case .address, .network: return []
    }
  }

  /// Whether a logical unit is meant for an initiator.
  func isShown(_ unit: LogicalUnit, to node: ISCSIName) -> Bool {
    unit.initiators.map { $0.contains(.name(node)) || $0.contains(.all) } ?? true
  }

  /// Whether it is mapped now; one planned in this run is mapped as it is meant.
  func isMapped(_ unit: LogicalUnit, to node: ISCSIName, of name: TargetName) -> Bool {
    state.facts["acl \(name) \(node)"] == nil
      ? isShown(unit, to: node) : state.facts["mapped \(name) \(node) \(unit.lun)"] != nil
  }

  /// The named initiators of a target.
  func nodes(of target: Target) -> [ISCSIName] {
    target.initiators.sorted().compactMap { if case .name(let node) = $0 { node } else { nil } }
  }

  func map(_ unit: LogicalUnit, to node: ISCSIName, of name: TargetName) -> [Step] {
    let path = LIOPaths.mapped(name, node, unit.lun)
    var steps = [make(path), link("\(path)/\(LIOPaths.link)", to: LIOPaths.unit(name, unit.lun))]
    if unit.readOnly == true { steps.append(set(path + "/write_protect", to: "1", from: "0")) }
    return steps
  }

  func unmap(_ unit: LogicalUnit, from node: ISCSIName, of name: TargetName) -> [Step] {
    let path = LIOPaths.mapped(name, node, unit.lun)
    let link = state.facts["mapped \(name) \(node) \(unit.lun)"] ?? LIOPaths.link
    return [unlink("\(path)/\(link)", from: LIOPaths.unit(name, unit.lun)), remove(path)]
  }

  // MARK: CHAP

  func setAccount(_ account: CHAPAccount, _ direction: CHAPDirection, of name: TargetName?) throws -> [Step] {
    guard let name else {
      let steps = try credentials(account, direction, in: LIOPaths.discovery)
      return direction == .incoming
        ? steps + [set(LIOPaths.discovery + "/enforce_discovery_auth", to: "1", from: "0")] : steps
    }
    let target = try target(name)
    let group = LIOPaths.group(name)
    // Asking for a proof before there is an account locks out; the other order would let in.
    var steps = direction == .incoming ? [set(group + "/attrib/authentication", to: "1", from: nil)] : []
    for place in [group] + nodes(of: target).map({ LIOPaths.acl(name, $0) }) {
      steps += try credentials(account, direction, in: place + "/auth")
    }
    return steps
  }

  func clearAccount(_ user: CHAPUser, _ direction: CHAPDirection, of name: TargetName?) throws -> [Step] {
    guard let name else {
      let open =
        direction == .incoming
        ? [set(LIOPaths.discovery + "/enforce_discovery_auth", to: "0", from: "1")] : []
      return open + clearing(direction, in: LIOPaths.discovery)
    }
    let target = try target(name)
    let group = LIOPaths.group(name)
    var steps: [Step] = []
    for place in [group] + nodes(of: target).map({ LIOPaths.acl(name, $0) }) {
      steps += clearing(direction, in: place + "/auth")
    }
    if direction == .incoming { steps.append(set(group + "/attrib/authentication", to: "0", from: "1")) }
    return steps
  }

  private func credentials(_ account: CHAPAccount, _ direction: CHAPDirection, in folder: String) throws
    -> [Step]
  {
    guard let secret = account.secret else {
      throw Failure(
        .invalid, "CHAP account \(account.user)", "needs a secret", remedy: "name a file that holds it")
    }
    let suffix = direction == .outgoing ? "_mutual" : ""
    let clear = clearing(direction, in: folder)
    // No newline: the kernel takes it for a part of the name and of the secret, and no proof is right then.
    let operations: [Operation] = [
      .write(path: "\(folder)/userid\(suffix)", contents: "\(account.user)"),
      .write(path: "\(folder)/password\(suffix)", contents: "\(secret)"),
    ]
    return zip(operations, clear).map { Step($0, undo: [$1.operation], reason: reason) }
  }

  /// The kernel takes the word NULL for no name.
  private func clearing(_ direction: CHAPDirection, in folder: String) -> [Step] {
    let suffix = direction == .outgoing ? "_mutual" : ""
    return ["userid", "password"].map {
      step(.write(path: "\(folder)/\($0)\(suffix)", contents: "NULL"))
    }
  }
}
