import HostInterface
import TargetCore

extension LIOPlanner {
  /// Where a logical unit's backstore stands: as it was found, or as this plan makes it.
  func backstore(of unit: LogicalUnit, _ name: TargetName) -> Backstore {
    if let device = state.facts[LIOFacts.device(name, unit.lun)], let found = Backstore(link: device) {
      return found
    }
    return Backstore(
      plugin: unit.store ?? "fileio", name: unit.scsiID ?? Identity.derived(target: name, lun: unit.lun),
      target: name, lun: unit.lun)
  }

  func newBackstore(of unit: LogicalUnit, _ name: TargetName, place: String) throws -> Backstore {
    let plugin = unit.store ?? "fileio"
    guard Backstore.modules[plugin] != nil else {
      throw Failure(
        .unsupported, place, "cannot use the store \(plugin), which LIO does not have",
        remedy: "use \(Backstore.modules.keys.sorted().joined(separator: ", "))")
    }
    if unit.cache == .back, plugin != "fileio" {
      throw Failure(
        .unsupported, place, "cannot have a cache that is written back, which only fileio has in LIO",
        remedy: "leave it to the block device, or use the store fileio")
    }
    let title = unit.scsiID ?? Identity.derived(target: name, lun: unit.lun)
    guard !title.contains("/"), title != ".", title != ".." else {
      throw Failure(
        .invalid, place, "cannot have the scsiID \(title), which is the name of a directory in LIO",
        remedy: "use one without a slash")
    }
    return Backstore(plugin: plugin, name: title, target: name, lun: unit.lun)
  }

  /// A backstore in the same place that no LUN shows is what a killed run left; it goes first.
  func leftover(_ backstore: Backstore, _ unit: LogicalUnit, place: String) throws -> [Step] {
    let remnants = remnants(backstore.index)
    if !remnants.isEmpty { return remnants }
    let unused = state.facts.compactMap { key, path in
      Backstore(unused: key).map { (backstore: $0, path: path) }
    }
    // The kernel opens a block device for itself alone.
    guard case .path(let path) = unit.backing, ["iblock", "pscsi"].contains(backstore.plugin),
      let holder = unused.first(where: { $0.path == path && $0.backstore.plugin != "fileio" })?.backstore
    else { return [] }
    throw Failure(
      .inUse, place, "cannot use \(path), which the backstore \(holder.name) holds, that no LUN shows",
      remedy: "remove it with the tool that made it (\(holder.device))")
  }

  /// Removes what a killed run left in the place of a backstore; it cannot be made again, since nothing is known of it.
  func remnants(_ index: UInt32) -> [Step] {
    let places = state.facts.keys.filter { Backstore.index(unused: $0) == index }.sorted()
    return places.flatMap { place -> [Step] in
      let path = String(place.dropFirst(LIOFacts.unused("").count))
      let paths = Backstore(unused: place).map { [$0.device, $0.hba] } ?? [path]
      return paths.map { step(.removeDirectory(path: Text($0))) }
    }
  }

  /// What makes a device of a new directory, with its identity and settings.
  func operations(making unit: LogicalUnit, _ backstore: Backstore, place: String) throws -> [Operation] {
    let device = backstore.device
    func write(_ file: String, _ value: String) -> Operation {
      .write(path: Text("\(device)/\(file)"), contents: Text(value + "\n"))
    }
    let control = try control(of: unit, backstore.plugin, place)
    var operations = [Operation.write(path: Text("\(device)/control"), contents: Text(control))]
    // What a RAM disk has for a path is only a name.
    if case .path(let path) = unit.backing { operations.append(write("udev_path", path)) }
    operations.append(write("enable", "1"))
    for (file, value) in identity(of: unit, backstore.plugin) { operations.append(write(file, value)) }
    for (attribute, value) in attributes(of: unit, backstore.plugin) {
      operations.append(write(LIOPaths.attribute(attribute), value))
    }
    return operations
  }

  private func control(of unit: LogicalUnit, _ plugin: String, _ place: String) throws -> String {
    if plugin == "rd_mcp" {
      guard let pages = unit.attributes["rd_pages"] else {
        throw Failure(
          .invalid, place, "needs the attribute rd_pages, its size in pages of 4096 bytes",
          remedy: "say it, such as rd_pages: 16384 for 64 MiB")
      }
      return "rd_pages=\(pages)" + (unit.attributes["rd_nullio"] == "1" ? ",rd_nullio=1" : "")
    }
    if plugin == "user" { return try handlerControl(of: unit, place) }
    guard case .path(let path) = unit.backing else {
      throw Failure(.unsupported, place, "cannot be without a backing", remedy: "name a file or block device")
    }
    switch plugin {
    case "iblock": return "udev_path=\(path)" + (unit.readOnly == true ? ",readonly=1" : "")
    case "pscsi": return try scsiControl(path, place)
    default:
      var words = ["fd_dev_name=\(path)"]
      if let size = unit.size { words.append("fd_dev_size=\(size)") }
      if unit.cache == .back { words.append("fd_buffered_io=1") }
      if unit.attributes["fd_async_io"] == "1" { words.append("fd_async_io=1") }
      return words.joined(separator: ",")
    }
  }

