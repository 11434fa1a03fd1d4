import HostInterface
import SystemPackage
import TargetCore

/// What is not of one target.
extension SCSTReader {
  /// Notes how many maps show each device, and what there is besides; who removes something needs it.
  mutating func noteUses() {
    guard detail.shared || detail.parameters != .none else { return }
    for (device, count) in uses {
      let exports = (try? entries(SCSTPaths.device(device) + "/exported")) ?? []
      let foreign = exports.filter { !isNobodys($0, of: device) }.count - count
      state.facts[SCSTFact.exports(device)] = "\(count) \(max(0, foreign))"
      if case .path(let path)? = devices[device]?.backing { state.facts[SCSTFact.showing(path)] = device }
    }
  }

  /// The copy manager shows every device by itself; the room of what nobody sees counts as far as it is read.
  private func isNobodys(_ export: String, of device: String) -> Bool {
    let link = try? host.readLink(FilePath("\(SCSTPaths.device(device))/exported/\(export)")).string
    guard let link, case .group(let room) = Place.nobody else { return false }
    return link.contains("/copy_manager/") || link.contains("/ini_groups/\(room)/")
  }

  mutating func readShared(driver files: [String]) async throws {
    state.discovery = try await readAccounts(SCSTPaths.driver, of: nil, files)
    for handler in try entries(SCSTPaths.root + "/handlers") where SCSTHandler(rawValue: handler) != nil {
      state.stores[handler] = []
    }
    state.facts[SCSTFact.handlers] = state.stores.keys.sorted().joined(separator: ",")
    try await readDevices()
    for driver in try entries(SCSTPaths.root + "/targets") where driver != "iscsi" && driver != "copy_manager"
    {
      try await readOther(driver)
    }
    for group in try entries(SCSTPaths.deviceGroups) where group != "mgmt" {
      state.remarks.append("SCST has the device group \(group) (ALUA), which is left alone")
    }
    if detail.parameters == .all { try readSaved() }
  }

  /// Devices that exist, exported or not; local disks that nobody gave to SCST are none.
  private mutating func readDevices() async throws {
    var unused: [String] = []
    for device in try entries(SCSTPaths.root + "/devices") {
      let path = SCSTPaths.device(device)
      guard let handler = linkName(path + "/handler") else { continue }
      let file = try await value(path + "/filename") ?? ""
      state.facts[SCSTFact.backing(device)] = "\(handler) \(file)"
      if uses[device] == nil {
        let exports = try entries(path + "/exported").filter { !isNobodys($0, of: device) }
        state.facts[SCSTFact.exports(device)] = "0 \(exports.count)"
        if exports.isEmpty { unused.append(device) }
      }
    }
    if !unused.isEmpty {
      noteLeftovers(unused)
      state.remarks.append(
        "SCST has devices that no target shows: \(unused.sorted().joined(separator: ", "))")
    }
  }

  /// Finds out of which target's logical units a run that failed left devices behind.
  private mutating func noteLeftovers(_ devices: [String]) {
    for name in state.targets.keys {
      let found = Identity.luns(of: name, in: Capabilities.scst.luns, derivedAs: devices)
      guard !found.isEmpty else { continue }
      let lines = found.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
      state.facts[SCSTFact.leftovers(name)] = lines.joined(separator: "\n")
    }
  }

  private mutating func readOther(_ driver: String) async throws {
    let folder = "\(SCSTPaths.root)/targets/\(driver)"
    let targets = try entries(folder).filter { try isDirectory("\(folder)/\($0)") }
    guard !targets.isEmpty else { return }
    state.remarks.append("SCST has targets of the driver \(driver), which are left alone")
    for target in targets {
      // Relative ids are one range for all drivers.
      if let id = try await value("\(folder)/\(target)/rel_tgt_id").flatMap({ UInt32($0) }), id > 0 {
        state.facts[SCSTFact.relativeID(id)] = "\(driver) \(target)"
      }
    }
  }

  // MARK: What SCST would save

