import SystemPackage

/// What a file does with what is written.
extension Kernel {
  mutating func store(_ text: String, in attribute: Attribute, _ number: Number, _ machine: Machine)
    throws(Errno)
  {
    let name = attribute.name
    let now = value(name, of: number)
    switch self[number].kind {
    case .root: return try setRoot(text.line, machine)
    case .hba: throw .invalidArgument
    case .device: return try storeInDevice(text, name, number, machine)
    case .deviceAttributes(let plugin): return try storeSetting(text, attribute, number, plugin)
    case .identity(let plugin): return try storeIdentity(text, attribute, number, plugin)
    case .reservations: return try restoreReservation(text.line, of: above(number))
    case .portGroup: return try storeInPortGroup(text, attribute, number)
    case .discovery where name != "enforce_discovery_auth", .accounts:
      self[number].values[name] = String(text.prefix(255))
      return
    case .groupAttributes: return try storeGroupAttribute(text, attribute, number)
    case .unit where name == "alua_tg_pt_gp":
      guard let device = device(of: number), self[child("alua", of: device)].children[text.line] != nil else {
        throw .noSuchDevice
      }
    case .node where name == "cmdsn_depth":
      let depth = try attribute.value(of: text, now: now)
      // The kernel makes 0 to 1, and closes the sessions when the depth is another.
      let wanted = depth == "0" ? "1" : depth
      if wanted != now { closeSessions { $0.node == number } }
      self[number].values[name] = wanted
      return
    case .node where name == "tag":
      self[number].values[name] = text.line == "NULL" ? "" : text.line
      return
    case .mapped:
      let wanted = try attribute.value(of: text, now: now)
      if !self[number].links.isEmpty { self[number].values[name] = wanted }
      return
    case .group:
      let wanted = try attribute.value(of: text, now: now)
      if wanted == "0" { closeSessions { $0.group == number } }
      self[number].values[name] = wanted
      return
    case .portal where name == "iser":
      // What was made stays, whatever it is told.
      let wanted = try attribute.value(of: text, now: now)
      if wanted == "1" { self[number].values[name] = wanted }
      return
    default: break
    }
    self[number].values[name] = try attribute.value(of: text, now: now)
  }

  private mutating func setRoot(_ path: String, _ machine: Machine) throws(Errno) {
    guard backstores.isEmpty else { throw .invalidArgument }
    guard path.hasPrefix("/") else { throw .noSuchFileOrDirectory }
    switch machine.status(path) {
    case .failure(let number): throw number
    case .success(let status): guard status.kind == .directory else { throw .notDirectory }
    }
    self[Self.root].values["dbroot"] = path
  }

  private mutating func storeInDevice(_ text: String, _ name: String, _ number: Number, _ machine: Machine)
    throws(Errno)
  {
    guard var backstore = backstores[number] else { throw .noSuchDevice }
    switch name {
    case "control":
      try backstore.control(text)
      backstores[number] = backstore
      if case .device(.user) = self[number].kind {
        for key in ["dev_config", "dev_size"] {
          self[child("attrib", of: number)].values[key] = backstore.settings[key]
        }
      }
    case "enable":
      guard text.line == "1" else { throw .invalidArgument }
      guard !backstore.isConfigured else { throw .fileExists }
      let claims = Set(backstores.values.compactMap(\.claim))
      try backstore.configure(
        machine, isClaimed: claims.contains, path: value("udev_path", of: number))
      let mates = self[above(number)].values
      backstore.number = Int(mates["enabled"] ?? "0") ?? 0
      self[above(number)].values["enabled"] = String(backstore.number + 1)
      backstores[number] = backstore
      didConfigure(number, backstore)
    default: self[number].values[name] = text.line
    }
  }

  /// Opening a device sets the attributes that follow from it.
  private mutating func didConfigure(_ number: Number, _ backstore: Backstore) {
    let attributes = child("attrib", of: number)
    self[attributes].values["block_size"] = nil
    if backstore.isBuffered { self[attributes].values["emulate_write_cache"] = "1" }
    if let size = backstore.settings["hw_block_size"] { self[attributes].values["hw_block_size"] = size }
  }

  private mutating func storeSetting(
    _ text: String, _ attribute: Attribute, _ number: Number, _ plugin: Kind.Plugin
  ) throws(Errno) {
    let device = above(number)
    if attribute.isFixedByExport, exports(of: device) > 0 { throw .invalidArgument }
    // These want an answer of the handler in user space, and there is none.
    if plugin == .user, ["dev_config", "dev_size", "emulate_write_cache"].contains(attribute.name) {
      throw .noSuchProcess
    }
    switch (attribute.name, text.line) {
    case ("pi_prot_type", "2"): throw .noFunction
    case ("pi_prot_format", "1"): throw .noSuchDevice
    default: break
    }
    let now = value(attribute.name, of: number)
    self[number].values[attribute.name] = try attribute.value(of: text, now: now)
    if attribute.name == "queue_depth" { backstores[device]?.shownDepth = Int(text.line) ?? 0 }
  }

  private mutating func storeIdentity(
    _ text: String, _ attribute: Attribute, _ number: Number, _ plugin: Kind.Plugin
  ) throws(Errno) {
    let value = text.line
    if attribute.name == "vpd_unit_serial", plugin == .pscsi { throw .operationNotSupported }
    let longest: Int
    switch attribute.name {
    case "vendor_id": longest = 8
    case "product_id": longest = 16
    case "revision": longest = 4
    case "vpd_unit_serial":
      // The newline counts here.
      guard text.utf8.count < 254 else { throw Errno.overflow }
      longest = 253
    default:
      guard let number = Int(value.hasPrefix("0x") ? String(value.dropFirst(2)) : "", radix: 16) else {
        throw .invalidArgument
      }
      guard number <= 0xff_ffff else { throw Errno.overflow }
      longest = 8
    }
    guard value.utf8.count <= longest else { throw Errno.overflow }
    guard exports(of: above(number)) == 0 else { throw .invalidArgument }
    self[number].values[attribute.name] = value
  }

  private mutating func storeInPortGroup(_ text: String, _ attribute: Attribute, _ number: Number)
    throws(Errno)
  {
    let now = value(attribute.name, of: number)
    if attribute.name == "alua_access_state" {
      guard backstores[above(above(number))]?.isConfigured == true else { throw .noSuchDevice }
      guard !value("tg_pt_gp_id", of: number).isEmpty else { throw .invalidArgument }
    }
    if attribute.name == "tg_pt_gp_id", !now.isEmpty { throw .invalidArgument }
    let wanted = try attribute.value(of: text, now: now)
    self[number].values[attribute.name] = wanted
    if attribute.name == "alua_access_state", wanted != now {
      self[number].values["alua_access_status"] = "2"
    }
  }

  /// With ACLs made by itself, the kernel keeps them, whatever it is told (iscsit_ta_generate_node_acls).
  private mutating func storeGroupAttribute(_ text: String, _ attribute: Attribute, _ number: Number)
    throws(Errno)
  {
    let wanted = try attribute.value(of: text, now: value(attribute.name, of: number))
    switch (attribute.name, wanted) {
    case ("generate_node_acls", "1"): self[number].values["cache_dynamic_acls"] = "1"
    case ("cache_dynamic_acls", "0"):
      if value("generate_node_acls", of: number) == "1" { return }
    default: break
    }
    self[number].values[attribute.name] = wanted
  }
}

extension String {
  /// The text without the newline at its end.
  var line: String { last == "\n" ? String(dropLast()) : self }
}
