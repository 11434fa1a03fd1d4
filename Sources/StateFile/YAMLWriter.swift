import TargetCore

/// Writes YAML in block style, a line at a time.
struct YAMLWriter {
  private(set) var text = ""
  private var indent = ""
  private var bullet = false

  /// Lines one level deeper.
  mutating func nested(_ body: (inout YAMLWriter) -> Void) {
    indent += "  "
    body(&self)
    indent.removeLast(2)
  }

  /// An item of a list whose own lines stand in `body`, at least one.
  mutating func item(_ body: (inout YAMLWriter) -> Void) {
    bullet = true
    nested(body)
    bullet = false
  }

  /// A key with a scalar.
  mutating func pair(_ key: String, _ value: String) { line("\(Self.scalar(key)): \(Self.scalar(value))") }

  /// A key with what is YAML already: a number, a boolean, a flow list; or nothing, when lines follow below it.
  mutating func pair(_ key: String, verbatim value: String) {
    line("\(Self.scalar(key)):" + (value.isEmpty ? "" : " " + value))
  }

  /// An item of a list that is a scalar.
  mutating func item(_ value: String) { line("- " + Self.scalar(value)) }

  /// A comment of one line; what could end it is escaped.
  mutating func comment(_ comment: String) {
    // A comment may not stand between the bullet of an item and its first key.
    text +=
      (bullet ? String(indent.dropLast(2)) : indent) + "# " + ISCSIName.printable(comment, limit: 500) + "\n"
  }

  private mutating func line(_ line: String) {
    text += (bullet ? indent.dropLast(2) + "- " : indent) + line + "\n"
    bullet = false
  }

  /// A scalar that every reader takes for this text: plain where it can be, else in double quotes.
  static func scalar(_ text: String) -> String {
    isPlain(text) ? text : quoted(text)
  }

  private static let words: Set<String> = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"]

  private static func isPlain(_ text: String) -> Bool {
    guard let first = text.utf8.first, isLetter(first) || first == UInt8(ascii: "/") else { return false }
    return !words.contains(text.asciiLowercased) && text.utf8.last != UInt8(ascii: ":")
      && text.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) || "/._-:".utf8.contains($0) }
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
  }

  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": quoted += "\\" + String(scalar)
      case " "..."~": quoted.unicodeScalars.append(scalar)
      default:
        let digits = String(scalar.value, radix: 16)
        quoted += "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
      }
    }
    return quoted + "\""
  }
}
