import HostInterface
import TargetCore

extension SCSTPlanner {
  /// The device of a new logical unit: its name, and whether it is there already for another one.
  struct Device {
    var name: String
    var use: Use
    enum Use: Equatable {
      case new
      /// A run that was killed left it behind, with this handler.
      case leftover(SCSTHandler)
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
  /// It is called as its `device` attribute says, or it is the one that shows the backing already; else it is called
  /// as follows from the target and the LUN, which nothing else is called.
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
    if handler.hasFile, case .path(let path) = unit.backing, let device = state.facts[SCSTFact.showing(path)],
      let other = other(than: unit.lun, of: name, showing: device)
    {
      return Device(name: device, use: try sharing(device, unit, other))
    }
    let derived = Identity.derived(target: name, lun: unit.lun)
    return Device(name: derived, use: try use(of: derived, for: unit, handler, name, insteadOf: old))
  }

  private func use(
    of device: String, for unit: LogicalUnit, _ handler: SCSTHandler, _ name: TargetName,
    insteadOf old: LogicalUnit?
  ) throws -> Device.Use {
    if let other = other(than: unit.lun, of: name, showing: device) {
      return try sharing(device, unit, other)
    }
    guard let found = state.facts[SCSTFact.backing(device)] else { return .new }
    let counts = exports(of: device)
    // What showed it goes by this plan, and it goes with that.
    if counts.shown > 0, counts.foreign == 0 { return .new }
    let file = if handler.hasFile, case .path(let path) = unit.backing { path } else { "" }
    let isSame = found == "\(handler.rawValue) \(file)"
    // Nobody else gives a device the name that follows from this target and LUN.
    if counts == (0, 0), isSame || device == Identity.derived(target: name, lun: unit.lun),
      let handler = SCSTHandler(rawValue: String(found.prefix { $0 != " " }))
    {
      return .leftover(handler)
    }
    guard isSame else {
      throw Failure(
        .exists, "lun \(unit.lun) of \(name)",
        "cannot have a device called \(device), which is there (\(found.trimmed))",
        remedy: "give it another attribute \(SCSTAttributes.name)")
    }
    return .shared
  }

  /// Another logical unit that shows a device, as it was found or as the plan has it.
  private func other(than lun: LUN, of name: TargetName, showing device: String) -> LogicalUnit? {
    // Only names that somebody chose can be those of several.
    if device == Identity.derived(target: name, lun: lun), state.facts[SCSTFact.backing(device)] == nil {
      return nil
    }
    for target in state.targets.values {
      for (number, unit) in target.units where (target.name, number) != (name, lun) {
        let shown = state.facts[SCSTFact.device(target.name, number)] ?? unit.attributes[SCSTAttributes.name]
        if shown == device { return unit }
      }
    }
    return nil
  }

  /// How many maps show a device: of the model's targets, and others.
  private func exports(of device: String) -> (shown: Int, foreign: Int) {
    let counts = (state.facts[SCSTFact.exports(device)] ?? "").split(separator: " ").compactMap { Int($0) }
    return counts.count == 2 ? (counts[0], counts[1]) : (0, 0)
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

  private func localDisk(of unit: LogicalUnit, _ place: String) throws -> Device {
    guard case .path(let path) = unit.backing, let name = path.split(separator: "/").last.map(String.init),
      name.split(separator: ":").count == 4, name.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ":") })
    else {
      throw Failure(
        .invalid, place, "is to be a local disk, which SCST knows by host:channel:id:lun",
        remedy: "name its node below /dev/bsg, such as /dev/bsg/0:0:0:0")
    }
    let isFound = state.facts[SCSTFact.backing(name)] != nil
    let isUnused = state.facts[SCSTFact.exports(name)] == "0 0"
    return Device(name: name, use: !isFound ? .new : isUnused ? .leftover(.disk) : .shared)
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
