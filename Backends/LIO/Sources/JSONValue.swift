import HostInterface

/// A value of JSON (RFC 8259); small, so that nothing that links the backend needs Foundation for it.
enum JSONValue: Hashable {
  case null
  case truth(Bool)
  /// A number as it is written.
  case number(String)
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
    case .text(let text), .number(let text): text
    case .truth(let isTrue): isTrue ? "1" : "0"
    default: nil
    }
  }

  var number: Int? { plain.flatMap { Int($0) } }
  var isTrue: Bool { self == .truth(true) || self == .number("1") || self == .text("1") }

  /// What configfs told: a number where it is one.
  init(plain text: String) { self = Int64(text).map { .number(String($0)) } ?? .text(text) }

  init(_ number: some BinaryInteger) { self = .number(String(number)) }

  // MARK: Writing

  /// The value with indentation and sorted keys, as targetctl writes it.
  func written(indent: String = "") -> String {
    let inner = indent + "  "
    switch self {
    case .null: return "null"
    case .truth(let isTrue): return isTrue ? "true" : "false"
    case .number(let text): return text
    case .text(let text): return Self.quoted(text)
    case .list(let values):
      if values.isEmpty { return "[]" }
      let lines = values.map { inner + $0.written(indent: inner) }
      return "[\n" + lines.joined(separator: ",\n") + "\n\(indent)]"
    case .object(let members):
      if members.isEmpty { return "{}" }
      let lines = members.sorted { $0.key < $1.key }.map { key, value in
        "\(inner)\(Self.quoted(key)): \(value.written(indent: inner))"
      }
      return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
    }
  }

  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\t": quoted += "\\t"
      default:
        if scalar.value < 0x20 {
          let digits = String(scalar.value, radix: 16)
          quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        } else {
          quoted.unicodeScalars.append(scalar)
        }
      }
    }
    return quoted + "\""
  }
}