  /// Notes what stands in the tree as to be saved, for scst.conf.
  private mutating func readSaved() throws {
    try noteSaved(SCSTPaths.root)
    try noteSaved(SCSTPaths.driver)
    for device in try entries(SCSTPaths.root + "/devices") { try noteSaved(device: device) }
    for name in state.targets.keys {
      try noteSaved(SCSTPaths.target(name))
      for group in (state.facts[SCSTFact.groups(name)] ?? "").split(separator: "\n") {
        try noteSaved(SCSTPaths.group(name, String(group)))
      }
    }
    var lines: [String] = []
    for group in try entries(SCSTPaths.deviceGroups) where group != "mgmt" {
      lines += try deviceGroup(group)
    }
    if !lines.isEmpty { state.facts[SCSTFact.deviceGroups] = lines.joined(separator: "\n") }
  }

  /// A device group (ALUA) as scst.conf has it.
  private func deviceGroup(_ name: String) throws -> [String] {
    let path = SCSTPaths.deviceGroups + "/" + name
    var body = try entries(path + "/devices").filter { $0 != "mgmt" }.map {
      SCSTConfigurationText.line("DEVICE", $0, indent: 1)
    }
    for group in try entries(path + "/target_groups") where group != "mgmt" {
      let folder = "\(path)/target_groups/\(group)"
      var settings = try saved(folder).map { SCSTConfigurationText.line($0.name, $0.value, indent: 2) }
      for target in try entries(folder) where try isDirectory("\(folder)/\(target)") {
        // A target of another machine is a folder of its own, one of this machine a link.
        let attributes = linkName("\(folder)/\(target)") == nil ? try saved("\(folder)/\(target)") : []
        settings += SCSTConfigurationText.section(
          "TARGET", target, indent: 2,
          body: attributes.map { SCSTConfigurationText.line($0.name, $0.value, indent: 3) })
      }
      body += SCSTConfigurationText.section("TARGET_GROUP", group, indent: 1, body: settings)
    }
    return SCSTConfigurationText.section("DEVICE_GROUP", name, indent: 0, body: body)
  }

  /// Once a text of a device was written, SCST marks it for good; one that the device has by itself says nothing.
  private mutating func noteSaved(device: String) throws {
    let folder = SCSTPaths.device(device)
    guard let handler = linkName(folder + "/handler") else { return }
    let own = SCSTIdentity.own(of: device, SCSTHandler(rawValue: handler), setupID: setupID, version: version)
    try noteSaved(folder, but: own)
  }

  private mutating func noteSaved(_ folder: String, but own: [String: String] = [:]) throws {
    let lines = try saved(folder).filter { own[$0.name] != $0.value }.map { "\($0.name) \($0.value)" }
    if !lines.isEmpty { state.facts[SCSTFact.saved(folder)] = lines.joined(separator: "\n") }
  }

  /// What is no setting; some of it takes its time or the queue.
  private static let neverSaved: Set = [
    "block", "dif_capabilities", "dif_checks_failed", "dump_prs", "exported", "handler", "ini_groups",
    "initiators", "last_sysfs_mgmt_res", "luns", "mgmt", "open_state", "pr_state",
    "resync_size", "scsi_device", "sessions", "sg_tablesize", "sync", "tid", "trace_cmds", "trace_level",
    "trace_mcmds", "type", "version",
  ]

  /// The values that SCST marks as to be saved; accounts are read elsewhere.
  private func saved(_ folder: String) throws -> [(name: String, value: String)] {
    try entries(folder).compactMap { file in
      if ["IncomingUser", "OutgoingUser"].contains(where: file.isNumbered) || file.isCounter { return nil }
      guard !Self.neverSaved.contains(file), let text = try? text("\(folder)/\(file)") else { return nil }
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
      guard lines.dropFirst().contains("[key]") else { return nil }
      return (file.isNumbered("allowed_portal") ? "allowed_portal" : file, String(lines[0]))
    }
  }
}
