import SystemPackage

extension Kernel {
  /// ALUA: device groups, their devices, and their groups of targets.
  mutating func executeOnDeviceGroups(_ parts: [String], _ text: String) throws(Errno) {
    var command = CommandText(text)
    let path = parts.dropLast().joined(separator: "/")
    switch (parts.count, parts.last) {
    case (2, "mgmt"): try manageDeviceGroups(&command)
    case (4, "mgmt") where parts[2] == "devices":
      try queued { kernel throws(Errno) in try kernel.manageMembers(&command, in: path) }
    case (4, "mgmt") where parts[2] == "target_groups":
      try queued { kernel throws(Errno) in try kernel.manageTargetGroups(&command, in: path) }
    case (5, "mgmt"):
      try queued { kernel throws(Errno) in try kernel.manageTargets(&command, in: path) }
    case (5, let name?): try setTargetGroupAttribute(name, of: path, to: text.withoutNewline)
    case (6, "rel_tgt_id"):
      let number = try kernelNumber(text)
      guard (1...65535).contains(number) else { throw .invalidArgument }
      tree.set(path + "/rel_tgt_id", "\(number)\n[key]\n")
    default: throw .invalidArgument
    }
  }

  private mutating func manageDeviceGroups(_ command: inout CommandText) throws(Errno) {
    let verb = command.word().lowercased()
    let name = command.word()
    let path = "device_groups/" + name
    guard !name.isEmpty else { throw .invalidArgument }
    switch verb {
    case "create":
      guard tree[path] == nil else { throw .fileExists }
      tree.put(path, .directory)
      for directory in ["devices", "target_groups"] {
        tree.put("\(path)/\(directory)", .directory)
        tree.putFile("\(path)/\(directory)/mgmt", Self.help)
      }
    case "del":
      guard tree[path] == .directory else { throw .invalidArgument }
      tree.remove(path)
    default: throw .invalidArgument
    }
  }

  private mutating func manageMembers(_ command: inout CommandText, in directory: String) throws(Errno) {
    let verb = command.word().lowercased()
    let name = command.word()
    guard !name.isEmpty, name != "mgmt" else { throw .invalidArgument }
    switch verb {
    case "add":
      guard tree["devices/" + name] != nil else { throw .invalidArgument }
      let groups = tree.directories(in: "device_groups")
      guard !groups.contains(where: { tree["device_groups/\($0)/devices/\(name)"] != nil }) else {
        throw .fileExists
      }
      tree.put("\(directory)/\(name)", .link("../../../devices/\(name)"))
    case "del":
      guard tree["\(directory)/\(name)"] != nil else { throw .invalidArgument }
      tree.remove("\(directory)/\(name)")
    default: throw .invalidArgument
    }
  }

  private mutating func manageTargetGroups(_ command: inout CommandText, in directory: String) throws(Errno) {
    let verb = command.word().lowercased()
    let name = command.word()
    let path = "\(directory)/\(name)"
    guard !name.isEmpty, name != "mgmt" else { throw .invalidArgument }
    switch verb {
    case "create":
      guard tree[path] == nil else { throw .fileExists }
      tree.put(path, .directory)
      tree.putFile(path + "/mgmt", Self.help)
      for (file, content) in [("group_id", "0\n[key]\n"), ("preferred", "0\n"), ("state", "active\n[key]\n")]
      {
        tree.putFile("\(path)/\(file)", content)
      }
    case "del":
      guard tree[path] == .directory else { throw .invalidArgument }
      tree.remove(path)
    default: throw .invalidArgument
    }
  }

  private mutating func manageTargets(_ command: inout CommandText, in directory: String) throws(Errno) {
    let verb = command.word().lowercased()
    let name = command.word()
    let path = "\(directory)/\(name)"
    guard !name.isEmpty, name != "mgmt" else { throw .invalidArgument }
    switch verb {
    case "add":
      let groups = String(directory.dropLast((directory.split(separator: "/").last ?? "").count + 1))
      let isTaken = tree.directories(in: groups).contains { tree["\(groups)/\($0)/\(name)"] != nil }
      guard !isTaken else { throw .fileExists }
      if tree["\(Self.driver)/\(name)"] == .directory {
        tree.put(path, .link("../../../../targets/iscsi/\(name)"))
      } else {
        // A target of another machine.
        tree.put(path, .directory)
        tree.putFile(path + "/rel_tgt_id", "0\n[key]\n")
      }
    case "del":
      guard tree[path] != nil else { throw .invalidArgument }
      tree.remove(path)
    default: throw .invalidArgument
    }
  }

  private mutating func setTargetGroupAttribute(_ name: String, of path: String, to value: String)
    throws(Errno)
  {
    switch name {
    case "group_id":
      let number = try kernelNumber(value)
      guard (1...65535).contains(number) else { throw .invalidArgument }
      tree.set(path + "/group_id", "\(number)\n[key]\n")
    case "preferred":
      try queued { kernel throws(Errno) in
        guard value == "0" || value == "1" else { throw .invalidArgument }
        kernel.tree.set(path + "/preferred", DeviceTable.content(value, isKey: value == "1"))
      }
    case "state":
      try queued { kernel throws(Errno) in
        let states = ["active", "nonoptimized", "standby", "unavailable", "offline", "transitioning"]
        guard states.contains(value) else { throw .invalidArgument }
        kernel.tree.set(path + "/state", value + "\n[key]\n")
        kernel.bindDevices(to: value, of: path)
      }
    default: throw .invalidArgument
    }
  }

  /// A state in which a group does not serve closes the devices that say they follow it.
  private mutating func bindDevices(to state: String, of path: String) {
    let isClosed = ["standby", "unavailable", "offline"].contains(state)
    guard isClosed || state == "active" else { return }
    let group = path.split(separator: "/").prefix(2).joined(separator: "/")
    for device in tree.names(in: group + "/devices") where device != "mgmt" {
      guard tree.line("devices/\(device)/bind_alua_state") == "1" else { continue }
      try? setActive(isClosed ? "0" : "1", of: device)
    }
  }
}
