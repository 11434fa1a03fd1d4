import HostInterface
import TargetCore

extension LIOPlanner {
  func allow(_ initiator: Initiator, at name: TargetName) throws -> [Step] {
    let target = try target(name)
    switch initiator {
    case .all: return try allowAll(at: target)
    case .name(let node):
      let acl = LIOPaths.acl(name, node)
      let isClosed = allNodes(of: target).contains(node)
      var steps = isClosed ? [] : [make(acl)]
      // The account that lets it in comes last: without it the ACL is seen to be unfinished.
      if let account = target.chap.outgoing {
        steps += try credentials(account, .outgoing, in: acl + "/auth", of: target.chap)
      }
      for account in target.chap.incoming.suffix(1) {
        steps += try credentials(account, .incoming, in: acl + "/auth", of: target.chap)
      }
      for unit in target.units.values.sorted(by: { $0.lun < $1.lun })
      where isShown(unit, to: node) && !unit.isRemnant {
        if state.facts[LIOFacts.mapped(name, node, unit.lun)] != nil { continue }
        steps += map(unit, to: node, of: name)
      }
      return steps
    case .address, .network: return []
    }
  }

  /// The kernel makes an ACL for whoever logs in, keeps it, and shows every LUN by it, read-only unless it is told.
  private func allowAll(at target: Target) throws -> [Step] {
    for unit in target.units.values.sorted(by: { $0.lun < $1.lun }) {
      try checkIsForAll(unit, of: target.name)
    }
    let attributes = LIOPaths.group(target.name) + "/attrib"
    return [
      set(attributes + "/demo_mode_write_protect", to: "0", from: "1"),
      set(attributes + "/cache_dynamic_acls", to: "1", from: "0"),
      set(attributes + "/generate_node_acls", to: "1", from: "0"),
    ]
  }

  /// What is shown to everyone is shown to all of them alike.
  func checkIsForAll(_ unit: LogicalUnit, of name: TargetName) throws {
    if let audience = unit.initiators, !audience.contains(.all) {
      throw Failure(
        .unsupported, "lun \(unit.lun) of \(name)",
        "cannot be for some initiators only, since LIO shows everyone every logical unit of a target",
        remedy: "name the target's initiators instead of all, or put it into another target")
    }
    let device = state.facts[LIOFacts.device(name, unit.lun)]
    let isReadOnlyDevice =
      device.map { state.facts[LIOFacts.readOnlyDevice($0)] != nil } ?? (unit.store == "iblock")
    if unit.readOnly == true, !isReadOnlyDevice {
      if unit.store == "iblock" {
        throw Failure(
          .unsupported, "lun \(unit.lun) of \(name)",
          "cannot become read-only for everyone, since its device is open for writing",
          remedy: "remove it, and add it read-only")
      }
      throw Failure(
        .unsupported, "lun \(unit.lun) of \(name)",
        "cannot be read-only for everyone, since \(unit.store ?? "fileio") itself is always writable",
        remedy: "name the initiators, or use a block device")
    }
  }

  func deny(_ initiator: Initiator, at name: TargetName) throws -> [Step] {
    let target = try target(name)
    let attributes = LIOPaths.group(name) + "/attrib"
    switch initiator {
    case .all:
      // The ACLs that the kernel made for everyone let in as long as they are there: those in use go here, and with
      // the second setting the others do at the next logout.
      return [
        set(attributes + "/generate_node_acls", to: "0", from: "1"),
        set(attributes + "/cache_dynamic_acls", to: "0", from: nil),
      ]
        + target.sessions.filter { $0.id.hasPrefix(LIOSession.dynamicPrefix) }.compactMap {
          ISCSIName(asFound: $0.initiator)
        }.filter { !target.initiators.contains(.name($0)) }.flatMap { dropDynamic($0, at: name) }
    case .name(let node): return denyNode(node, at: target)
    case .address, .network: return []
    }
  }

