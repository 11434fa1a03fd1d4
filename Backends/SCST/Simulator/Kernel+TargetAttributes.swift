import SystemPackage

extension Kernel {
  static let help = "(help text omitted)"

  mutating func setTargetAttribute(_ name: String, of target: String, to text: String) throws(Errno) {
    let path = "\(target)/\(name)"
    let value = text.withoutNewline
    if let parameter = DaemonParameter.all[name] {
      guard !value.contains(where: \.isWhitespace), !value.isEmpty else { throw .invalidArgument }
      let shown = try parameter.value(of: value)
      return tree.set(path, DaemonParameter.content(shown, isKey: shown != parameter.standard))
    }
    if name.hasPrefix("IncomingUser") || name.hasPrefix("OutgoingUser") {
      return try rewriteAccount(at: path, to: text)
    }
    if name.hasPrefix("allowed_portal") { return tree.set(path, value + "\n[key]\n\n") }
    switch name {
    case "enabled": try setEnabled(text, at: path)
    case "rel_tgt_id":
      try queued { kernel throws(Errno) in
        try kernel.setRelativeID(value, of: target)
      }
    case "alias":
      let shown = String(decoding: value.utf8.prefix(511), as: UTF8.self)
      tree.set(path, value.isEmpty ? "\n" : shown + (value.utf8.count > 511 ? "\n" : "\n[key]\n\n"))
    case "comment": setComment(value, at: path)
    case "per_portal_acl":
      guard value == "0" || value == "1" else { throw .invalidArgument }
      tree.set(path, value + (value == "1" ? "\n[key]\n\n" : "\n\n"))
    case "redirect": try setRedirection(value, at: path)
    case "aen_disabled", "forward_src", "forward_dst", "forwarding":
      guard value == "0" || value == "1" else { throw .invalidArgument }
      let names = name == "forward_dst" || name == "forwarding" ? ["forward_dst", "forwarding"] : [name]
      for name in names {
        tree.set("\(target)/\(name)", DeviceTable.content(value, isKey: value == "1"))
      }
    default: try setAccessAttribute(name, at: path, to: text)
    }
  }

  /// A comment of more than a page is cut to what a page holds.
  private mutating func setComment(_ value: String, at path: String) {
    tree.set(
      path, value.isEmpty ? "" : String(decoding: (value + "\n[key]\n").utf8.prefix(4095), as: UTF8.self))
  }

  private mutating func setRedirection(_ value: String, at path: String) throws(Errno) {
    let words = value.split(separator: " ")
    guard !words.isEmpty else { return tree.set(path, "\n") }
    let host = words[0].split(separator: ":").first ?? ""
    let isAddress = host.split(separator: ".").count == 4 && host.allSatisfy { $0.isNumber || $0 == "." }
    guard words.count == 2, isAddress, ["temp", "perm"].contains(words[1]) else { throw .invalidArgument }
    tree.set(path, value + "\n[key]\n\n")
  }

  /// Only the first byte counts.
  private mutating func setEnabled(_ text: String, at path: String) throws(Errno) {
    guard let first = text.first, first == "0" || first == "1" else { throw .invalidArgument }
    try queued { kernel throws(Errno) in
      let target = String(path.dropLast("/enabled".count))
      if first == "1", kernel.tree.line(path) == "0" {
        let id = kernel.relativeID(of: target)
        if id == 0 {
          let taken = kernel.takenRelativeIDs(except: target)
          let free = (1...65535).first { !taken.contains($0) } ?? 1
          kernel.tree.set(target + "/rel_tgt_id", DeviceTable.content(String(free), isKey: true))
        } else if kernel.takenRelativeIDs(except: target).contains(id) {
          throw .init(rawValue: 57)
        }
      }
      kernel.tree.set(path, "\(first)\n")
    }
  }

  private func relativeID(of target: String) -> Int {
    tree.line(target + "/rel_tgt_id").flatMap { Int($0) } ?? 0
  }

  /// The ids of the other targets that are enabled.
  private func takenRelativeIDs(except target: String) -> Set<Int> {
    let others = tree.directories(in: Self.driver).map { "\(Self.driver)/\($0)" }.filter {
      $0 != target && tree.line($0 + "/enabled") == "1"
    }
    return Set(others.map(relativeID))
  }

  private mutating func setRelativeID(_ value: String, of target: String) throws(Errno) {
    let number = try kernelNumber(value)
    guard number <= 65535 else { throw .invalidArgument }
    let id = Int(number)
    if tree.line(target + "/enabled") == "1", id != relativeID(of: target) {
      // EBADSLT: the number is not one of its own.
      guard id != 0, !takenRelativeIDs(except: target).contains(id) else { throw .init(rawValue: 57) }
    }
    tree.set(target + "/rel_tgt_id", DeviceTable.content(String(id), isKey: id != 0))
  }

  // MARK: The driver

  mutating func setDriverAttribute(_ name: String, to text: String) throws(Errno) {
    let path = "\(Self.driver)/\(name)"
    let value = text.withoutNewline
    if name.hasPrefix("IncomingUser") || name.hasPrefix("OutgoingUser") {
      return try rewriteAccount(at: path, to: text)
    }
    switch name {
    case "enabled":
      guard value == "0" || value == "1" else { throw .invalidArgument }
      tree.set(path, value + "\n\n")
    case "link_local":
      guard value == "0" || value == "1" else { throw .invalidArgument }
      tree.set(path, value + (value == "0" ? "\n[key]\n\n" : "\n\n"))
    case "internal_portal", "iSNSServer":
      var words = value.split { $0 == " " || $0 == "," }
      if name == "iSNSServer", words.count == 2, words[1].lowercased() == "accesscontrol" {
        words.removeLast()
      }
      guard words.allSatisfy(Self.isAddress), name == "internal_portal" || words.count < 2 else {
        throw .invalidArgument
      }
      tree.set(path, value + (value.isEmpty ? "\n\n" : "\n[key]\n\n"))
    case "isns_entity_name": tree.set(path, value + (value.isEmpty ? "\n" : "\n[key]\n\n"))
    case "trace_level": try Self.checkTrace(text)
    default: throw .invalidArgument
    }
  }

  private static func isAddress(_ text: Substring) -> Bool {
    if text.contains(":") { return text.allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." } }
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
  }

  /// What may be told to a `trace_level`; which levels there are is not modelled.
  static func checkTrace(_ text: String) throws(Errno) {
    var command = CommandText(text)
    switch command.word().lowercased() {
    case "default", "all", "none", "null": break
    case "add", "del", "value": guard !command.isAtEnd else { throw .invalidArgument }
    default: throw .invalidArgument
    }
  }

  /// The daemon begins: it has no targets, and its driver is off.
  mutating func startDaemon() {
    daemonRuns = true
    tree.set(Self.driver + "/open_state", "open\n")
    for (name, content) in [
      ("enabled", "0\n\n"), ("iSNSServer", "\n\n"), ("internal_portal", "\n\n"), ("isns_entity_name", "\n"),
      ("link_local", "1\n\n"),
    ] {
      tree.putFile("\(Self.driver)/\(name)", content)
    }
  }

  /// The daemon ends, and everything of its targets with it.
  mutating func endDaemon() {
    daemonRuns = false
    for session in sessions { end(session) }
    for name in tree.directories(in: Self.driver) { removeTarget("\(Self.driver)/\(name)") }
    for name in tree.names(in: Self.driver) {
      if ["mgmt", "open_state", "trace_level", "version"].contains(name) { continue }
      tree.remove("\(Self.driver)/\(name)")
    }
    tree.set(Self.driver + "/open_state", "closed\n")
  }
}
