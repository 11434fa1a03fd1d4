/// A resource as a file in /etc/drbd.d describes it, as far as the grammar of drbd.conf(5) is needed.
struct ConfiguredResource: Sendable, Hashable {
  struct Volume: Sendable, Hashable {
    var number: UInt16 = 0
    var device = ""
    var minor: UInt32?
    var disk = ""
    var metadata = ""
    var index: String?
    var options: [Option] = []
  }

  struct Host: Sendable, Hashable {
    var name: String
    var family = "ipv4"
    var address = ""
    var port = ""
    var volumes: [Volume] = []
  }

  struct Option: Sendable, Hashable {
    var name: String
    var value: String?
  }

  struct Section: Sendable, Hashable {
    var name: String
    var options: [Option]
  }

  var name: String
  /// The file that it is in, and the line.
  var place = ""
  var hosts: [Host] = []
  var sections: [Section] = []

  func host(_ name: String) -> Host? { hosts.first { $0.name == name } }

  /// The options of a section by name.
  func options(_ section: String) -> [String: String] {
    let all = sections.filter { $0.name == section }.flatMap(\.options).map { ($0.name, $0.value ?? "yes") }
    return Dictionary(all, uniquingKeysWith: { $1 })
  }
}

/// What drbdadm says of a file that it does not understand.
struct GrammarError: Error {
  var text: String
}

/// Reads a file of resources.
///
/// Source: drbd.conf(5) of drbd-utils 9.22, drbdadm_scanner.fl. A statement ends with `;`, a section has `{` and `}`.
/// What the volumes of all hosts have alike may stand once, outside of the hosts.
struct ResourceFileReader {
  private var words: [(text: String, line: Int)] = []
  private var position = 0
  private let file: String
  /// 8.4 knows no `node-id`, and has `fencing` among the disk options (drbdadm_parser.c).
  private let isEight: Bool

  static func read(_ text: String, file: String, isEight: Bool) throws(GrammarError) -> [ConfiguredResource] {
    var reader = ResourceFileReader(text, file: file, isEight: isEight)
    var found: [ConfiguredResource] = []
    while let word = reader.next() {
      guard word == "resource", let name = reader.next() else { throw reader.wrong("resource", word) }
      found.append(try reader.resource(name))
    }
    return found
  }

  private init(_ text: String, file: String, isEight: Bool) {
    (self.file, self.isEight) = (file, isEight)
    var word = ""
    var line = 1
    var quoted = false
    var comment = false
    var escaped = false
    func isSpecial(_ character: Character) -> Bool { "{};[]".contains(character) }
    for character in text {
      defer { if character == "\n" { line += 1 } }
      if comment {
        comment = character != "\n"
      } else if escaped {
        word.append(character)
        escaped = false
      } else if quoted {
        if character == "\\" {
          escaped = true
        } else if character == "\"" {
          quoted = false
          words.append((word, line))
          word = ""
        } else {
          word.append(character)
        }
      } else if character == "\"" {
        quoted = true
      } else if character == "#" {
        comment = true
      } else if character.isWhitespace || isSpecial(character) {
        // An address has its port behind a bracket: `[fd00::1]:7788`.
        if !word.isEmpty || (isSpecial(character) && character != "[" && character != "]") {
          if !word.isEmpty { words.append((word, line)) }
          word = ""
        }
        if isSpecial(character) { words.append((String(character), line)) }
      } else {
        word.append(character)
      }
    }
    if !word.isEmpty { words.append((word, line)) }
  }

  private mutating func next() -> String? {
    guard position < words.count else { return nil }
    defer { position += 1 }
    return words[position].text
  }

  private func wrong(_ wanted: String, _ got: String?) -> GrammarError {
    let line = position > 0 && position <= words.count ? words[position - 1].line : 1
    return GrammarError(
      text: "\(file):\(line): Parse error: '\(wanted)' expected,\n\tbut got '\(got ?? "end of file")'\n")
  }

  private mutating func expect(_ text: String) throws(GrammarError) {
    let word = next()
    guard word == text else { throw wrong(text, word) }
  }

  /// The words up to the next `;`.
  private mutating func statement() throws(GrammarError) -> [String] {
    var found: [String] = []
    while let word = next() {
      if word == ";" { return found }
      guard word != "{", word != "}" else { throw wrong(";", word) }
      found.append(word)
    }
    throw wrong(";", nil)
  }

  private mutating func resource(_ name: String) throws(GrammarError) -> ConfiguredResource {
    var found = ConfiguredResource(name: name)
    found.place = "\(file):\(words[position - 1].line)"
    var common = ConfiguredResource.Host(name: "")
    try expect("{")
    while let word = next(), word != "}" {
      if word == "on" {
        let host = ConfiguredResource.Host(name: next() ?? "")
        try expect("{")
        found.hosts.append(try self.host(host))
      } else if ["net", "disk", "options", "startup", "handlers", "proxy"].contains(word), peek() == "{" {
        _ = next()
        found.sections.append(ConfiguredResource.Section(name: word, options: try options(in: word)))
      } else {
        try line(word, into: &common)
      }
    }
    for index in found.hosts.indices {
      if found.hosts[index].volumes.isEmpty {
        found.hosts[index].volumes = common.volumes
      } else if let shared = common.volumes.first {
        for volume in found.hosts[index].volumes.indices {
          found.hosts[index].volumes[volume].inherit(shared)
        }
      }
    }
    return found
  }

