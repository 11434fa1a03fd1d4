import HostInterface
import TargetCore

extension LIOPlanner {
  /// Makes the backstore with its whole identity, and only then the LUN that shows it.
  func addUnit(_ unit: LogicalUnit, to name: TargetName) throws -> [Step] {
    let target = try target(name)
    let place = "lun \(unit.lun) of \(name)"
    let plugin = try plugin(of: unit, place: place)
    let backstore = Backstore(
      plugin: plugin, name: unit.scsiID ?? Identity.derived(target: name, lun: unit.lun))
    if unit.readOnly == true, target.initiators.contains(.all), plugin != "iblock" {
      throw Failure(
        .unsupported, place, "cannot be read-only for everyone, since \(plugin) itself is always writable",
        remedy: "name the initiators, or use a block device")
    }
    var steps = try leftover(backstore, place: place)
    steps += [make(backstore.hba), make(backstore.device)]
    steps.append(
      step(.write(path: "\(backstore.device)/control", contents: Text(try control(of: unit, plugin, place)))))
    if case .path(let path) = unit.backing {
      steps.append(set("\(backstore.device)/udev_path", to: path, from: nil))
    }
    steps.append(set("\(backstore.device)/enable", to: "1", from: nil))
    for (file, value) in identity(of: unit) {
      steps.append(set("\(backstore.device)/\(file)", to: value, from: nil))
    }
    for (attribute, value) in attributes(of: unit, plugin) {
      steps.append(set("\(backstore.device)/\(LIOPaths.attribute(attribute))", to: value, from: nil))
    }
    steps += reservationSteps(unit, backstore)
    let lun = LIOPaths.unit(name, unit.lun)
    if state.facts["empty \(name) \(unit.lun)"] == nil { steps.append(make(lun)) }
    steps.append(link("\(lun)/\(LIOPaths.link)", to: backstore.device))
    for node in nodes(of: target) where isShown(unit, to: node) { steps += map(unit, to: node, of: name) }
    return steps
  }

  func removeUnit(_ lun: LUN, from name: TargetName, mapped: Bool = true) throws -> [Step] {
    let target = try target(name)
    guard let unit = target.units[lun] else {
      throw Failure(.notFound, "lun \(lun) of \(name)", "does not exist")
    }
    let path = LIOPaths.unit(name, lun)
    let backstore = backstore(of: unit, name)
    var steps: [Step] = []
    if mapped {
      for node in nodes(of: target) where isMapped(unit, to: node, of: name) {
        steps += unmap(unit, from: node, of: name)
      }
    }
    let link = state.facts["link \(name) \(lun)"] ?? LIOPaths.link
    steps += [unlink("\(path)/\(link)", from: backstore.device), remove(path)]
    // A backstore that another target shows as well stays.
    guard state.facts["shared \(backstore.device)"] == nil else { return steps }
    let recreation = try addUnit(unit, to: name).map(\.operation).filter { operation in
      if case .write(let file, _) = operation { return file.display.hasPrefix(backstore.device) }
      return false
    }
    steps.append(
      Step(
        .removeDirectory(path: Text(backstore.device)),
        undo: [.createDirectory(path: Text(backstore.device))] + recreation, reason: reason,
        patience: .seconds(10)))
    if state.facts["crowded \(backstore.hba)"] == nil { steps.append(remove(backstore.hba)) }
    return steps
  }

  func setUnit(_ unit: LogicalUnit, of name: TargetName) throws -> [Step] {
    let target = try target(name)
    guard let now = target.units[unit.lun] else {
      throw Failure(.notFound, "lun \(unit.lun) of \(name)", "does not exist")
    }
    let backstore = backstore(of: now, name)
    var steps = audienceSteps(unit, now, target)
    if let readOnly = unit.readOnly {
      if target.initiators.contains(.all) {
        throw Failure(
          .unsupported, "lun \(unit.lun) of \(name)",
          "cannot change between read-only and writable for everyone",
          remedy: "name the initiators, or replace the logical unit")
      }
      for node in nodes(of: target) where isMapped(now, to: node, of: name) {
        let path = LIOPaths.mapped(name, node, unit.lun) + "/write_protect"
        steps.append(set(path, to: readOnly ? "1" : "0", from: readOnly ? "0" : "1"))
      }
    }
    for (attribute, value) in attributes(of: unit, now.store ?? "") {
      steps.append(set("\(backstore.device)/attrib/\(attribute)", to: value, from: now.attributes[attribute]))
    }
    return steps
  }

  private func audienceSteps(_ unit: LogicalUnit, _ now: LogicalUnit, _ target: Target) -> [Step] {
    guard let audience = unit.initiators else { return [] }
    var shown = now
    shown.initiators = audience
    return nodes(of: target).flatMap { node -> [Step] in
      switch (isShown(shown, to: node), isMapped(now, to: node, of: target.name)) {
      case (true, false): map(now, to: node, of: target.name)
      case (false, true): unmap(now, from: node, of: target.name)
      default: []
      }
    }
  }

