import HostInterface
import TargetCore

extension LIOPlanner {
  /// Makes the backstore with its whole identity, and only then the LUN that shows it.
  func addUnit(_ unit: LogicalUnit, to name: TargetName, isCleared: Bool = false) throws -> [Step] {
    let target = try target(name)
    let place = "lun \(unit.lun) of \(name)"
    let backstore = try newBackstore(of: unit, name, place: place)
    if target.initiators.contains(.all) { try checkIsForAll(unit, of: name) }
    var steps = isCleared ? [] : try leftover(backstore, unit, place: place)
    steps += [make(backstore.hba), make(backstore.device)]
    steps += try operations(making: unit, backstore, place: place).map { step($0) }
    steps += reservationSteps(unit, backstore)
    let lun = LIOPaths.unit(name, unit.lun)
    if isCleared || !lines(LIOFacts.empty(name)).contains("\(unit.lun)") { steps.append(make(lun)) }
    steps.append(link("\(lun)/\(linkName(of: unit, backstore))", to: backstore.device))
    for node in nodes(of: target.initiators) where isShown(unit, to: node) {
      steps += map(unit, to: node, of: name)
    }
    return steps
  }

  /// A block device is opened read-only; of others the kernel knows for each initiator alone.
  private func linkName(of unit: LogicalUnit, _ backstore: Backstore) -> String {
    unit.readOnly == true && backstore.plugin != "iblock" ? LIOPaths.readOnlyLink : LIOPaths.link
  }

  func removeUnit(_ lun: LUN, from name: TargetName, mapped: Bool = true) throws -> [Step] {
    let target = try target(name)
    guard let unit = target.units[lun] else {
      throw Failure(.notFound, "lun \(lun) of \(name)", "does not exist")
    }
    let path = LIOPaths.unit(name, lun)
    if unit.isRemnant {
      let isLUN = lines(LIOFacts.empty(name)).contains("\(lun)")
      let unmapping = allNodes(of: target).flatMap { unmap(unit, from: $0, of: name) }
      return unmapping + (isLUN ? [step(.removeDirectory(path: Text(path)))] : [])
        + remnants(Backstore.index(target: name, lun: lun))
    }
    let backstore = backstore(of: unit, name)
    var steps: [Step] = []
    if mapped { steps += allNodes(of: target).flatMap { unmap(unit, from: $0, of: name) } }
    let link = state.facts[LIOFacts.link(name, lun)] ?? linkName(of: unit, backstore)
    steps += [unlink("\(path)/\(link)", from: backstore.device), remove(path)]
    // A backstore that another target shows as well stays.
    guard state.facts[LIOFacts.shared(backstore.device)] == nil else { return steps }
    // Another tool's port groups go with it.
    for line in lines(LIOFacts.portGroups(backstore.device)) {
      let parts = line.split(separator: " ", maxSplits: 1)
      let group = "\(backstore.device)/alua/\(parts[1])"
      var step = remove(group)
      step.undo.append(.write(path: Text(group + "/tg_pt_gp_id"), contents: Text("\(parts[0])\n")))
      steps.append(step)
    }
    var removal = remove(backstore.device)
    removal.undo += (try? operations(making: unit, backstore, place: "lun \(lun) of \(name)")) ?? []
    return steps + [removal, remove(backstore.hba)]
  }

  func setUnit(_ unit: LogicalUnit, of name: TargetName) throws -> [Step] {
    let target = try target(name)
    guard let now = target.units[unit.lun] else {
      throw Failure(.notFound, "lun \(unit.lun) of \(name)", "does not exist")
    }
    let backstore = backstore(of: now, name)
    var wanted = now
    wanted.readOnly = unit.readOnly ?? now.readOnly
    wanted.initiators = unit.initiators ?? now.initiators
    if target.initiators.contains(.all) { try checkIsForAll(wanted, of: name) }
    var steps = unit.initiators == nil ? [] : audienceSteps(wanted, now, target)
    if let readOnly = unit.readOnly { steps += try protectionSteps(readOnly, now, target) }
    if let thin = unit.thin {
      for attribute in ["emulate_tpu", "emulate_tpws"] {
        let old = now.thin.map { $0 ? "1" : "0" }
        steps.append(set("\(backstore.device)/attrib/\(attribute)", to: thin ? "1" : "0", from: old))
      }
    }
    for (attribute, value) in unit.attributes.sorted(by: { $0.key < $1.key }) {
      if LIOInfo.newDeviceAttributes.contains(attribute) {
        throw Failure(
          .unsupported, "lun \(unit.lun) of \(name)", "cannot change its \(attribute) while it exists",
          remedy: "replace the logical unit")
      }
      let path = "\(backstore.device)/\(LIOPaths.attribute(attribute))"
      steps.append(set(path, to: value, from: now.attributes[attribute]))
    }
    return steps
  }

  private func audienceSteps(_ wanted: LogicalUnit, _ now: LogicalUnit, _ target: Target) -> [Step] {
    nodes(of: target.initiators).flatMap { node -> [Step] in
      switch (isShown(wanted, to: node), !mapped(now, to: node, of: target.name).isEmpty) {
      case (true, false): map(wanted, to: node, of: target.name)
      case (false, true): unmap(now, from: node, of: target.name)
      default: []
      }
    }
  }

  private func protectionSteps(_ readOnly: Bool, _ now: LogicalUnit, _ target: Target) throws -> [Step] {
    let place = "lun \(now.lun) of \(target.name)"
    let device = state.facts[LIOFacts.device(target.name, now.lun)] ?? ""
    if state.facts[LIOFacts.readOnlyDevice(device)] != nil || target.initiators.contains(.all) {
      throw Failure(
        .unsupported, place, "cannot change between read-only and writable while it exists",
        remedy: "replace the logical unit")
    }
    var steps: [Step] = []
    for node in nodes(of: target.initiators) {
      for mapped in mapped(now, to: node, of: target.name) where mapped.isProtected != readOnly {
        let path = "\(LIOPaths.acl(target.name, node))/\(mapped.directory)/write_protect"
        steps.append(set(path, to: readOnly ? "1" : "0", from: readOnly ? "0" : "1"))
      }
    }
    guard steps.isEmpty, let old = state.facts[LIOFacts.link(target.name, now.lun)] else { return steps }
    // Nobody sees it: the link's name says it to the ACLs that come.
    let folder = LIOPaths.unit(target.name, now.lun)
    let new = readOnly ? LIOPaths.readOnlyLink : LIOPaths.link
    return old == new ? [] : [unlink("\(folder)/\(old)", from: device), link("\(folder)/\(new)", to: device)]
  }

  /// A block device's size is read by the kernel itself; a file's is what its control file was told last.
  func resizeUnit(_ lun: LUN, of name: TargetName, to size: UInt64?) throws -> [Step] {
    guard let unit = try target(name).units[lun], case .path = unit.backing else {
      throw Failure(.invalid, "lun \(lun) of \(name)", "has no backing whose size could have changed")
    }
    guard let size else { return [] }
    let device = backstore(of: unit, name).device
    let (file, key): (String, String)
    switch unit.store {
    case "fileio": (file, key) = ("control", "fd_dev_size=")
    // Its handler is asked, and has to answer.
    case "user": (file, key) = ("attrib/dev_size", "")
    default: return []
    }
    let path = Text("\(device)/\(file)")
    return [
      step(
        .write(path: path, contents: "\(key)\(size)"),
        undo: unit.size.map { .write(path: path, contents: "\(key)\($0)") })
    ]
  }
}
