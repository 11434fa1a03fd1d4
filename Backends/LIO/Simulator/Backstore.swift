import HostInterface
import SystemPackage

/// A device of the target core: what its control file was told, and what came of it.
struct Backstore: Sendable {
  let plugin: Kind.Plugin
  var settings: [String: String] = [:]
  var isConfigured = false
  /// Its number among the devices of its host that were enabled.
  var number = 0
  /// The identity of the block device that it claims.
  var claim: String?
  /// The queue depth as the info file tells it, which is 0 until it is set.
  var shownDepth = 0

  init(plugin: Kind.Plugin) { self.plugin = plugin }

  var isBuffered: Bool { settings["fd_buffered_io"] == "1" }

  /// Takes `key=value` words with commas between them.
  mutating func control(_ text: String) throws(Errno) {
    for word in text.split(whereSeparator: { $0 == "," || $0 == "\n" }) {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      // What it does not know it passes over.
      guard parts.count == 2, keys.contains(parts[0]) else { continue }
      try take(parts[0], parts[1])
    }
  }

  private var keys: Set<String> {
    switch plugin {
    case .iblock: ["udev_path", "readonly"]
    case .fileio: ["fd_dev_name", "fd_dev_size", "fd_buffered_io", "fd_async_io"]
    case .ramdisk: ["rd_pages", "rd_nullio", "rd_dummy"]
    case .pscsi: ["scsi_host_id", "scsi_channel_id", "scsi_target_id", "scsi_lun_id"]
    case .user:
      [
        "dev_config", "dev_size", "hw_block_size", "hw_max_sectors", "max_data_area_mb", "nl_reply_supported",
      ]
    }
  }

  private mutating func take(_ key: String, _ value: String) throws(Errno) {
    switch key {
    case "udev_path": if isConfigured { throw .fileExists }
    case "fd_dev_size": guard UInt64(value) != nil else { throw .invalidArgument }
    case "fd_buffered_io", "fd_async_io":
      guard let number = Int(value) else { return }
      guard number == 1 else { throw .invalidArgument }
    case "max_data_area_mb": if isConfigured { throw .invalidArgument }
    case "readonly", "rd_pages", "rd_nullio", "rd_dummy", "scsi_host_id", "scsi_channel_id", "scsi_target_id",
      "scsi_lun_id":
      guard Int(value) != nil else { return }
    default: break
    }
    settings[key] = value
  }

  /// Opens what it is made of.
  mutating func configure(_ machine: Machine, isClaimed: (String) -> Bool, path: String) throws(Errno) {
    switch plugin {
    case .fileio: try openFile(machine)
    case .iblock: try openDisk(settings["udev_path"] ?? "", machine, isClaimed)
    case .ramdisk:
      guard (Int(settings["rd_pages"] ?? "") ?? 0) > 0 else { throw .invalidArgument }
    case .pscsi: try openSCSI(machine, isClaimed, path)
    case .user: break
    }
    isConfigured = true
  }

  private mutating func openFile(_ machine: Machine) throws(Errno) {
    guard let name = settings["fd_dev_name"] else { throw .invalidArgument }
    switch machine.status(name) {
    case .failure(.noSuchFileOrDirectory):
      guard settings["fd_dev_size"] != nil else { throw .invalidArgument }
      try machine.makeFile(name)
    case .failure(let number): throw number
    case .success(let status):
      if status.kind == .directory { throw .isDirectory }
      if status.kind != .blockDevice, settings["fd_dev_size"] == nil { throw .invalidArgument }
    }
  }

  private mutating func openDisk(_ path: String, _ machine: Machine, _ isClaimed: (String) -> Bool)
    throws(Errno)
  {
    guard !path.isEmpty else { throw .invalidArgument }
    let status: FileStatus
    switch machine.status(path) {
    case .failure(let number): throw number
    case .success(let found): status = found
    }
    guard status.kind == .blockDevice else { throw .blockDeviceRequired }
    guard !isClaimed(status.identity), !machine.isHeld(path) else { throw .resourceBusy }
    claim = status.identity
  }

  /// A SCSI device by its address and, where it is a disk, by its path too (pscsi_configure_device).
  private mutating func openSCSI(
    _ machine: Machine, _ isClaimed: (String) -> Bool, _ path: String
  ) throws(Errno) {
    let keys = ["scsi_host_id", "scsi_channel_id", "scsi_target_id", "scsi_lun_id"]
    let numbers = keys.compactMap { settings[$0] }
    guard numbers.count == 4, !path.isEmpty else { throw .invalidArgument }
    guard case .success = machine.status("/sys/class/scsi_host/host\(numbers[0])") else {
      throw .invalidArgument
    }
    guard case .success = machine.status("/sys/class/scsi_device/" + numbers.joined(separator: ":")) else {
      throw .noSuchDevice
    }
    try openDisk(path, machine, isClaimed)
  }

  /// The lines of the info file behind the first.
  func info(number: Int) -> String {
    let indent = "        "
    func setting(_ name: String, _ initial: String = "0") -> String { settings[name] ?? initial }
    switch plugin {
    case .fileio:
      let mode = isBuffered ? "Buffered-WCE" : "O_DSYNC"
      return indent + "TCM FILEIO ID: \(number)        File: \(setting("fd_dev_name", ""))  "
        + "Size: \(setting("fd_dev_size"))  Mode: \(mode) Async: \(setting("fd_async_io"))\n"
    case .iblock:
      let path = setting("udev_path", "")
      let name = path.split(separator: "/").last.map(String.init) ?? ""
      let (major, minor) = device
      return indent + (isConfigured ? "iBlock device: \(name)" : "") + "  UDEV PATH: \(path)  "
        + "readonly: \(setting("readonly"))\n" + indent + "Major: \(major) Minor: \(minor)"
        + (isConfigured ? "  CLAIMED: IBLOCK\n" : "\n")
    case .ramdisk:
      let pages = setting("rd_pages")
      let tables = isConfigured && settings["rd_nullio"] != "1" ? 1 : 0
      return indent + "TCM RamDisk ID: \(number)  RamDisk Makeup: rd_mcp\n" + indent
        + "PAGES/PAGE_SIZE: \(pages)*4096  SG_table_count: \(tables)  nullio: \(setting("rd_nullio")) "
        + "dummy: \(setting("rd_dummy"))\n"
    case .pscsi:
      return indent + "SCSI Device Bus Location: Channel ID: \(setting("scsi_channel_id")) "
        + "Target ID: \(setting("scsi_target_id")) LUN: \(setting("scsi_lun_id")) "
        + "Host ID: \(setting("scsi_host_id"))\n"
        + (isConfigured ? indent + "Vendor: Linux    Model: scsi_debug       Rev: 0191\n" : "")
    case .user:
      return indent + "Config: \(setting("dev_config", "NULL")) Size: \(setting("dev_size")) "
        + "MaxDataAreaMB: \(setting("max_data_area_mb", "1024")) DataPagesPerBlk: 1 CmdRingSizeMB: 8\n"
    }
  }

  private var device: (String, String) {
    let parts = (claim ?? "0:0").split(separator: ":").map(String.init)
    return parts.count == 2 ? (parts[0], parts[1]) : ("0", "0")
  }
}
