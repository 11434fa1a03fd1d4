import FoundationEssentials
import HostInterface

/// A value of JSON (RFC 8259).
enum JSONValue: Hashable, Codable {
  case null
  case truth(Bool)
  case number(Int64)
  case fraction(Double)
  case text(String)
  case list([JSONValue])
  case object([String: JSONValue])

  subscript(key: String) -> JSONValue? {
    if case .object(let members) = self { members[key] } else { nil }
  }

  var list: [JSONValue] { if case .list(let values) = self { values } else { [] } }
  var members: [String: JSONValue] { if case .object(let members) = self { members } else { [:] } }
  var text: String? { if case .text(let text) = self { text } else { nil } }

  /// A text, a number, or a truth value as 1 or 0, as configfs takes them.
  var plain: String? {
    switch self {
    case .text(let text): text
    case .number(let number): String(number)
    case .fraction(let number): String(number)
    case .truth(let isTrue): isTrue ? "1" : "0"
    default: nil
    }
  }

  var number: Int? { plain.flatMap { Int($0) } }
  var isTrue: Bool { self == .truth(true) || self == .number(1) || self == .text("1") }

  /// What configfs told: a number where it is one.
  init(plain text: String) { self = Int64(text).map { .number($0) } ?? .text(text) }

  init(_ number: some BinaryInteger) { self = .number(Int64(clamping: number)) }

  // MARK: Text

  /// Reads a JSON text.
  ///
  /// - Throws: ``HostInterface/Failure`` with code `invalid`.
  init(parsing text: String, as name: String) throws {
    do {
      self = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
    } catch {
      var reason = "\(error)"
      if case DecodingError.dataCorrupted(let context) = error {
        reason = context.underlyingError.map { "\($0)" } ?? context.debugDescription
      }
      throw Failure(.invalid, name, "is no JSON", answer: reason, remedy: "see whether it is whole")
    }
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let isTrue = try? container.decode(Bool.self) {
      self = .truth(isTrue)
    } else if let number = try? container.decode(Int64.self) {
      self = .number(number)
    } else if let number = try? container.decode(Double.self) {
      self = .fraction(number)
    } else if let text = try? container.decode(String.self) {
      self = .text(text)
    } else if let values = try? container.decode([JSONValue].self) {
      self = .list(values)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .truth(let isTrue): try container.encode(isTrue)
    case .number(let number): try container.encode(number)
    case .fraction(let number): try container.encode(number)
    case .text(let text): try container.encode(text)
    case .list(let values): try container.encode(values)
    case .object(let members): try container.encode(members)
    }
  }

  /// The value with indentation and sorted keys, as targetctl writes it.
  func written() -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    // Only a number that is not finite cannot be encoded, and JSON gives none.
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }
}
