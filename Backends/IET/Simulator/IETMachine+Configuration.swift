import Glibc

/// ietd.conf as ietd reads it (usr/plain.c): what it does not understand it passes over.
extension IETMachine {
  /// Makes what a configuration file says; targets first, then accounts, in two passes.
  mutating func load(_ text: [UInt8], look: (String) -> FoundBacking?) {
    var tid: UInt32 = 0
    for line in Self.lines(text) {
      guard let (key, rest) = AccessRules.word(line), key.first != UInt8(ascii: "#") else { continue }
      let word = String(decoding: key, as: UTF8.self)
      let value = String(decoding: rest, as: UTF8.self)
      if strcasecmp(word, "Target") == 0 {
        tid = 0
        guard let (name, _) = AccessRules.word(rest) else { continue }
        let text = String(decoding: name, as: UTF8.self)
        if (try? addTarget(0, text)) != nil { tid = daemon?.target(named: text)?.tid ?? 0 }
      } else if tid != 0 {
        takeSetting(word, value, rest, of: tid, look)
      }
    }
    loadAccounts(text)
  }

  private mutating func takeSetting(
    _ word: String, _ value: String, _ rest: ArraySlice<UInt8>, of tid: UInt32,
    _ look: (String) -> FoundBacking?
  ) {
    if strcasecmp(word, "MaxSessions") == 0 {
      if let index = daemon?.targets.firstIndex(where: { $0.tid == tid }) {
        daemon?.targets[index].sessionLimit = strtol(value, nil, 0)
      }
    } else if strcasecmp(word, "Lun") == 0 {
      let digits = value.drop { $0.isWhitespace }.prefix { $0.isNumber || $0 == "-" }
      let lun = UInt32(truncatingIfNeeded: strtol(String(digits), nil, 10))
      let parameters = value.drop { $0.isWhitespace }.dropFirst(digits.count)
      try? kernel.addVolume(tid, lun, Self.stripped(String(parameters)), version, look)
    } else if let index = SettingTable.index(word, in: SettingTable.target) {
      let number = UInt32(truncatingIfNeeded: strtol(value, nil, 0))
      try? kernel.setTargetValues(tid, [index: SettingTable.target[index].checked(number)])
    } else if let index = SettingTable.index(word, in: SettingTable.session),
      let (text, _) = AccessRules.word(rest),
      let number = SettingTable.session[index].value(String(decoding: text, as: UTF8.self))
    {
      try? kernel.setSessionValues(tid, [index: SettingTable.session[index].checked(number)])
    }
  }

  private mutating func loadAccounts(_ text: [UInt8]) {
    var tid: UInt32 = 0
    for line in Self.lines(text) {
      guard let (key, rest) = AccessRules.word(line), key.first != UInt8(ascii: "#") else { continue }
      let word = String(decoding: key, as: UTF8.self)
      guard let (first, more) = AccessRules.word(rest) else { continue }
      let name = String(decoding: first, as: UTF8.self)
      if strcasecmp(word, "Target") == 0 { tid = daemon?.target(named: name)?.tid ?? 0 }
      for direction in [Daemon.Direction.incoming, .outgoing] where strcasecmp(word, direction.rawValue) == 0
      {
        guard let (secret, _) = AccessRules.word(more) else { continue }
        daemon?.add(
          Daemon.Account(
            tid: tid, direction: direction, name: name, secret: String(decoding: secret, as: UTF8.self)))
      }
    }
  }

  /// The lines with their newlines; the last one may have none.
  private static func lines(_ text: [UInt8]) -> [ArraySlice<UInt8>] {
    var lines: [ArraySlice<UInt8>] = []
    var rest = text[...]
    while !rest.isEmpty {
      let part = rest.prefix(4095)
      let end = part.firstIndex(of: UInt8(ascii: "\n")).map { part.index(after: $0) } ?? part.endIndex
      lines.append(rest[..<end])
      rest = rest[end...]
    }
    return lines
  }

  /// Without the blanks around it.
  static func stripped(_ text: String) -> String {
    var bytes = Array(text.utf8)[...]
    while let first = bytes.first, AccessRules.isBlank(first) { bytes.removeFirst() }
    while let last = bytes.last, AccessRules.isBlank(last) { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }
}
