import HostInterface
import SystemPackage

extension Kernel {
  /// `add_device NAME [PARAMETER=VALUE; ...]` and `del_device NAME`.
  mutating func manageDevices(_ text: String, handler name: String) throws(Errno) {
    guard let handler = DeviceTable.Handler(rawValue: name) else { throw .invalidArgument }
    var command = CommandText(text)
    let verb = command.word().lowercased()
    switch verb {
    case "add_device": try addDevice(&command, handler)
    case "del_device":
      let device = command.word()
      guard !device.isEmpty, command.isAtEnd, let owner = self.handler(of: device),
        owner.isVirtual == handler.isVirtual
      else { throw .invalidArgument }
      removeDevice(device)
    default: throw .invalidArgument
    }
  }

  /// The handler of a device.
  func handler(of device: String) -> DeviceTable.Handler? {
    tree.linkName("devices/\(device)/handler").flatMap(DeviceTable.Handler.init(rawValue:))
  }

  private mutating func addDevice(_ command: inout CommandText, _ handler: DeviceTable.Handler) throws(Errno)
  {
    let name = command.word()
    guard handler.isVirtual else { return try attachLocalDisk(name, at: command) }
    guard !name.isEmpty, !name.contains("/"), !name.contains("."), name.utf8.count <= 64 else {
      throw .invalidArgument
    }
    guard tree["devices/" + name] == nil else { throw .fileExists }
    var settings = try settings(from: &command, handler)
    if ["mgmt", "type", "trace_level"].contains(name) {
      // The new link takes the place of the handler's own file, which is gone for good.
      tree.remove("handlers/\(handler.rawValue)/\(name)")
      throw .fileExists
    }
    let serial = serial(of: name)
    guard !tree.names(in: "devices").contains(where: { tree.line("devices/\($0)/usn") == serial }) else {
      throw .fileExists
    }
    let size = try openBacking(settings, handler)
    if settings.isSet("thin_provisioned"), let filename = settings.filename,
      look(FilePath(filename))?.discards == false
    {
      // It is told nobody that the device cannot do it; the mark of a set value stays.
      settings.values["thin_provisioned"] = "0"
      settings.isThinInVain = true
    }
    makeDevice(name, handler, settings, size: size)
  }

  /// What a device is to be made with.
  struct Settings: Sendable {
    var values: [String: String]
    var filename: String?
    var deviceID: String?
    var size: UInt64?
    /// Whether it was to be thin and cannot be.
    var isThinInVain = false

    func isSet(_ name: String) -> Bool { values[name] == "1" }
  }

  private func settings(from command: inout CommandText, _ handler: DeviceTable.Handler) throws(Errno)
    -> Settings
  {
    var settings = Settings(values: DeviceTable.parameters(of: handler))
    let allowed = DeviceTable.allowed(handler)
    while let (name, value) = try command.parameter() {
      guard allowed.contains(name) else { throw .invalidArgument }
      switch name {
      case "filename":
        guard value.hasPrefix("/"), settings.filename == nil else { throw .invalidArgument }
        settings.filename = value
      case "t10_dev_id":
        guard value.utf8.count <= 25 else { throw .invalidArgument }
        settings.deviceID = value
      default: try set(name, value, in: &settings)
      }
    }
    let size = UInt64(settings.values["blocksize"] ?? "512") ?? 512
    if let wanted = settings.size, wanted % size != 0 { throw .invalidArgument }
    if handler.hasFile, settings.filename == nil { throw .invalidArgument }
    if handler == .fileio, settings.isSet("read_only"),
      settings.isSet("nv_cache") || settings.isSet("write_through")
    {
      throw .invalidArgument
    }
    return settings
  }

  private func set(_ name: String, _ value: String, in settings: inout Settings) throws(Errno) {
    switch name {
    case "numa_node_id":
      let number = try kernelSignedNumber(value)
      guard number >= -1 else { throw .invalidArgument }
      settings.values[name] = String(number)
    case "blocksize":
      let number = try kernelNumber(value)
      // The kernel rounds down to a power of two.
      let shift = number == 0 ? 9 : UInt64.bitWidth - 1 - number.leadingZeroBitCount
      guard shift >= 9 else { throw .invalidArgument }
      settings.values[name] = String(UInt64(1) << UInt64(shift))
    case "size": settings.size = try kernelNumber(value)
    case "size_mb":
      let (bytes, overflow) = try kernelNumber(value).multipliedReportingOverflow(by: 1 << 20)
      guard !overflow else { throw .outOfRange }
      settings.size = bytes
    default:
      let number = try kernelNumber(value)
      if name == "tst" || name == "dummy", number > 1 { throw .invalidArgument }
      if settings.values[name] != nil { settings.values[name] = number == 0 ? "0" : "1" }
    }
  }