  /// A block device's size is read by the kernel itself; a file's is what its control file was told last.
  func resizeUnit(_ lun: LUN, of name: TargetName, to size: UInt64?) throws -> [Step] {
    guard let unit = try target(name).units[lun], case .path = unit.backing else {
      throw Failure(.invalid, "lun \(lun) of \(name)", "has no backing whose size could have changed")
    }
    guard unit.store == "fileio", let size else { return [] }
    let control = "\(backstore(of: unit, name).device)/control"
    return [
      step(
        .write(path: Text(control), contents: "fd_dev_size=\(size)"),
        undo: unit.size.map { .write(path: Text(control), contents: "fd_dev_size=\($0)") })
    ]
  }

  /// Where a logical unit's backstore stands: as it was found, or as this plan makes it.
  private func backstore(of unit: LogicalUnit, _ name: TargetName) -> Backstore {
    if let device = state.facts["device \(name) \(unit.lun)"], let found = Backstore(link: device) {
      return found
    }
    return Backstore(
      plugin: unit.store ?? "fileio", name: unit.scsiID ?? Identity.derived(target: name, lun: unit.lun))
  }

  /// A backstore of the same name that no LUN shows is what a killed run left; it goes first.
  private func leftover(_ backstore: Backstore, place: String) throws -> [Step] {
    guard let use = state.facts["backstore \(backstore.device)"] else { return [] }
    guard use == "unused" else {
      throw Failure(
        .exists, place, "cannot be called \(backstore.name), that backstore is exported already",
        remedy: "give it another scsiID")
    }
    return [
      step(.removeDirectory(path: Text(backstore.device))), step(.removeDirectory(path: Text(backstore.hba))),
    ]
  }

  /// Persistent reservations that the kernel stored when they were made with APTPL: it takes them back only before a
  /// LUN shows the device (target_pr_res_aptpl_metadata_store in drivers/target/target_core_configfs.c).
  private func reservationSteps(_ unit: LogicalUnit, _ backstore: Backstore) -> [Step] {
    var steps: [Step] = []
    // The kernel writes them below target/dbroot, and makes no folder there by itself.
    for folder in [state.facts["missing dbroot"], state.facts["missing pr"]].compactMap({ $0 }) {
      steps.append(step(.createDirectory(path: Text(folder))))
    }
    guard let serial = unit.serial, let stored = state.facts["aptpl \(serial)"] else { return steps }
    for record in APTPLFile.registrations(stored) {
      let file = "\(backstore.device)/pr/res_aptpl_metadata"
      steps.append(step(.write(path: Text(file), contents: Text(record.joined(separator: ",")))))
    }
    return steps
  }

  private func plugin(of unit: LogicalUnit, place: String) throws -> String {
    let store = unit.store ?? "fileio"
    guard ["iblock", "fileio", "rd_mcp", "pscsi", "user"].contains(store) else {
      throw Failure(
        .unsupported, place, "cannot use the store \(store), which LIO does not have",
        remedy: "use iblock, fileio, rd_mcp, pscsi or user")
    }
    return store
  }

  private func control(of unit: LogicalUnit, _ plugin: String, _ place: String) throws -> String {
    guard case .path(let path) = unit.backing else {
      throw Failure(.unsupported, place, "cannot be without a backing", remedy: "name a file or block device")
    }
    switch plugin {
    case "iblock", "pscsi":
      return "udev_path=\(path)" + (unit.readOnly == true && plugin == "iblock" ? ",readonly=1" : "")
    case "fileio":
      guard let size = unit.size else { return "fd_dev_name=\(path)" }
      return "fd_dev_name=\(path),fd_dev_size=\(size)" + (unit.cache == .back ? ",fd_buffered_io=1" : "")
    default: return "dev_config=\(path.dropFirst()),dev_size=\(unit.size ?? 0)"
    }
  }

  private func identity(of unit: LogicalUnit) -> [(file: String, value: String)] {
    var list: [(String, String)] = []
    if let serial = unit.serial { list.append(("wwn/vpd_unit_serial", serial)) }
    if let vendor = unit.vendor { list.append(("wwn/vendor_id", vendor)) }
    if let product = unit.product { list.append(("wwn/product_id", product)) }
    if let revision = unit.revision { list.append(("wwn/revision", revision)) }
    return list
  }

  private func attributes(of unit: LogicalUnit, _ plugin: String) -> [(String, String)] {
    var list: [(String, String)] = []
    if let size = unit.blockSize, size != 512 || plugin != "fileio" {
      list.append(("block_size", String(size)))
    }
    if unit.cache == .back, plugin == "fileio" { list.append(("emulate_write_cache", "1")) }
    if let thin = unit.thin {
      list.append(("emulate_tpu", thin ? "1" : "0"))
      list.append(("emulate_tpws", thin ? "1" : "0"))
    }
    let own = unit.attributes.filter { $0.key != "rd_pages" }
    return list + own.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }
}
