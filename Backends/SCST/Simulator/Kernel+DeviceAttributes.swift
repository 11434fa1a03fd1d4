import SystemPackage

extension Kernel {
  mutating func setDeviceAttribute(_ name: String, of device: String, to text: String) throws(Errno) {
    let path = "devices/\(device)/\(name)"
    if let longest = DeviceTable.texts[name] { return try setText(name, at: path, text.firstLine, longest) }
    switch name {
    case "naa_id", "eui64_id": try setIdentifier(name, at: path, text.withoutNewline)
    case "expl_alua", "bind_alua_state":
      let number = try kernelNumber(text)
      let standard = name == "bind_alua_state" && handler(of: device) == .blockio ? "1" : "0"
      setFlag(number == 0 ? "0" : "1", at: path, standard: standard)
    case "async", "read_zero", "lb_per_pb_exp":
      let number = try kernelNumber(text)
      guard number <= 1 else { throw .invalidArgument }
      setFlag(String(number), at: path, standard: name == "lb_per_pb_exp" ? "1" : "0")
    case "numa_node_id":
      let number = try kernelSignedNumber(text)
      guard number >= -1 else { throw .invalidArgument }
      tree.set(path, DeviceTable.content(String(number), isKey: number != -1))
    case "max_tgt_dev_commands":
      let number = try kernelNumber(text)
      tree.set(path, DeviceTable.content(String(number), isKey: number != 64))
    case "opt_trans_len":
      let number = try kernelNumber(text)
      let block = tree.line("devices/\(device)/blocksize").flatMap { UInt64($0) } ?? 512
      guard number % block == 0 else { throw .invalidArgument }
      tree.set(path, DeviceTable.content(String(number), isKey: number != 524288))
    case "block":
      guard ["0", "1"].contains(text.withoutNewline.split(separator: " ").first) else {
        throw .invalidArgument
      }
    case "sync", "dump_prs", "gen_tp_soft_threshold_reached_UA": break
    case "threads_num", "threads_pool_type": try setThreads(name, of: device, text.withoutNewline)
    default:
      try queued { kernel throws(Errno) in try kernel.setQueuedAttribute(name, of: device, text) }
    }
  }

  private mutating func setText(_ name: String, at path: String, _ value: String, _ longest: Int)
    throws(Errno)
  {
    guard value.utf8.count <= longest else { throw .invalidArgument }
    // These two have no value by themselves; the others are marked once they were set at all.
    let isKey = !value.isEmpty || !["scsi_device_name", "inq_vend_specific"].contains(name)
    tree.set(path, DeviceTable.content(value, isKey: isKey))
  }

  private mutating func setFlag(_ value: String, at path: String, standard: String) {
    tree.set(path, DeviceTable.content(value, isKey: value != standard))
  }

  private mutating func setIdentifier(_ name: String, at path: String, _ text: String) throws(Errno) {
    let digits = text.lowercased().hasPrefix("0x") ? text.dropFirst(2) : text[...]
    guard digits.allSatisfy(\.isHexDigit) else { throw .invalidArgument }
    if text.isEmpty { return tree.set(path, "\n") }
    switch (name, digits.count, digits.first) {
    case ("naa_id", 16, "2"), ("naa_id", 16, "3"), ("naa_id", 16, "5"), ("naa_id", 32, "6"): break
    case ("eui64_id", 16, _), ("eui64_id", 24, _), ("eui64_id", 32, _): break
    default: throw .invalidArgument
    }
    tree.set(path, "0x\(digits.lowercased())\n[key]\n")
  }

  private mutating func setThreads(_ name: String, of device: String, _ value: String) throws(Errno) {
    let path = "devices/\(device)/\(name)"
    if name == "threads_pool_type" {
      guard ["per_initiator", "shared"].contains(value) else { throw .invalidArgument }
      try queued { kernel throws(Errno) in
        kernel.tree.set(path, DeviceTable.content(value, isKey: value != "per_initiator"))
      }
    } else {
      let number = try kernelNumber(value)
      guard number <= UInt64(Int32.max) else { throw .invalidArgument }
      try queued { kernel throws(Errno) in
        let standard = kernel.handler(of: device)?.threads
        kernel.tree.set(path, DeviceTable.content(String(number), isKey: String(number) != standard))
        let pool = "devices/\(device)/threads_pool_type"
        if number == 0 {
          kernel.tree.set(pool, "Async\n")
        } else if kernel.tree.line(pool) == "Async" {
          kernel.tree.set(pool, "per_initiator\n")
        }
      }
    }
    refreshSessions(with: device)
  }

  private mutating func setQueuedAttribute(_ name: String, of device: String, _ text: String) throws(Errno) {
    let path = "devices/\(device)"
    let value = text.withoutNewline
    switch name {
    case "cluster_mode":
      guard try kernelNumber(value) <= 1 else { throw .invalidArgument }
      setFlag(value, at: path + "/cluster_mode", standard: "0")
    case "active": try setActive(value, of: device)
    case "filename": try setFilename(value, of: device)
    case "resync_size":
      // EMEDIUMTYPE: there is no size of what is not open.
      guard tree.line(path + "/active") != "0" else { throw .init(rawValue: 124) }
      guard let filename = tree.line(path + "/filename"), let backing = look(FilePath(filename)) else {
        throw .noSuchFileOrDirectory
      }
      showSize(backing.size, of: device)
    case "size", "size_mb":
      let number = try kernelNumber(value)
      let (bytes, overflow) = number.multipliedReportingOverflow(by: name == "size" ? 1 : 1 << 20)
      let block = tree.line(path + "/blocksize").flatMap { UInt64($0) } ?? 512
      guard !overflow, bytes % block == 0 else { throw .invalidArgument }
      showSize(bytes, of: device)
    case "pr_state", "pr_file_name":
      // The copy manager's own export is one, too.
      throw .resourceBusy
    default: throw .invalidArgument
    }
  }

  mutating func setActive(_ value: String, of device: String) throws(Errno) {
    let path = "devices/\(device)"
    guard value == "0" || value == "1" else { throw .invalidArgument }
    if value == "1", tree.line(path + "/active") == "0", let handler = handler(of: device) {
      let isReadOnly = tree.line(path + "/read_only") == "1"
      let size = try open(tree.line(path + "/filename") ?? "", handler, isReadOnly: isReadOnly, for: device)
      // The file handler keeps the size that it had.
      if handler == .blockio { showSize(size, of: device) }
    }
    setFlag(value, at: path + "/active", standard: "1")
  }

  private mutating func setFilename(_ value: String, of device: String) throws(Errno) {
    let path = "devices/\(device)"
    if handler(of: device) == .cdrom {
      guard !value.isEmpty else {
        tree.set(path + "/filename", "none\n\n")
        return showSize(0, of: device)
      }
      guard value.hasPrefix("/") else { throw .invalidArgument }
      guard let backing = look(FilePath(value)) else { throw .noSuchFileOrDirectory }
      guard backing.kind == .file || backing.kind == .blockDevice else { throw .invalidArgument }
      tree.set(path + "/filename", value + "\n[key]\n\n")
      return showSize(backing.size, of: device)
    }
    guard tree.line(path + "/active") == "0", value.hasPrefix("/") else { throw .invalidArgument }
    tree.set(path + "/filename", value + "\n[key]\n\n")
  }
}