  /// The size of what a device is to be made of, in bytes.
  private func openBacking(_ settings: Settings, _ handler: DeviceTable.Handler) throws(Errno) -> UInt64 {
    guard handler.hasFile, let filename = settings.filename else {
      return settings.size ?? (handler == .nullio ? 2_748_779_069_440 : 0)
    }
    guard settings.isSet("active") else { return 0 }
    return try open(filename, handler, isReadOnly: settings.isSet("read_only"), for: nil)
  }

  /// Opens a file or device as a handler does.
  func open(_ filename: String, _ handler: DeviceTable.Handler, isReadOnly: Bool, for device: String?)
    throws(Errno) -> UInt64
  {
    guard let backing = look(FilePath(filename)) else { throw .noSuchFileOrDirectory }
    if handler == .fileio {
      guard backing.kind == .file || backing.kind == .blockDevice else { throw .invalidArgument }
      return backing.size
    }
    switch backing.kind {
    case .blockDevice: break
    // ENOTBLK, which Errno has no name for.
    case .file: throw .init(rawValue: 15)
    default: throw .invalidArgument
    }
    if backing.isHeld || isOpen(backing.identity, otherThan: device) { throw .resourceBusy }
    if backing.isReadOnly, !isReadOnly { throw .permissionDenied }
    return backing.size
  }

  /// Whether another device of the block handler has it open, exclusively.
  private func isOpen(_ identity: String, otherThan device: String?) -> Bool {
    tree.names(in: "devices").contains { name in
      guard name != device, handler(of: name) == .blockio, tree.line("devices/\(name)/active") == "1",
        let filename = tree.line("devices/\(name)/filename")
      else { return false }
      return look(FilePath(filename))?.identity == identity
    }
  }

  /// The serial that a device gets by itself.
  private func serial(of name: String) -> String {
    let setup = kernelSetupID
    let digits = String(checksum(Array(name.utf8) + [0]), radix: 16)
    let padded = String(repeating: "0", count: max(0, 8 - digits.count)) + digits
    return setup == 0 ? digits : String(setup, radix: 16) + padded
  }

  private mutating func makeDevice(
    _ name: String, _ handler: DeviceTable.Handler, _ settings: Settings, size: UInt64
  ) {
    let serial = serial(of: name)
    let path = "devices/" + name
    tree.put(path, .directory)
    tree.put(path + "/exported", .directory)
    tree.put(path + "/handler", .link("../../handlers/\(handler.rawValue)"))
    tree.put("handlers/\(handler.rawValue)/\(name)", .link("../../devices/\(name)"))
    addCommonFiles(path, name)
    tree.putFile(path + "/type", handler.type + "\n", mode: 0o444)
    for (attribute, value) in [
      ("eui64_id", ""), ("inq_vend_specific", ""), ("naa_id", ""), ("prod_id", String(name.prefix(16))),
      ("prod_rev_lvl", "3110"), ("scsi_device_name", ""), ("t10_vend_id", handler.vendor),
      ("threads_num", handler.threads), ("threads_pool_type", "per_initiator"), ("usn", serial),
      ("vend_specific_id", "\(serial)-\(name)"),
    ] {
      tree.putFile("\(path)/\(attribute)", value + "\n")
    }
    // It ends where its field ends.
    let deviceID = settings.deviceID ?? String(decoding: "\(serial)-\(name)".utf8.prefix(25), as: UTF8.self)
    tree.putFile(path + "/t10_dev_id", DeviceTable.content(deviceID, isKey: settings.deviceID != nil))
    let defaults = DeviceTable.parameters(of: handler)
    for (attribute, value) in settings.values {
      tree.putFile(
        "\(path)/\(attribute)",
        DeviceTable.content(
          value,
          isKey: value != defaults[attribute] || attribute == "thin_provisioned" && settings.isThinInVain),
        mode: DeviceTable.fixed.contains(attribute) ? 0o444 : 0o644)
    }
    if handler == .cdrom { tree.putFile(path + "/numa_node_id", "-1\n") }
    addFileAttributes(path, handler, settings)
    let sizeMode: UInt16 = handler == .fileio || handler == .cdrom ? 0o444 : 0o644
    tree.putFile(path + "/size", nil, mode: sizeMode)
    tree.putFile(path + "/size_mb", nil, mode: sizeMode)
    showSize(size, of: name)
    joinCopyManager(name)
  }

