import HostInterface
import SystemPackage
import TargetCore

/// What a migration has begun: enough to finish it, and to put the source back.
struct MigrationRecord: Sendable, Hashable {
  /// What the source exported.
  var origin: [TargetSpec]
  /// What the destination is to export.
  var specs: [TargetSpec]
  /// The portals that the whole destination had before.
  var portalsThere: Set<Portal> = []
  /// Whether it stands in a file.
  var isBegun = false
}

/// The file that holds a record; a line a fact, and no secrets.
struct MigrationJournal: Sendable {
  let host: any Host
  let directory: FilePath
  let names: (source: String, destination: String)

  var path: FilePath { directory.appending("migration-\(names.source)-\(names.destination)") }

  /// The record of a run that was killed; nil where there is none.
  func load() throws -> MigrationRecord? {
    guard try host.status(path) != nil else { return nil }
    do {
      return try MigrationRecord(text: String(decoding: host.read(path), as: UTF8.self))
    } catch var failure as Failure where failure.code == .garbled {
      failure.subject = "\(path)"
      failure.remedy = "look at both implementations, and remove the file when they are as they should be"
      throw failure
    }
  }

  func store(_ record: MigrationRecord) throws {
    if try host.status(directory) == nil { try host.createDirectory(directory) }
    try host.replace(path, with: Array(record.text.utf8), mode: 0o600)
  }

  func clear() throws {
    if try host.status(path) != nil { try host.removeFile(path) }
  }
}

extension MigrationRecord {
  /// The record as lines of words with blanks between them.
  var text: String {
    var lines = ["quartet-migration 1"]
    for (kind, specs) in [("origin", origin), ("destination", specs)] {
      for spec in specs { lines += [[kind, spec.name.description].line] + spec.lines }
    }
    lines += portalsThere.sorted().map { ["there", $0.description].line }
    return (lines + ["end", ""]).joined(separator: "\n")
  }

  /// Reads a record.
  ///
  /// - Throws: ``Failure`` with code `garbled`.
  init(text: String) throws {
    var reader = MigrationRecordReader()
    let lines = text.split(separator: "\n", omittingEmptySubsequences: true)
    guard lines.first == "quartet-migration 1", lines.last == "end" else {
      throw Failure(.garbled, "migration", "the record is none of this version, or cut off")
    }
    for (number, line) in lines.enumerated().dropFirst().dropLast() {
      do { try reader.take(line) } catch {
        throw Failure(.garbled, "migration", "line \(number + 1) of the record cannot be read")
      }
    }
    self = reader.record
    isBegun = true
    guard origin.map(\.name) == specs.map(\.name) else {
      throw Failure(.garbled, "migration", "the record has different targets on its two sides")
    }
  }
}

/// Reads a record line by line.
private struct MigrationRecordReader {
  var record = MigrationRecord(origin: [], specs: [])
  private var isOrigin = true

  struct Unreadable: Error {}

  mutating func take(_ line: Substring) throws {
    let words = line.split(separator: " ", omittingEmptySubsequences: false).map { Self.plain($0) }
    guard let key = words.first else { throw Unreadable() }
    func word(_ index: Int) throws -> String {
      guard words.indices.contains(index) else { throw Unreadable() }
      return words[index]
    }
    switch key {
    case "origin", "destination":
      isOrigin = key == "origin"
      guard let name = TargetName(asFound: try word(1)) else { throw Unreadable() }
      if isOrigin {
        record.origin.append(TargetSpec(name: name))
      } else {
        record.specs.append(TargetSpec(name: name))
      }
    case "there": record.portalsThere.insert(try Portal(word(1)))
    default:
      if isOrigin { try record.origin.takeLast(key, word) } else { try record.specs.takeLast(key, word) }
    }
  }

