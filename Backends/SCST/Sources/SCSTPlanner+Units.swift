import HostInterface
import TargetCore

extension SCSTPlanner {
  /// The device of a new logical unit: its name, and whether it is there already for another one.
  struct Device {
    var name: String
    var use: Use
    enum Use {
      case new
      /// A run that was killed left it behind.
      case leftover
      /// Another logical unit shows it.
      case shared
    }
  }

  /// Makes the device with its whole identity, and only then the maps that show it.
  func addUnit(_ unit: LogicalUnit, to name: TargetName, replacing: Bool = false) throws -> [Step] {
    let target = try target(name)
    let place = "lun \(unit.lun) of \(name)"
    let handler = try handler(of: unit, place)
    try check(unit, handler, place)
    let old = replacing ? target.units[unit.lun] : nil
    let device = try device(for: unit, of: name, insteadOf: old)
    var steps: [Step] = []
    if device.use == .leftover { steps.append(step(deletion(of: device.name, handler))) }
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

  func removeUnit(_ lun: LUN, from name: TargetName) throws -> [Step] {
    let target = try target(name)
    guard let unit = target.units[lun] else {
      throw Failure(.notFound, "lun \(lun) of \(name)", "does not exist")
    }
    var steps = try marking(without: unit, target)
    steps += try mapped(unit, target).map { try unmap(unit, from: $0, of: name) }
    return steps + deviceRemoval(of: unit, name)
  }

  /// The last logical unit for everyone leaves a word behind that everyone may log in.
  private func marking(without unit: LogicalUnit, _ target: Target) throws -> [Step] {
    guard target.initiators.contains(.all), isForAll(unit),
      state.facts[SCSTFact.members(target.name, Place.marker)] == nil,
      !target.units.values.contains(where: { $0.lun != unit.lun && isForAll($0) })
    else { return [] }
    return [makeGroup(Place.marker, of: target.name)]
  }

  /// Removes the device of a logical unit that is shown nowhere any more; SCST itself would remove one that is in
  /// use, with all the logical units that show it.
  func deviceRemoval(of unit: LogicalUnit, _ name: TargetName) -> [Step] {
    guard
      let device = state.facts[SCSTFact.device(name, unit.lun)]
        ?? (try? self.device(for: unit, of: name).name),
      let handler = unit.store.flatMap(SCSTHandler.init(rawValue:))
    else { return [] }
    let counts = (state.facts[SCSTFact.exports(device)] ?? "").split(separator: " ").compactMap { Int($0) }
    let own = foundPlaces(of: name).count { state.facts[SCSTFact.mapped(name, $0, unit.lun)] != nil }
    if counts.count == 2 {
      guard counts[1] == 0 else { return [] }
      if counts[0] > own {
        let isShown = state.targets.values.contains { target in
          target.units.keys.contains { lun in
            (target.name, lun) != (name, unit.lun) && state.facts[SCSTFact.device(target.name, lun)] == device
          }
        }
        if isShown { return [] }
      }
    }
    return [step(deletion(of: device, handler), undo: creation(of: unit, device, handler))]
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
      try SCSTAttributes.check(attribute, value, handler, nodes: nodes, place: place)
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

  // MARK: Devices

  /// What a device is made by: the command, and then what it takes only when it is there.
  private func creation(of unit: LogicalUnit, _ device: String, _ handler: SCSTHandler) -> [Operation] {
    let manager = SCSTPaths.handler(handler.rawValue) + "/mgmt"
    let path = SCSTPaths.device(device)
    guard handler != .disk else {
      return [command(manager, "add_device \(device)", .exists(path: Text(path + "/handler")))]
    }
    var words: [String] = []
    func add(_ name: String, _ value: String?) { if let value { words.append("\(name)=\(value)") } }
    func flag(_ value: Bool?) -> String? { value.map { $0 ? "1" : "0" } }
    if handler.hasFile, case .path(let file) = unit.backing { add("filename", file) }
    if handler != .cdrom {
      add("blocksize", unit.blockSize.map(String.init))
      add("read_only", unit.readOnly == true ? "1" : nil)
      add("removable", unit.removable == true ? "1" : nil)
    }
    if handler.hasFile {
      // A device that is only read has no writes to keep.
      add("write_through", unit.readOnly == true ? nil : unit.cache.map { $0 == .through ? "1" : "0" })
      add("thin_provisioned", flag(unit.thin))
      add("active", unit.online == false ? "0" : nil)
    }
    let attributes = unit.attributes.sorted { $0.key < $1.key }.filter { name, value in
      name != SCSTAttributes.name && value != SCSTAttributes.standard(name, handler)
    }
    for (name, value) in attributes where SCSTAttributes.all[name]?.atCreation == true { add(name, value) }
    let parameters = words.isEmpty ? "" : " " + words.joined(separator: "; ")
    var list = [command(manager, "add_device \(device)\(parameters)", .exists(path: Text(path)))]
    for (file, value) in identity(of: unit).sorted(by: { $0.key < $1.key }) {
      list.append(
        command("\(path)/\(file)", Text(value), .reads(path: Text("\(path)/\(file)"), line: Text(value))))
    }
    for (name, value) in attributes where SCSTAttributes.all[name]?.atCreation != true {
      list.append(command("\(path)/\(name)", Text(value)))
    }
    if handler == .cdrom, case .path(let file) = unit.backing {
      list.append(command(path + "/filename", Text(file)))
    }
    return list
  }

  private func deletion(of device: String, _ handler: SCSTHandler) -> Operation {
    let path = SCSTPaths.device(device) + (handler == .disk ? "/handler" : "")
    return command(
      SCSTPaths.handler(handler.rawValue) + "/mgmt", "del_device \(device)", .absent(path: Text(path)))
  }

  private func identity(of unit: LogicalUnit) -> [String: String] {
    var files: [String: String] = [:]
    files["usn"] = unit.serial
    files["t10_dev_id"] = unit.scsiID
    files["t10_vend_id"] = unit.vendor
    files["prod_id"] = unit.product
    files["prod_rev_lvl"] = unit.revision
    return files
  }

  /// The device for a logical unit.
  ///
  /// It is called as its `device` attribute says; else like its SCSI id, if SCST takes that for a name; else as it
  /// follows from the target and the LUN, which nothing else is called.
  func device(for unit: LogicalUnit, of name: TargetName, insteadOf old: LogicalUnit? = nil) throws -> Device
  {
    let place = "lun \(unit.lun) of \(name)"
    let handler = try handler(of: unit, place)
    if handler == .disk { return try localDisk(of: unit, place) }
    if let given = unit.attributes[SCSTAttributes.name] {
      guard SCSTToken.isDeviceName(given) else {
        throw Failure(
          .invalid, place, "cannot have a device called \(given.debugDescription)",
          remedy: "use 1 to 64 letters, digits, '-' and '_', and none of mgmt, type and trace_level")
      }
      return Device(name: given, use: try use(of: given, for: unit, handler, name, insteadOf: old))
    }
    let derived = Identity.derived(target: name, lun: unit.lun)
    guard let id = unit.scsiID, id != derived, SCSTToken.isDeviceName(id) else {
      return Device(name: derived, use: try use(of: derived, for: unit, handler, name, insteadOf: old))
    }
    if let use = try? use(of: id, for: unit, handler, name, insteadOf: old) {
      return Device(name: id, use: use)
    }
    // Another disk has the name, whatever its SCSI id is.
    return Device(name: derived, use: try use(of: derived, for: unit, handler, name, insteadOf: old))
  }

  private func use(
    of device: String, for unit: LogicalUnit, _ handler: SCSTHandler, _ name: TargetName,
    insteadOf old: LogicalUnit?
  ) throws -> Device.Use {
    let file = if handler.hasFile, case .path(let path) = unit.backing { path } else { "" }
    if let other = plannedTwin(of: unit, device, name) { return try sharing(device, unit, other) }
    guard let found = state.facts[SCSTFact.backing(device)] else { return .new }
    if old != nil, state.facts[SCSTFact.device(name, unit.lun)] == device,
      deviceRemoval(of: unit, name).count == 1
    {
      return .new
    }
    guard found == "\(handler.rawValue) \(file)" else { throw taken(device, unit, found) }
    if state.facts[SCSTFact.exports(device)] == "0 0" { return .leftover }
    for target in state.targets.values {
      for (lun, other) in target.units where state.facts[SCSTFact.device(target.name, lun)] == device {
        return try sharing(device, unit, other)
      }
    }
    // What showed it goes by this plan, and the device with it.
    return state.facts[SCSTFact.exports(device)]?.hasSuffix(" 0") == true ? .new : .shared
  }

  /// A logical unit of another target that this plan adds with the same LUN and name, which is the same disk.
  private func plannedTwin(of unit: LogicalUnit, _ device: String, _ name: TargetName) -> LogicalUnit? {
    guard device != Identity.derived(target: name, lun: unit.lun) else { return nil }
    for target in state.targets.values where target.name != name {
      guard let other = target.units[unit.lun], state.facts[SCSTFact.device(target.name, unit.lun)] == nil,
        (other.attributes[SCSTAttributes.name] ?? other.scsiID) == device, other.backing == unit.backing
      else { continue }
      return other
    }
    return nil
  }

  private func sharing(_ device: String, _ unit: LogicalUnit, _ other: LogicalUnit) throws -> Device.Use {
    let different = unit.differences(from: other).filter { $0 != .readOnly }
    guard different.isEmpty else {
      throw Failure(
        .exists, "lun \(unit.lun)",
        "cannot show the device \(device), which is there with another \(different.map(\.rawValue).joined(separator: ", "))",
        remedy: "give it the same settings, or another scsiID")
    }
    return .shared
  }

  private func taken(_ device: String, _ unit: LogicalUnit, _ found: String) -> Failure {
    Failure(
      .exists, "lun \(unit.lun)", "cannot have a device called \(device), which is there (\(found.trimmed))",
      remedy: "give it another scsiID, or another attribute \(SCSTAttributes.name)")
  }

  private func localDisk(of unit: LogicalUnit, _ place: String) throws -> Device {
    guard case .path(let path) = unit.backing, let name = path.split(separator: "/").last.map(String.init),
      name.split(separator: ":").count == 4, name.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ":") })
    else {
      throw Failure(
        .invalid, place, "is to be a local disk, which SCST knows by host:channel:id:lun",
        remedy: "name its node below /dev/bsg, such as /dev/bsg/0:0:0:0")
    }
    let found = state.facts[SCSTFact.backing(name)] != nil
    return Device(
      name: name, use: !found ? .new : state.facts[SCSTFact.exports(name)] == "0 0" ? .leftover : .shared)
  }

  // MARK: Checks

  var nodes: Set<String> { Set((state.facts[SCSTFact.nodes] ?? "").split(separator: ",").map(String.init)) }

  func handler(of unit: LogicalUnit, _ place: String) throws -> SCSTHandler {
    let standard: SCSTHandler =
      switch (unit.deviceType, unit.backing) {
      case (.cd, _): .cdrom
      case (.passthrough, _): .disk
      case (_, .none): .nullio
      default: .fileio
      }
    let name = unit.store ?? standard.rawValue
    guard let handler = SCSTHandler(rawValue: name) else {
      let known = SCSTHandler.allCases.map(\.rawValue).joined(separator: ", ")
      throw Failure(
        .unsupported, place, "cannot use the store \(name), which SCST does not have",
        remedy: "use one of \(known)")
    }
    return handler
  }

  private func check(_ unit: LogicalUnit, _ handler: SCSTHandler, _ place: String) throws {
    if !state.stores.isEmpty, state.stores[handler.rawValue] == nil {
      throw Failure(
        .unavailable, place, "cannot use the store \(handler.rawValue), whose module is not loaded",
        remedy: "run `quartet start -i scst`, or load \(handler == .disk ? "scst_disk" : "scst_vdisk")")
    }
    func refuse(_ what: String, _ remedy: String? = nil) -> Failure {
      Failure(.unsupported, place, what, remedy: remedy)
    }
    let wanted: DeviceType = handler == .cdrom ? .cd : handler == .disk ? .passthrough : .disk
    if let type = unit.deviceType, type != wanted {
      throw refuse("cannot be a \(type.rawValue) with \(handler.rawValue)")
    }
    switch (handler.hasFile, unit.backing) {
    case (true, .none), (true, .unread):
      throw refuse("cannot be without a backing", "name a file or block device")
    case (false, .path) where handler == .nullio:
      throw refuse("cannot have a backing with vdisk_nullio, which stores nothing")
    default: break
    }
    let fields: [(UnitField, Set<SCSTHandler>)] = [
      (.cache, [.fileio, .blockio]), (.thin, [.fileio, .blockio]), (.online, [.fileio, .blockio]),
      (.blockSize, [.fileio, .blockio, .nullio]), (.removable, [.fileio, .blockio, .nullio]),
      (.vendor, Set(SCSTHandler.allCases).subtracting([.disk])),
      (.product, Set(SCSTHandler.allCases).subtracting([.disk])),
      (.revision, Set(SCSTHandler.allCases).subtracting([.disk])),
    ]
    for (field, handlers) in fields where unit[field] != nil && !handlers.contains(handler) {
      throw refuse("cannot have \(field.rawValue) with \(handler.rawValue)")
    }
    if unit.readOnly == true, unit.attributes["nv_cache"] == "1" {
      throw refuse("cannot be read-only and have nv_cache")
    }
    for (name, value) in unit.attributes.sorted(by: { $0.key < $1.key }) {
      try SCSTAttributes.check(name, value, handler, nodes: nodes, place: place)
    }
    if let size = unit.attributes["size"].flatMap({ UInt64($0) }), size % UInt64(unit.blockSize ?? 512) != 0 {
      throw refuse("cannot have size \(size), which is no multiple of its block size")
    }
    if case .address(let address)? = unit.initiators?.first(where: { $0.kind == .address }) {
      throw refuse("cannot be for \(address), since SCST knows initiators by name only")
    }
  }
}
