import SystemPackage

extension Kernel {
  static let traceLevel = "out_of_mem | pid | special | mgmt\n(usage text omitted)"

  /// SCST as it is when its modules are loaded and nothing is configured.
  static func loaded(version: String, modules: Set<String>) -> Kernel {
    var kernel = Kernel()
    kernel.modules = modules
    for directory in ["device_groups", "devices", "handlers", "targets", "targets/copy_manager", driver] {
      kernel.tree.put(directory, .directory)
    }
    kernel.tree.putFile("device_groups/mgmt", help)
    for (name, value) in [
      ("async_lun_replace", "0"), ("force_global_sgv_pool", "0"), ("max_tasklet_cmd", "10"),
      ("measure_latency", "0"), ("poll_us", "0"), ("setup_id", "0x0"), ("suspend", "0"), ("threads", "1"),
    ] {
      kernel.tree.putFile(name, value + "\n")
    }
    kernel.tree.putFile("cluster_name", "")
    kernel.tree.putFile("trace_level", traceLevel)
    kernel.tree.put("sgv", .directory)
    kernel.tree.putFile("last_sysfs_mgmt_res", "", mode: 0o444)
    for name in ["trace_cmds", "trace_mcmds"] { kernel.tree.putFile(name, "", mode: 0o444) }
    kernel.tree.putFile("version", versionText(version), mode: 0o444)
    for handler in DeviceTable.Handler.allCases { kernel.putHandler(handler) }
    kernel.addCopyManager()
    kernel.tree.putFile(driver + "/mgmt", help)
    kernel.tree.putFile(driver + "/open_state", "closed\n", mode: 0o444)
    kernel.tree.putFile(driver + "/trace_level", traceLevel)
    kernel.tree.putFile(driver + "/version", version + "\nTRACING\n", mode: 0o444)
    return kernel
  }

  private mutating func putHandler(_ handler: DeviceTable.Handler) {
    let path = "handlers/" + handler.rawValue
    tree.put(path, .directory)
    tree.putFile(path + "/mgmt", Self.help)
    tree.putFile(path + "/trace_level", Self.traceLevel)
    tree.putFile(path + "/type", handler.type + "\n", mode: 0o444)
  }

  /// rmmod(8): the daemon keeps its module loaded, and all keep scst loaded; the devices of a handler go with it.
  mutating func unload(module name: String) -> Bool {
    guard modules.contains(name) else { return false }
    switch name {
    case "iscsi_scst": guard !daemonRuns else { return false }
    case "scst": guard modules.count == 1 else { return false }
    default:
      for handler in DeviceTable.Handler.allCases where handler.isVirtual == (name == "scst_vdisk") {
        for device in tree.names(in: "devices") where self.handler(of: device) == handler {
          removeDevice(device)
        }
        putHandler(handler)
      }
    }
    modules.remove(name)
    return true
  }

  private static func versionText(_ version: String) -> String {
    "SCST version: \(version)\nSCST build date: \nSCST build number: \nSCST git commit sha1: \nSCST kver: \n"
      + "SCST arch type: \nSCST config: TRACING\n"
  }

  private mutating func addCopyManager() {
    let integrity =
      "dif_supported, hw_dif_type1_supported, hw_dif_type2_supported, hw_dif_type3_supported\n"
    let checks = "\tapp\tref\tguard\ntgt\t0\t0\t0\nscst\t0\t0\t0\ndev\t0\t0\t0\n"
    tree.putFile("targets/copy_manager/allow_not_connected_copy", "0\n")
    tree.putFile("targets/copy_manager/dif_capabilities", integrity, mode: 0o444)
    let path = Self.copyManager
    tree.put(path, .directory)
    for directory in ["ini_groups", "luns", "sessions"] { tree.put("\(path)/\(directory)", .directory) }
    for directory in ["ini_groups", "luns"] { tree.putFile("\(path)/\(directory)/mgmt", Self.help) }
    for (name, value) in [
      ("addr_method", "PERIPHERAL"), ("aen_disabled", "0"), ("black_hole", "0"), ("cpu_mask", "1"),
      ("forward_dst", "0"), ("forward_src", "0"), ("forwarding", "0"), ("io_grouping_type", "auto"),
      ("rel_tgt_id", "0"),
    ] {
      tree.putFile("\(path)/\(name)", value + "\n")
    }
    tree.putFile(path + "/comment", "")
    tree.putFile(path + "/sg_tablesize", "65535\n", mode: 0o444)
    tree.putFile(path + "/dif_capabilities", integrity, mode: 0o444)
    tree.putFile(path + "/dif_checks_failed", checks)
    let session = path + "/sessions/copy_manager_sess"
    tree.put(session, .directory)
    tree.put(session + "/luns", .link("../../luns"))
    showLatency(session)
    tree.putFile(session + "/dif_checks_failed", checks)
    for (name, value) in [
      ("active_commands", "0"), ("commands", "0"), ("initiator_name", "copy_manager_sess"),
    ] {
      tree.putFile("\(session)/\(name)", value + "\n", mode: 0o444)
    }
    for counter in Self.counters {
      tree.putFile("\(path)/\(counter)", "0\n", mode: 0o444)
      tree.putFile("\(session)/\(counter)", "0\n")
    }
  }

  mutating func setRootAttribute(_ name: String, to text: String) throws(Errno) {
    let value = text.withoutNewline
    switch name {
    case "threads":
      let number = try kernelNumber(value)
      guard number > 0 else { throw .invalidArgument }
      try queued { kernel throws(Errno) in
        kernel.tree.set(name, DeviceTable.content(String(number), isKey: number != 1))
      }
    case "setup_id":
      let number = try kernelNumber(value)
      tree.set(name, DeviceTable.content("0x" + String(number, radix: 16), isKey: number != 0))
    case "suspend": tree.set(name, try kernelSignedNumber(value) < 0 ? "0\n" : "1\n")
    case "cluster_name":
      guard value.utf8.count <= 64 else { throw .invalidArgument }
      tree.set(name, value.isEmpty ? "" : value + "\n[key]\n")
    case "measure_latency", "async_lun_replace", "force_global_sgv_pool":
      guard value == "0" || value == "1" else { throw .invalidArgument }
      tree.set(name, value + "\n")
    case "max_tasklet_cmd", "poll_us":
      tree.set(name, "\(try kernelNumber(value))\n")
    case "trace_level": try Self.checkTrace(text)
    default: throw .invalidArgument
    }
  }
}