  private static func plain(_ word: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = Array(word.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), rest.count >= 2,
        let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension [TargetSpec] {
  fileprivate mutating func takeLast(_ key: String, _ word: (Int) throws -> String) throws {
    guard !isEmpty else { throw MigrationRecordReader.Unreadable() }
    try self[count - 1].take(key, word)
  }
}

extension [String] {
  /// Words as a line: what is not plain ASCII, a blank or a percent sign stands as `%` and two digits.
  fileprivate var line: String {
    map { word in
      word.utf8.map { byte in
        byte > 0x20 && byte < 0x7f && byte != UInt8(ascii: "%")
          ? String(UnicodeScalar(byte)) : "%" + InitiatorView.digits(of: [byte])
      }.joined()
    }.joined(separator: " ")
  }
}

extension TargetSpec {
  fileprivate var lines: [String] {
    var lines: [String] = []
    if let id { lines.append(["id", String(id)].line) }
    if let enabled { lines.append(["enabled", String(enabled)].line) }
    if let portals { lines += [["portals"].line] + portals.map { ["portal", $0.description].line } }
    if let initiators {
      lines += [["initiators"].line] + initiators.map { ["initiator", $0.description].line }
    }
    for account in chap?.incoming ?? [] { lines.append(["incoming", account.user.description].line) }
    if let account = chap?.outgoing ?? nil { lines.append(["outgoing", account.user.description].line) }
    lines += parameters.sorted { $0.key < $1.key }.map { ["parameter", $0.key.rawValue, $0.value].line }
    lines += attributes.sorted { $0.key < $1.key }.map { ["attribute", $0.key, $0.value].line }
    return lines + (units ?? []).flatMap(\.lines)
  }

  fileprivate mutating func take(_ key: String, _ word: (Int) throws -> String) throws {
    let first = try (key == "portals" || key == "initiators") ? "" : word(1)
    if chap == nil { chap = CHAPSpec(incoming: [], outgoing: .some(nil)) }
    if units == nil { units = [] }
    switch key {
    case "id": id = UInt32(first)
    case "enabled": enabled = first == "true"
    case "portals": portals = []
    case "portal": portals = (portals ?? []) + [try Portal(first)]
    case "initiators": initiators = []
    case "initiator": initiators = (initiators ?? []) + [try Initiator(first)]
    case "incoming":
      let accounts = chap?.incoming ?? []
      chap?.incoming = accounts + [CHAPAccount(user: try CHAPUser(first))]
    case "outgoing": chap?.outgoing = .some(CHAPAccount(user: try CHAPUser(first)))
    case "parameter": parameters[try SessionParameter(named: first)] = try word(2)
    case "attribute": attributes[first] = try word(2)
    case "unit":
      let path = try word(2)
      let backing = path.isEmpty ? Backing.none : try Backing(path: path)
      units = (units ?? []) + [LogicalUnit(lun: try LUN(first), backing: backing)]
    default:
      guard var unit = units?.popLast() else { throw MigrationRecordReader.Unreadable() }
      try unit.take(key, first, word)
      units?.append(unit)
    }
  }
}

extension LogicalUnit {
  fileprivate var lines: [String] {
    var path = ""
    if case .path(let backing) = backing { path = backing }
    var lines = [["unit", lun.description, path].line]
    lines += UnitField.allCases.compactMap { field in self[field].map { ["field", field.rawValue, $0].line } }
    lines += attributes.sorted { $0.key < $1.key }.map { ["setting", $0.key, $0.value].line }
    if let initiators {
      lines += [["audience", "some"].line] + initiators.map { ["seenby", $0.description].line }
    }
    return lines
  }

  fileprivate mutating func take(_ key: String, _ first: String, _ word: (Int) throws -> String) throws {
    switch key {
    case "field":
      guard let field = UnitField(rawValue: first) else { throw MigrationRecordReader.Unreadable() }
      self[field] = try word(2)
    case "setting": attributes[first] = try word(2)
    case "audience": initiators = []
    case "seenby": initiators = (initiators ?? []) + [try Initiator(first)]
    default: throw MigrationRecordReader.Unreadable()
    }
  }
}
