import HostInterface
import TargetCore

/// The devices behind logical units.
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

  /// What a device is made by: the command, and then what it takes only when it is there.
  func creation(of unit: LogicalUnit, _ device: String, _ handler: SCSTHandler) -> [Operation] {
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

  func deletion(of device: String, _ handler: SCSTHandler) -> Operation {
    let path = SCSTPaths.device(device) + (handler == .disk ? "/handler" : "")
    return command(
      SCSTPaths.handler(handler.rawValue) + "/mgmt", "del_device \(device)", .absent(path: Text(path)))
  }

  func identity(of unit: LogicalUnit) -> [String: String] {
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
  func other(than lun: LUN, of name: TargetName, showing device: String) -> LogicalUnit? {
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
  func exports(of device: String) -> (shown: Int, foreign: Int) {
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

  func check(_ unit: LogicalUnit, _ handler: SCSTHandler, _ place: String) throws {
    if let loaded = state.facts[SCSTFact.handlers],
      !loaded.split(separator: ",").contains(handler.rawValue[...])
    {
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
      try SCSTAttributes.check(
        name, value, handler, blockSize: unit.blockSize, nodes: nodes, place: place)
    }
  }
}