  /// tcmu: `HANDLER/CONFIGURATION`, which is a file unless it is said (Documentation/target/tcmu-design.rst).
  private func handlerControl(of unit: LogicalUnit, _ place: String) throws -> String {
    let configuration: String
    switch (unit.attributes["dev_config"], unit.backing) {
    case (let text?, _): configuration = text
    case (nil, .path(let path)): configuration = "file/\(path)"
    default:
      throw Failure(
        .invalid, place, "needs the attribute dev_config, such as rbd/pool/image, or a file",
        remedy: "say one of them")
    }
    var words = ["dev_config=\(configuration)"]
    guard let size = unit.attributes["dev_size"] ?? unit.size.map(String.init) else {
      throw Failure(.invalid, place, "needs the attribute dev_size in bytes", remedy: "say it")
    }
    words.append("dev_size=\(size)")
    if let size = unit.blockSize { words.append("hw_block_size=\(size)") }
    if let area = unit.attributes["max_data_area_mb"] { words.append("max_data_area_mb=\(area)") }
    return words.joined(separator: ",")
  }

  private func scsiControl(_ path: String, _ place: String) throws -> String {
    let device = path.split(separator: "/").last.map(String.init) ?? ""
    guard let address = state.facts[LIOFacts.scsi(device)] else {
      throw Failure(
        .invalid, place, "cannot pass \(path) through, which is no SCSI device of this machine",
        remedy: "name it by its kernel name, such as /dev/sda or /dev/sg0 (see lsscsi)")
    }
    let numbers = address.split(separator: ":")
    let keys = ["scsi_host_id", "scsi_channel_id", "scsi_target_id", "scsi_lun_id"]
    return zip(keys, numbers).map { "\($0)=\($1)" }.joined(separator: ",")
  }

  private func identity(of unit: LogicalUnit, _ plugin: String) -> [(file: String, value: String)] {
    // What a device that is passed through says of itself is its own.
    if plugin == "pscsi" { return [] }
    var list: [(String, String)] = []
    if let serial = unit.serial { list.append(("wwn/vpd_unit_serial", serial)) }
    if let vendor = unit.vendor { list.append(("wwn/vendor_id", vendor)) }
    if let product = unit.product, !product.isEmpty { list.append(("wwn/product_id", product)) }
    if let revision = unit.revision, !revision.isEmpty { list.append(("wwn/revision", revision)) }
    return list
  }

  private func attributes(of unit: LogicalUnit, _ plugin: String) -> [(String, String)] {
    var list: [(String, String)] = []
    // A file begins with 512; a block device with what it has.
    if let size = unit.blockSize,
      plugin == "iblock" || (size != 512 && ["fileio", "rd_mcp"].contains(plugin))
    {
      list.append(("block_size", String(size)))
    }
    if let thin = unit.thin, plugin != "pscsi", plugin != "user" {
      list += ["emulate_tpu", "emulate_tpws"].map { ($0, thin ? "1" : "0") }
    }
    let own = unit.attributes.filter { !LIOInfo.attributes.contains($0.key) }
    return list + own.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// Persistent reservations that the kernel stored when they were made with APTPL: it takes them back only before a
  /// LUN shows the device (target_pr_res_aptpl_metadata_store in drivers/target/target_core_configfs.c).
  func reservationSteps(_ unit: LogicalUnit, _ backstore: Backstore) -> [Step] {
    if backstore.plugin == "pscsi" { return [] }
    var steps: [Step] = []
    // Without its folder the kernel fails every registration (Fixtures/LIO/reservations.jsonl), and it makes none.
    for folder in [LIOFacts.missingRoot, LIOFacts.missingFolder].compactMap({ state.facts[$0] }) {
      steps.append(step(.createDirectory(path: Text(folder))))
    }
    guard let serial = unit.serial, let stored = state.facts[LIOFacts.reservations(serial)] else {
      return steps
    }
    for record in APTPLFile.registrations(stored) {
      let file = "\(backstore.device)/pr/res_aptpl_metadata"
      steps.append(step(.write(path: Text(file), contents: Text(record.joined(separator: ",")))))
    }
    return steps
  }
}
