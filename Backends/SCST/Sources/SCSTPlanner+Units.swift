import HostInterface
import TargetCore

extension SCSTPlanner {
  /// Makes the device with its whole identity, and only then the maps that show it.
  func addUnit(_ unit: LogicalUnit, to name: TargetName, replacing: Bool = false) throws -> [Step] {
    let target = try target(name)
    let place = "lun \(unit.lun) of \(name)"
    let handler = try handler(of: unit, place)
    try check(unit, handler, place)
    let old = replacing ? target.units[unit.lun] : nil
    let device = try device(for: unit, of: name, insteadOf: old)
    var steps = leftovers(of: target, but: unit.lun)
    if case .leftover(let handler) = device.use { steps.append(step(deletion(of: device.name, handler))) }
    if device.use != .shared {
      for (index, operation) in creation(of: unit, device.name, handler).enumerated() {
        steps.append(step(operation, undo: index == 0 ? [deletion(of: device.name, handler)] : []))
      }
    }
    let text = device.name + (unit.readOnly == true ? " read_only" : "")
    // A unit that replaces another is shown where the plan has that one, were it nowhere.
    var shown = target
    shown.units[unit.lun] = unit
    var planner = self
    if replacing { planner = planner.forgetting(unit.lun, of: name) }
    for place in planner.mapped(unit, shown) {
      if place == .nobody {
        steps += try planner.park(unit, of: name, as: text)
      } else {
        steps.append(try planner.map(unit, at: place, of: name, as: text))
      }
    }
    return steps
  }

  /// A planner for which a logical unit was not found.
  private func forgetting(_ lun: LUN, of name: TargetName) -> SCSTPlanner {
    var state = state
    state.facts[SCSTFact.device(name, lun)] = nil
    for place in foundPlaces(of: name) { state.facts[SCSTFact.mapped(name, place, lun)] = nil }
    return SCSTPlanner(state: state, port: port, reason: reason)
  }

  func replaceUnit(_ unit: LogicalUnit, of name: TargetName) throws -> [Step] {
    let target = try target(name)
    guard let old = target.units[unit.lun] else {
      throw Failure(.notFound, "lun \(unit.lun) of \(name)", "does not exist")
    }
    return try removal(of: old, target) + addUnit(unit, to: name, replacing: true)
  }

  func removeUnit(_ lun: LUN, from name: TargetName) throws -> [Step] {
    let target = try target(name)
    guard let unit = target.units[lun] else {
      throw Failure(.notFound, "lun \(lun) of \(name)", "does not exist")
    }
    return try leftovers(of: target) + marking(without: unit, target) + removal(of: unit, target)
  }

  /// Takes a logical unit away.
  ///
  /// A device that nothing else shows goes with all its maps by one command, so that a run that is killed leaves the
  /// logical unit or nothing at all. SCST would do the same to a device that others show; that one stays.
  func removal(of unit: LogicalUnit, _ target: Target) throws -> [Step] {
    let name = target.name
    let places = mapped(unit, target)
    guard let device = ownDevice(of: unit, name),
      let handler = unit.store.flatMap(SCSTHandler.init(rawValue:))
    else { return try places.map { try unmap(unit, from: $0, of: name) } }
    let maps = try places.map { try mapping(shown(unit, at: $0, of: name), at: unit.lun, $0, of: name) }
    return [step(deletion(of: device, handler), undo: creation(of: unit, device, handler) + maps)]
  }

  /// The last logical unit for everyone leaves a word behind that everyone may log in.
  private func marking(without unit: LogicalUnit, _ target: Target) throws -> [Step] {
    guard target.initiators.contains(.all), isForAll(unit),
      state.facts[SCSTFact.members(target.name, Place.marker)] == nil,
      !target.units.values.contains(where: { $0.lun != unit.lun && isForAll($0) })
    else { return [] }
    return [makeGroup(Place.marker, of: target.name)]
  }

  /// The device of a logical unit, where no other shows it.
  func ownDevice(of unit: LogicalUnit, _ name: TargetName) -> String? {
    guard
      let device = state.facts[SCSTFact.device(name, unit.lun)]
        ?? (try? self.device(for: unit, of: name).name)
    else { return nil }
    let counts = exports(of: device)
    let own = foundPlaces(of: name).count { state.facts[SCSTFact.mapped(name, $0, unit.lun)] != nil }
    if counts.foreign > 0 { return nil }
    return counts.shown > own && other(than: unit.lun, of: name, showing: device) != nil ? nil : device
  }

  /// Removes the devices that a run left behind that failed and could not undo it, but for those of logical units
  /// that are there.
  func leftovers(of target: Target, but lun: LUN? = nil) -> [Step] {
    (state.facts[SCSTFact.leftovers(target.name)] ?? "").split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ").map(String.init)
      guard words.count == 2, let number = try? LUN(words[0]), number != lun, target.units[number] == nil
      else {
        return nil
      }
      let handler = state.facts[SCSTFact.backing(words[1])].flatMap {
        SCSTHandler(rawValue: String($0.prefix { $0 != " " }))
      }
      return handler.map { step(deletion(of: words[1], $0)) }
    }
  }

  func setUnit(_ unit: LogicalUnit, of name: TargetName) throws -> [Step] {
    let target = try target(name)
    let place = "lun \(unit.lun) of \(name)"
    guard let now = target.units[unit.lun] else { throw Failure(.notFound, place, "does not exist") }
    var steps = try setAudience(unit, now, target)
    let handler = try handler(of: now, place)
    let device = try state.facts[SCSTFact.device(name, unit.lun)] ?? device(for: now, of: name).name
    let path = SCSTPaths.device(device)
    if handler == .disk, !identity(of: unit).isEmpty || unit.online != nil || !unit.attributes.isEmpty {
      throw Failure(.unsupported, place, "is a local disk, whose settings are its own")
    }
    for (file, value) in identity(of: unit) {
      steps.append(set("\(path)/\(file)", to: value, from: identity(of: now)[file], reads: value))
    }
    if let online = unit.online {
      guard handler.hasFile else {
        throw Failure(.unsupported, place, "cannot be taken offline by \(handler.rawValue)")
      }
      let (value, old) = online ? ("1", "0") : ("0", "1")
      steps.append(set(path + "/active", to: value, from: old, reads: value))
    }
    for (attribute, value) in unit.attributes.sorted(by: { $0.key < $1.key }) {
      try SCSTAttributes.check(
        attribute, value, handler, blockSize: now.blockSize, nodes: nodes, place: place)
      steps.append(set("\(path)/\(attribute)", to: value, from: now.attributes[attribute]))
    }
    return steps
  }

  /// SCST looks at the size of a backing again when it is told to.
  func resizeUnit(_ lun: LUN, of name: TargetName) throws -> [Step] {
    let place = "lun \(lun) of \(name)"
    guard let unit = try target(name).units[lun] else { throw Failure(.notFound, place, "does not exist") }
    let handler = try handler(of: unit, place)
    guard handler.hasFile else {
      throw Failure(
        .unsupported, place, "has no file or block device whose size could have changed",
        remedy: handler == .nullio ? "set its attribute size" : nil)
    }
    let device = try state.facts[SCSTFact.device(name, lun)] ?? device(for: unit, of: name).name
    return [step(command(SCSTPaths.device(device) + "/resync_size", "1"))]
  }
}