  /// Removes a node ACL with all that is in it; the kernel closes its sessions.
  func denyNode(_ node: ISCSIName, at target: Target) -> [Step] {
    let acl = LIOPaths.acl(target.name, node)
    var steps = target.units.values.sorted { $0.lun < $1.lun }.flatMap {
      unmap($0, from: node, of: target.name)
    }
    for directory in lines(LIOFacts.bare(target.name, node)) {
      steps += bareSteps("\(acl)/\(directory)")
    }
    var removal = remove(acl)
    removal.undo += restoration(of: node, at: target)
    return steps + [removal]
  }

  private func bareSteps(_ path: String) -> [Step] { [remove(path)] }

  /// What a node ACL had besides its mapped LUNs.
  private func restoration(of node: ISCSIName, at target: Target) -> [Operation] {
    let acl = LIOPaths.acl(target.name, node)
    var operations: [Operation] = []
    if let depth = state.facts[LIOFacts.depth(target.name, node)], depth != "64" {
      operations.append(.write(path: "\(acl)/cmdsn_depth", contents: "\(depth)\n"))
    }
    // As in allowing: what lets in comes last.
    for direction in CHAPDirection.allCases.reversed() {
      operations += previous(direction, in: acl + "/auth", of: target.chap, elseClear: false)
    }
    return operations
  }

  // MARK: Mapped LUNs

  /// Whether a logical unit is meant for an initiator.
  func isShown(_ unit: LogicalUnit, to node: ISCSIName) -> Bool {
    unit.initiators.map { $0.contains(.name(node)) || $0.contains(.all) } ?? true
  }

  /// The mapped LUNs that show it to an initiator now; one planned in this run is mapped as it is meant.
  func mapped(_ unit: LogicalUnit, to node: ISCSIName, of name: TargetName) -> [MappedLUN] {
    if let lines = state.facts[LIOFacts.mapped(name, node, unit.lun)] {
      return lines.split(separator: "\n").compactMap(MappedLUN.init(line:))
    }
    let isOld =
      state.facts[LIOFacts.acl(name, node)] != nil && state.facts[LIOFacts.device(name, unit.lun)] != nil
    guard !isOld, isShown(unit, to: node), !unit.isRemnant else { return [] }
    return [MappedLUN(directory: "lun_\(unit.lun)", isProtected: unit.readOnly == true, link: LIOPaths.link)]
  }

  /// The named ones among initiators.
  func nodes(of initiators: Set<Initiator>) -> [ISCSIName] {
    initiators.sorted().compactMap { if case .name(let node) = $0 { node } else { nil } }
  }

  /// Whoever has an ACL, whether it lets in or not.
  func allNodes(of target: Target) -> [ISCSIName] {
    let closed = lines(LIOFacts.closed(target.name)).compactMap { ISCSIName(asFound: $0) }.map(Initiator.name)
    return nodes(of: target.initiators.union(target.unfinishedInitiators).union(closed))
  }

  func map(_ unit: LogicalUnit, to node: ISCSIName, of name: TargetName) -> [Step] {
    let path = "\(LIOPaths.acl(name, node))/lun_\(unit.lun)"
    let isBare = lines(LIOFacts.bare(name, node)).contains("lun_\(unit.lun)")
    var steps = isBare ? [] : [make(path)]
    steps.append(link("\(path)/\(LIOPaths.link)", to: LIOPaths.unit(name, unit.lun)))
    if unit.readOnly == true { steps.append(set(path + "/write_protect", to: "1", from: "0")) }
    return steps
  }

  func unmap(_ unit: LogicalUnit, from node: ISCSIName, of name: TargetName) -> [Step] {
    mapped(unit, to: node, of: name).flatMap { mapped -> [Step] in
      let path = "\(LIOPaths.acl(name, node))/\(mapped.directory)"
      var unlinking = unlink("\(path)/\(mapped.link)", from: LIOPaths.unit(name, unit.lun))
      if mapped.isProtected {
        unlinking.undo.append(.write(path: Text(path + "/write_protect"), contents: "1\n"))
      }
      return [unlinking, remove(path)]
    }
  }
}
