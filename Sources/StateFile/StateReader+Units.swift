import HostInterface
import ReplicatedVolume
import TargetCore

extension StateReader {
  /// The logical units of a target.
  mutating func units(_ node: YAMLNode, _ subject: String) -> [LogicalUnit]? {
    guard let nodes = items(node, "luns of \(subject)") else { return nil }
    var lines: [LUN: Int] = [:]
    var units: [LogicalUnit] = []
    for (index, node) in nodes.enumerated() {
      guard let unit = unit(node, "entry \(index + 1) in luns of \(subject)", subject) else { continue }
      if let line = lines.updateValue(node.position.line, forKey: unit.lun) {
        problems.add(
          node.position, "lun \(unit.lun) of \(subject)",
          "is there twice, the other one begins in line \(line)",
          remedy: "give it another number")
      }
      units.append(unit)
    }
    return units
  }

  private mutating func unit(_ node: YAMLNode, _ place: String, _ subject: String) -> LogicalUnit? {
    guard let fields = fields(of: node, place, Keys.unit, required: ["lun"]) else { return nil }
    let number = fields["lun"].flatMap { integer($0, "lun of \(place)", 0...16383) }
    let place = number.map { "lun \($0) of \(subject)" } ?? place
    let backing = backing(fields, node, place)
    let initiators = fields["initiators"].flatMap { self.initiators($0, "initiators of \(place)") }
    let attributes = fields["attributes"].map { self.attributes($0, place) }
    var settings: [UnitField: String] = [:]
    for field in UnitField.allCases {
      if let value = fields[field.rawValue] { settings[field] = setting(field, value, place) }
    }

    guard let number, let backing, let lun = checked(node, { try LUN(number) }) else { return nil }
    var unit = LogicalUnit(lun: lun, backing: backing)
    for (field, value) in settings { unit[field] = value }
    unit.initiators = initiators
    unit.attributes = attributes ?? [:]
    return unit
  }

  /// Where the blocks are: at a path, or in a volume of a pool, whose path follows from its name.
  private mutating func backing(_ fields: [String: YAMLNode], _ unit: YAMLNode, _ place: String) -> Backing? {
    switch (fields["path"], fields["volume"]) {
    case (let path?, nil): return backing(path, "path of \(place)")
    case (nil, let volume?):
      let (locate, embedded) = (self.place, embedded)
      return text(volume, "volume of \(place)").flatMap { text in
        checked(volume) {
          let path = try VolumePath(text)
          return try Backing(
            path: embedded.contains(path.pool) ? PoolPlaces.usual.volume(path).string : locate(path))
        }
      }
    case (nil, nil):
      problems.add(unit.position, place, "has no path and no volume", remedy: "add one of them")
    case (_?, let volume?):
      problems.add(volume.position, place, "has a path and a volume", remedy: "remove one of them")
    }
    return nil
  }

  private mutating func backing(_ node: YAMLNode, _ what: String) -> Backing? {
    if node.isNull { return Backing.none }
    return text(node, what).flatMap { text in checked(node) { try Backing(path: text) } }
  }

  /// A setting in the form that ``LogicalUnit/subscript(_:)`` takes.
  private mutating func setting(_ field: UnitField, _ node: YAMLNode, _ place: String) -> String? {
    let what = "\(field.rawValue) of \(place)"
    switch field {
    case .readOnly, .thin, .removable, .online: return boolean(node, what).map(String.init)
    case .blockSize: return integer(node, what, 1...Int(UInt32.max)).map(String.init)
    case .deviceType: return choice(node, what, DeviceType.allCases.map(\.rawValue))
    case .cache: return choice(node, what, CacheMode.allCases.map(\.rawValue))
    case .store: return word(node, what)
    case .scsiID, .serial, .vendor, .product, .revision:
      guard let text = printable(node, what) else { return nil }
      guard Self.fits(text, field) else {
        let longest = Self.longest(field)
        problems.add(node.position, what, "has \(text.utf8.count) bytes, 1 to \(longest) are allowed")
        return nil
      }
      return text
    }
  }

  /// Whether a text can be the value of a field that holds text.
  static func fits(_ text: String, _ field: UnitField) -> Bool {
    field == .store ? isWord(text) : isPrintable(text) && (1...longest(field)).contains(text.utf8.count)
  }

  /// The longest text of a field in bytes: the widths of standard INQUIRY data (SPC-4 section 6.6.2), and what a
  /// page of vital product data has room for.
  private static func longest(_ field: UnitField) -> Int {
    switch field {
    case .vendor: 8
    case .product: 16
    case .revision: 4
    default: 252
    }
  }

  mutating func choice(_ node: YAMLNode, _ what: String, _ choices: [String]) -> String? {
    guard let word = text(node, what) else { return nil }
    guard choices.contains(word) else {
      problems.add(
        node.position, what, "cannot be \(ISCSIName.printable(word))",
        remedy: Keys.nearest(to: word, among: choices).map { "did you mean \($0)?" }
          ?? "use one of \(choices.joined(separator: ", "))")
      return nil
    }
    return word
  }
}
