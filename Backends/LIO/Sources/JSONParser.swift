import HostInterface

extension JSONValue {
  /// Reads a JSON text.
  ///
  /// - Throws: ``HostInterface/Failure`` with code `invalid` that names the line.
  init(parsing text: String, as name: String) throws {
    var parser = JSONParser(bytes: Array(text.utf8), name: name)
    self = try parser.value(depth: 0)
    try parser.end()
  }
}

private struct JSONParser {
  let bytes: [UInt8]
  let name: String
  var place = 0

  /// Deeper than any configuration; a text of brackets alone must not use up the stack.
  private static let deepest = 64

  private func fault(_ problem: String) -> Failure {
    let line = bytes.prefix(place).count { $0 == UInt8(ascii: "\n") } + 1
    return Failure(.invalid, "\(name) line \(line)", problem, remedy: "see whether it is JSON, and whole")
  }

  private mutating func skip() {
    while place < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[place]) { place += 1 }
  }

  /// The next byte that is no blank; nil at the end.
  private mutating func next() -> UInt8? {
    skip()
    return place < bytes.count ? bytes[place] : nil
  }

  mutating func end() throws {
    if next() != nil { throw fault("has something behind its value") }
  }

  mutating func value(depth: Int) throws -> JSONValue {
    guard depth < Self.deepest else { throw fault("is nested too deep, at most \(Self.deepest) are allowed") }
    switch next() {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try list(depth: depth)
    case UInt8(ascii: "\""): return .text(try string())
    case UInt8(ascii: "t"): return try word("true", .truth(true))
    case UInt8(ascii: "f"): return try word("false", .truth(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case let byte? where byte == UInt8(ascii: "-") || (0x30...0x39).contains(byte): return try number()
    case nil: throw fault("ends where a value should be")
    default: throw fault("has something that is no value")
    }
  }

  private mutating func word(_ word: String, _ value: JSONValue) throws -> JSONValue {
    guard bytes[place...].starts(with: word.utf8) else { throw fault("has something that is no value") }
    place += word.utf8.count
    return value
  }

  private mutating func number() throws -> JSONValue {
    let start = place
    let parts = Set("+-.eE0123456789".utf8)
    while place < bytes.count, parts.contains(bytes[place]) { place += 1 }
    let text = String(decoding: bytes[start..<place], as: UTF8.self)
    guard Double(text) != nil else { throw fault("has a number that is none (\(text.prefix(40)))") }
    return .number(text)
  }

  private mutating func list(depth: Int) throws -> JSONValue {
    place += 1
    var values: [JSONValue] = []
    if next() == UInt8(ascii: "]") {
      place += 1
      return .list([])
    }
    while true {
      values.append(try value(depth: depth + 1))
      if try isLast(UInt8(ascii: "]")) { return .list(values) }
    }
  }

  private mutating func object(depth: Int) throws -> JSONValue {
    place += 1
    var members: [String: JSONValue] = [:]
    if next() == UInt8(ascii: "}") {
      place += 1
      return .object([:])
    }
    while true {
      guard next() == UInt8(ascii: "\"") else { throw fault("has no name where one should be") }
      let key = try string()
      // What stands in the place of a name may be a secret.
      guard next() == UInt8(ascii: ":") else { throw fault("has no colon behind a name") }
      place += 1
      guard members.updateValue(try value(depth: depth + 1), forKey: key) == nil else {
        throw fault("has a name twice")
      }
      if try isLast(UInt8(ascii: "}")) { return .object(members) }
    }
  }

  /// Whether the list or object ends here; else there is a comma.
  private mutating func isLast(_ close: UInt8) throws -> Bool {
    switch next() {
    case close:
      place += 1
      return true
    case UInt8(ascii: ","):
      place += 1
      return false
    default: throw fault("has no comma between two values")
    }
  }

  private mutating func string() throws -> String {
    place += 1
    var text: [UInt8] = []
    while place < bytes.count {
      let byte = bytes[place]
      place += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let whole = String(validating: text, as: UTF8.self) else { throw fault("is no UTF-8") }
        return whole
      case UInt8(ascii: "\\"): text += try escaped()
      case 0..<0x20: throw fault("has a control character in a text")
      default: text.append(byte)
      }
    }
    throw fault("ends inside a text")
  }

  private mutating func escaped() throws -> [UInt8] {
    guard place < bytes.count else { throw fault("ends inside a text") }
    let byte = bytes[place]
    place += 1
    switch byte {
    case UInt8(ascii: "n"): return [0x0a]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "r"): return [0x0d]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0c]
    case UInt8(ascii: "u"): return Array(String(Character(try scalar())).utf8)
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    default: throw fault("has an escape that there is not")
    }
  }

  private mutating func scalar() throws -> Unicode.Scalar {
    let high = try unit()
    if (0xd800..<0xdc00).contains(high), bytes[place...].starts(with: [0x5c, UInt8(ascii: "u")]) {
      place += 2
      let low = try unit()
      guard (0xdc00..<0xe000).contains(low) else { throw fault("has half a character") }
      return Unicode.Scalar(0x10000 + (high - 0xd800) << 10 + (low - 0xdc00)) ?? "?"
    }
    guard let scalar = Unicode.Scalar(high) else { throw fault("has half a character") }
    return scalar
  }

  private mutating func unit() throws -> UInt32 {
    guard place + 4 <= bytes.count,
      let number = UInt32(String(decoding: bytes[place..<place + 4], as: UTF8.self), radix: 16)
    else { throw fault("has an escape without four digits") }
    place += 4
    return number
  }
}
