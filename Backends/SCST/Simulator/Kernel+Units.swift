import SystemPackage

extension Kernel {
  static let copyManager = "targets/copy_manager/copy_manager_tgt"

  /// `add DEV LUN [read_only=N]`, `replace`, `replace_no_ua`, `del LUN` and `clear`, in a directory of LUNs.
  mutating func manageUnits(_ text: String, in directory: String) throws(Errno) {
    var command = CommandText(text)
    let verb = command.word().lowercased()
    switch verb {
    case "add", "replace", "replace_no_ua":
      let device = command.word()
      guard !device.isEmpty, handler(of: device) != nil else { throw .invalidArgument }
      let lun = try Self.lun(command.word())
      let isReadOnly = try readOnly(&command)
      let path = "\(directory)/\(lun)"
      if verb == "add", tree[path] != nil { throw .fileExists }
      putUnit(device, at: path, isReadOnly: isReadOnly)
    case "del":
      let lun = try Self.lun(command.word())
      guard command.isAtEnd, tree["\(directory)/\(lun)"] != nil else { throw .invalidArgument }
      removeUnit(at: "\(directory)/\(lun)")
    case "clear":
      guard command.isAtEnd else { throw .invalidArgument }
      for lun in tree.directories(in: directory) { removeUnit(at: "\(directory)/\(lun)") }
    default: throw .invalidArgument
    }
  }

  private static func lun(_ word: String) throws(Errno) -> UInt64 {
    let number = try kernelNumber(word)
    guard number <= 16383 else { throw .invalidArgument }
    return number
  }

  private func readOnly(_ command: inout CommandText) throws(Errno) -> Bool {
    var isReadOnly = false
    while let (name, value) = try command.parameter() {
      guard name == "read_only" else { throw .invalidArgument }
      isReadOnly = try kernelNumber(value) != 0
    }
    return isReadOnly
  }

  /// Shows a device at a logical unit, in the place of another where one is there.
  mutating func putUnit(_ device: String, at path: String, isReadOnly: Bool) {
    if tree[path] == nil {
      tree.put(path, .directory)
    } else {
      dropExport(of: path)
    }
    let isGroup = path.contains("/ini_groups/")
    tree.put(path + "/device", .link((isGroup ? "../../" : "") + "../../../../../devices/\(device)"))
    let handler = handler(of: device)
    let shown = isReadOnly || tree.line("devices/\(device)/read_only") == "1" || handler == .cdrom
    tree.putFile(path + "/read_only", DeviceTable.content(shown ? "1" : "0", isKey: shown), mode: 0o444)
    let number = exportCounts[device, default: 0]
    exportCounts[device] = number + 1
    tree.put("devices/\(device)/exported/export\(number)", .link("../../../" + path))
    refreshSessions(at: path.split(separator: "/").dropLast().joined(separator: "/"))
  }

  mutating func removeUnit(at path: String) {
    dropExport(of: path)
    tree.remove(path)
    refreshSessions(at: path.split(separator: "/").dropLast().joined(separator: "/"))
  }

  private mutating func dropExport(of path: String) {
    guard let device = tree.linkName(path + "/device") else { return }
    let directory = "devices/\(device)/exported"
    for name in tree.names(in: directory) where tree["\(directory)/\(name)"] == .link("../../../" + path) {
      tree.remove("\(directory)/\(name)")
    }
  }

  /// Every virtual device is a logical unit of the copy manager, too.
  mutating func joinCopyManager(_ device: String) {
    let lun = nextCopyManagerUnit
    nextCopyManagerUnit += 1
    putUnit(device, at: "\(Self.copyManager)/luns/\(lun)", isReadOnly: false)
  }

  // MARK: Waiting

  /// Whether a command has to wait for a device whose backing is frozen.
  func waits(_ command: Command) -> Bool {
    guard !frozen.isEmpty else { return false }
    if command.path.hasSuffix("/luns/mgmt") { return !touchedUnits(command).isEmpty }
    let parts = command.path.split(separator: "/")
    switch parts.last {
    case "threads_num", "threads_pool_type", "active", "size", "size_mb": return true
    case "mgmt" where parts.contains("ini_groups"): return true
    case "mgmt" where parts.first == "handlers":
      var text = CommandText(command.text)
      return text.word().lowercased() == "del_device" && frozen.contains(text.word())
    default: return false
    }
  }

  /// The logical units of frozen devices that a command takes away.
  private func touchedUnits(_ command: Command) -> [String] {
    let directory = String(command.path.dropLast("/mgmt".count))
    var text = CommandText(command.text)
    let units: [String]
    switch text.word().lowercased() {
    case "del": units = [text.word()]
    case "replace", "replace_no_ua":
      _ = text.word()
      units = [text.word()]
    case "clear": units = tree.directories(in: directory)
    default: return []
    }
    return units.map { "\(directory)/\($0)" }.filter { path in
      tree.linkName(path + "/device").map(frozen.contains) ?? false
    }
  }

  /// Does what of a command that waits is to be seen at once, and returns what vanished: logical units.
  mutating func begin(_ command: Command) -> [String: SysfsTree.Entry] {
    var paths: [String] = []
    if command.path.hasSuffix("/luns/mgmt") {
      paths = touchedUnits(command)
    } else if command.path.hasPrefix("handlers/") {
      var text = CommandText(command.text)
      _ = text.word()
      paths = exports(of: text.word())
    }
    var hidden: [String: SysfsTree.Entry] = [:]
    for path in paths {
      hidden.merge(tree.subtree(path)) { $1 }
      tree.remove(path)
    }
    return hidden
  }

  /// The logical units that show a device.
  func exports(of device: String) -> [String] {
    tree.names(in: "devices/\(device)/exported").compactMap { name in
      guard case .link(let destination) = tree["devices/\(device)/exported/\(name)"] else { return nil }
      return String(destination.dropFirst("../../../".count))
    }
  }
}