  private mutating func addFileAttributes(
    _ path: String, _ handler: DeviceTable.Handler, _ settings: Settings
  ) {
    if handler != .cdrom { tree.putFile(path + "/opt_trans_len", "524288\n") }
    if handler == .nullio { tree.putFile(path + "/read_zero", "0\n") }
    if handler == .cdrom { tree.putFile(path + "/filename", "none\n\n") }
    guard handler.hasFile else { return }
    tree.putFile(path + "/filename", (settings.filename ?? "") + "\n[key]\n\n")
    tree.putFile(path + "/lb_per_pb_exp", "1\n")
    for name in ["resync_size", "sync"] { tree.putFile("\(path)/\(name)", nil, mode: 0o200) }
    if settings.isSet("thin_provisioned") {
      tree.putFile(path + "/gen_tp_soft_threshold_reached_UA", nil, mode: 0o200)
    }
  }

  /// What every device has, a local disk too.
  private mutating func addCommonFiles(_ path: String, _ name: String) {
    tree.putFile(path + "/block", "0 0\n")
    tree.putFile(path + "/dump_prs", nil, mode: 0o200)
    tree.putFile(path + "/max_tgt_dev_commands", "64\n")
    tree.putFile(path + "/numa_node_id", "-1\n")
    tree.putFile(path + "/pr_file_name", "/var/lib/scst/pr/\(name)\n")
    tree.putFile(path + "/pr_state", "version 1\ngeneration 0\n")
  }

  mutating func showSize(_ size: UInt64, of device: String) {
    // A null device of the size that it has by itself is one whose size nobody set.
    let isKey = handler(of: device) != .nullio || size != 2_748_779_069_440
    tree.set("devices/\(device)/size", DeviceTable.content(String(size), isKey: isKey))
    tree.set("devices/\(device)/size_mb", "\(size >> 20)\n")
  }

  private var kernelSetupID: UInt32 {
    tree.line("setup_id").flatMap { UInt32($0.dropFirst(2), radix: 16) } ?? 0
  }

  // MARK: Local disks

  /// Puts a disk of this machine into the tree, as SCST does by itself with every one.
  mutating func addLocalDisk(_ name: String) {
    let path = "devices/" + name
    tree.put(path, .directory)
    tree.put(path + "/exported", .directory)
    addCommonFiles(path, name)
    tree.set(path + "/max_tgt_dev_commands", "0\n")
    tree.put(path + "/scsi_device", .link("../../../../devices/pci0/host0/scsi_device/\(name)"))
    tree.putFile(path + "/type", DeviceTable.Handler.disk.type + "\n", mode: 0o444)
  }

  /// Gives a local disk to the pass-through handler; not among the recordings, after SCST's README.
  private mutating func attachLocalDisk(_ name: String, at command: CommandText) throws(Errno) {
    guard command.isAtEnd, tree["devices/\(name)"] != nil else { throw .invalidArgument }
    guard tree["devices/\(name)/handler"] == nil else { throw .fileExists }
    tree.put("devices/\(name)/handler", .link("../../handlers/dev_disk"))
    tree.put("handlers/dev_disk/\(name)", .link("../../devices/\(name)"))
  }

  // MARK: Removal

  /// A device goes with all its logical units, whoever uses them.
  mutating func removeDevice(_ device: String) {
    let handler = handler(of: device)
    for path in exports(of: device) { removeUnit(at: path) }
    for group in tree.directories(in: "device_groups") {
      tree.remove("device_groups/\(group)/devices/\(device)")
    }
    if let handler { tree.remove("handlers/\(handler.rawValue)/\(device)") }
    if handler == .disk {
      tree.remove("devices/\(device)/handler")
    } else {
      tree.remove("devices/" + device)
      exportCounts[device] = nil
    }
  }
}