  private func peek() -> String? { position < words.count ? words[position].text : nil }

  private mutating func options(in section: String) throws(GrammarError) -> [ConfiguredResource.Option] {
    var found: [ConfiguredResource.Option] = []
    while let word = next(), word != "}" {
      if isEight, section == "net", word == "fencing" {
        throw wrong("an option keyword", word)
      }
      let values = try statement()
      found.append(ConfiguredResource.Option(name: word, value: values.first))
    }
    return found
  }

  private mutating func host(_ start: ConfiguredResource.Host) throws(GrammarError)
    -> ConfiguredResource.Host
  {
    var host = start
    while let word = next(), word != "}" { try line(word, into: &host) }
    return host
  }

  /// One statement of a host, or of what all hosts have alike.
  private mutating func line(_ word: String, into host: inout ConfiguredResource.Host) throws(GrammarError) {
    switch word {
    case "address": try address(into: &host)
    case "node-id":
      if isEight { throw wrong("disk | device | address | ...", word) }
      _ = try statement()
    case "volume":
      var volume = ConfiguredResource.Volume(number: UInt16(next() ?? "") ?? 0)
      try expect("{")
      while let word = next(), word != "}" { try part(word, of: &volume) }
      host.volumes.append(volume)
    default:
      if host.volumes.isEmpty { host.volumes.append(ConfiguredResource.Volume()) }
      try part(word, of: &host.volumes[0])
    }
  }

  private mutating func address(into host: inout ConfiguredResource.Host) throws(GrammarError) {
    var parts = try statement()
    if let family = parts.first, ["ipv4", "ipv6"].contains(family) {
      host.family = family
      parts.removeFirst()
    }
    // `[` ADDRESS `]` `:PORT`, or ADDRESS:PORT.
    if parts.count == 4, parts[0] == "[" {
      (host.address, host.port) = (parts[1], String(parts[3].dropFirst()))
    } else if let colon = parts.first?.lastIndex(of: ":"), let text = parts.first {
      (host.address, host.port) = (String(text[..<colon]), String(text[text.index(after: colon)...]))
    }
  }

  private mutating func part(_ word: String, of volume: inout ConfiguredResource.Volume) throws(GrammarError)
  {
    if word == "disk", peek() == "{" {
      _ = next()
      volume.options += try options(in: "disk")
      return
    }
    let values = try statement()
    switch word {
    case "device":
      if let minor = values.lastIndex(of: "minor"), minor + 1 < values.count {
        volume.minor = UInt32(values[minor + 1])
      }
      volume.device = values.first == "minor" ? "" : values.first ?? ""
      if volume.minor == nil { volume.minor = UInt32(volume.device.drop { !$0.isNumber }) }
      if volume.device.isEmpty, let minor = volume.minor { volume.device = "/dev/drbd\(minor)" }
    case "disk": volume.disk = values.first ?? ""
    case "meta-disk", "flexible-meta-disk":
      volume.metadata = values.first ?? ""
      if values.count == 4, values[1] == "[" { volume.index = values[2] }
    default: throw wrong("disk | device | address | meta-disk | volume", word)
    }
  }
}

extension ConfiguredResource.Volume {
  /// Takes over what it does not say itself.
  fileprivate mutating func inherit(_ common: ConfiguredResource.Volume) {
    if device.isEmpty { (device, minor) = (common.device, common.minor) }
    if disk.isEmpty { disk = common.disk }
    if metadata.isEmpty { (metadata, index) = (common.metadata, common.index) }
  }
}

extension ConfiguredResource {
  /// What `drbdadm dump-xml` prints of it: options of single volumes are not in it (drbdadm_dump.c).
  var xml: String {
    var lines = ["<resource name=\"\(name)\" conf-file-line=\"\(place)\">"]
    for host in hosts {
      lines.append("    <host name=\"\(host.name)\">")
      for volume in host.volumes {
        lines.append("        <volume vnr=\"\(volume.number)\">")
        lines.append("            <device minor=\"\(volume.minor ?? 0)\">\(volume.device)</device>")
        lines.append("            <disk>\(volume.disk)</disk>")
        let index = volume.index.map { " index=\"\($0)\"" } ?? ""
        lines.append("            <meta-disk\(index)>\(volume.metadata)</meta-disk>")
        lines.append("        </volume>")
      }
      lines.append(
        "        <address family=\"\(host.family)\" port=\"\(host.port)\">\(host.address)</address>")
      lines.append("    </host>")
    }
    for section in sections {
      lines.append("    <section name=\"\(section.name)\">")
      for option in section.options {
        let value = option.value.map { " value=\"\(Self.escaped($0))\"" } ?? ""
        lines.append("        <option name=\"\(option.name)\"\(value)/>")
      }
      lines.append("    </section>")
    }
    return (lines + ["</resource>", ""]).joined(separator: "\n")
  }

  private static func escaped(_ text: String) -> String {
    let names: [Character: String] = [
      "<": "&lt;", ">": "&gt;", "&": "&amp;", "\"": "&quot;", "'": "&apos;",
    ]
    return text.map { names[$0] ?? String($0) }.joined()
  }
}
