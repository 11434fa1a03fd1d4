import SystemPackage

/// The text of a command, as SCST takes it apart: `scst_get_next_lexem` and `scst_get_next_token_str` of its
/// scst_sysfs.c.
struct CommandText {
  private var rest: Substring

  init(_ text: some StringProtocol) { rest = Substring(text) }

  /// The next word, empty at the end; blanks, newlines and `=` part words.
  mutating func word() -> String {
    rest = rest.drop { $0.isWhitespace || $0 == "=" }
    let word = rest.prefix { !$0.isWhitespace && $0 != "=" }
    rest = rest.dropFirst(word.count).dropFirst()
    return String(word)
  }

  /// Whether no word is left.
  var isAtEnd: Bool { rest.allSatisfy { $0.isWhitespace || $0 == "=" } }

  /// The next parameter, up to a semicolon or newline; nil at the end, and for an empty one, which ends all.
  mutating func parameter() throws(Errno) -> (name: String, value: String)? {
    let text = rest.prefix { $0 != ";" && $0 != "\n" }
    guard !text.isEmpty else { return nil }
    rest = rest.dropFirst(text.count).dropFirst()
    var words = CommandText(text)
    let name = words.word()
    guard !name.isEmpty else { return nil }
    let value = words.word()
    guard !value.isEmpty, words.isAtEnd else { throw .invalidArgument }
    return (name.lowercased(), value)
  }

  /// The next parameter with all its words behind its name.
  mutating func wordyParameter() -> (name: String, words: [String])? {
    let text = rest.prefix { $0 != ";" && $0 != "\n" }
    guard !text.isEmpty else { return nil }
    rest = rest.dropFirst(text.count).dropFirst()
    var words = CommandText(text)
    let name = words.word()
    var values: [String] = []
    while !words.isAtEnd { values.append(words.word()) }
    return name.isEmpty ? nil : (name, values)
  }
}

/// A number in C notation, as kstrtoull(9) with base 0 reads it: a newline at its end is passed over.
func kernelNumber(_ text: String) throws(Errno) -> UInt64 {
  var digits = text[...]
  if digits.hasSuffix("\n") { digits = digits.dropLast() }
  if digits.hasPrefix("+") { digits = digits.dropFirst() }
  var radix = 10
  if digits.lowercased().hasPrefix("0x") {
    radix = 16
    digits = digits.dropFirst(2)
  } else if digits.hasPrefix("0"), digits.count > 1 {
    radix = 8
    digits = digits.dropFirst()
  }
  guard !digits.isEmpty, digits.allSatisfy({ ($0.hexDigitValue ?? 99) < radix && $0.isASCII }) else {
    throw .invalidArgument
  }
  guard let number = UInt64(digits, radix: radix) else { throw .outOfRange }
  return number
}

/// The same for a number that may be negative.
func kernelSignedNumber(_ text: String) throws(Errno) -> Int64 {
  let negative = text.hasPrefix("-")
  let number = try kernelNumber(negative ? String(text.dropFirst()) : text)
  guard number <= UInt64(Int64.max) else { throw .outOfRange }
  return negative ? -Int64(number) : Int64(number)
}

extension String {
  /// The text before its first newline.
  var firstLine: String { String(prefix { $0 != "\n" }) }
  /// The text without the newline at its end, as far as one is there.
  var withoutNewline: String { hasSuffix("\n") ? String(dropLast()) : self }
}
