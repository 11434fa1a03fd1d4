import SystemPackage

extension Kernel {
  /// `create NAME` and `del NAME` of initiator groups; further words are passed over.
  mutating func manageGroups(_ text: String, of target: String) throws(Errno) {
    var command = CommandText(text)
    let verb = command.word().lowercased()
    let name = command.word().replacingSlashes
    let path = "\(target)/ini_groups/\(name)"
    switch verb {
    case "create":
      guard !name.isEmpty else { throw .invalidArgument }
      guard tree[path] == nil else { throw .fileExists }
      addGroup(path)
    case "del":
      guard !name.isEmpty, tree[path] == .directory else { throw .invalidArgument }
      if sessions.contains(where: { $0.luns == path + "/luns" }) { throw .resourceBusy }
      for lun in tree.directories(in: path + "/luns") { removeUnit(at: "\(path)/luns/\(lun)") }
      tree.remove(path)
    default: throw .invalidArgument
    }
  }

  private mutating func addGroup(_ path: String) {
    tree.put(path, .directory)
    for directory in ["luns", "initiators"] {
      tree.put("\(path)/\(directory)", .directory)
      tree.putFile("\(path)/\(directory)/mgmt", Self.help)
    }
    for (name, value) in [
      ("addr_method", "PERIPHERAL"), ("black_hole", "0"), ("cpu_mask", "1"), ("io_grouping_type", "auto"),
      ("per_sess_dedicated_tgt_threads", "0"),
    ] {
      tree.putFile("\(path)/\(name)", value + "\n")
    }
  }

  /// `add NAME`, `del NAME`, `move NAME GROUP` and `clear` of initiators; sessions follow at once.
  mutating func manageInitiators(_ text: String, of target: String, group: String) throws(Errno) {
    var command = CommandText(text)
    let verb = command.word().lowercased()
    let directory = "\(target)/ini_groups/\(group)/initiators"
    let name = command.word()
    let path = "\(directory)/\(name)"
    switch verb {
    case "add":
      guard !name.isEmpty else { throw .invalidArgument }
      try addInitiator(name, in: directory)
    case "del":
      if unlistable.remove("\(directory)\n\(name)") != nil { break }
      guard !name.isEmpty, name != "mgmt", tree[path] != nil else { throw .invalidArgument }
      tree.remove(path)
    case "move":
      let other = command.word()
      guard !other.isEmpty, name != "mgmt", tree[path] != nil,
        tree["\(target)/ini_groups/\(other)"] == .directory
      else { throw .invalidArgument }
      try addInitiator(name, in: "\(target)/ini_groups/\(other)/initiators")
      tree.remove(path)
    case "clear":
      for name in tree.names(in: directory) where name != "mgmt" { tree.remove("\(directory)/\(name)") }
    default: throw .invalidArgument
    }
    reassignSessions(of: target)
  }

  private mutating func addInitiator(_ name: String, in directory: String) throws(Errno) {
    guard tree["\(directory)/\(name)"] == nil else { throw .fileExists }
    if name.contains("/") {
      // Accepted, and then no listing of the directory works.
      unlistable.insert("\(directory)\n\(name)")
    } else {
      tree.putFile("\(directory)/\(name)", name + "\n", mode: 0o444)
    }
  }

  mutating func setGroupAttribute(_ name: String, at path: String, to text: String) throws(Errno) {
    switch name {
    case "addr_method", "black_hole", "cpu_mask", "io_grouping_type":
      try setAccessAttribute(name, at: path, to: text)
    case "per_sess_dedicated_tgt_threads":
      let value = text.withoutNewline
      guard value == "0" || value == "1" else { throw .invalidArgument }
      tree.set(path, DeviceTable.content(value, isKey: value == "1"))
    default: throw .invalidArgument
    }
  }

  /// What targets and groups have in common.
  mutating func setAccessAttribute(_ name: String, at path: String, to text: String) throws(Errno) {
    let value = text.withoutNewline
    switch name {
    case "addr_method":
      guard ["PERIPHERAL", "FLAT", "LUN"].contains(value) else { throw .invalidArgument }
      tree.set(path, DeviceTable.content(value, isKey: value != "PERIPHERAL"))
    case "black_hole":
      guard ["0", "1", "2", "3", "4"].contains(value) else { throw .invalidArgument }
      tree.set(path, DeviceTable.content(value, isKey: value != "0"))
    case "io_grouping_type":
      if !["auto", "this_group_only", "never"].contains(value) {
        guard try kernelNumber(value) > 0 else { throw .invalidArgument }
      }
      try queued { kernel throws(Errno) in
        kernel.tree.set(path, DeviceTable.content(value, isKey: value != "auto"))
      }
    case "cpu_mask":
      guard let mask = UInt64(value, radix: 16) else { throw .invalidArgument }
      try queued { kernel throws(Errno) in
        kernel.tree.set(path, DeviceTable.content(String(mask, radix: 16), isKey: mask != 1))
      }
    default: throw .invalidArgument
    }
  }
}

extension String {
  /// The name as it stands in a directory.
  var replacingSlashes: String { String(map { $0 == "/" ? "!" : $0 }) }
}
