/// What C's library makes of texts, as far as tgt uses it.
enum CText {
  /// strtoul(3) and strtoull(3): the number at the start, and what follows it; nil when there is no number.
  ///
  /// A number that is too large is the largest, a negative one is taken from 2^64.
  static func number(_ text: some StringProtocol, base: Int = 0) -> (value: UInt64, rest: Substring)? {
    var rest = Substring(text).drop { " \t\n\r\u{0b}\u{0c}".contains($0) }
    var isNegative = false
    if let sign = rest.first, sign == "-" || sign == "+" {
      isNegative = sign == "-"
      rest.removeFirst()
    }
    var radix = base == 0 ? 10 : base
    if base == 0, rest.hasPrefix("0") {
      let digits = rest.dropFirst(2)
      let isHexadecimal = rest.dropFirst().first.map { $0 == "x" || $0 == "X" } == true
      if isHexadecimal, digits.first.map({ $0.isASCII && $0.isHexDigit }) == true {
        radix = 16
        rest = digits
      } else {
        radix = 8
      }
    }
    let digits = rest.prefix { $0.isASCII && $0.hexDigitValue.map { $0 < radix } == true }
    guard !digits.isEmpty else { return nil }
    guard let value = UInt64(digits, radix: radix) else { return (.max, rest[digits.endIndex...]) }
    return (isNegative ? 0 &- value : value, rest[digits.endIndex...])
  }

  /// atoi(3), and strtol(3) cut to an int.
  static func integer(_ text: some StringProtocol, base: Int = 10) -> Int32 {
    guard let (value, _) = number(text, base: base) else { return 0 }
    let isNegative = text.drop { " \t\n".contains($0) }.first == "-"
    if isNegative { return Int32(truncatingIfNeeded: value > 1 << 63 ? value : 1 << 63) }
    return Int32(truncatingIfNeeded: min(value, UInt64(Int64.max)))
  }

  /// What strncpy(3) or snprintf(3) leave of a text in a field.
  ///
  /// - Parameter bytes: The room without the NUL.
  static func cut(_ text: String, to bytes: Int) -> String {
    String(decoding: text.utf8.prefix(bytes), as: UTF8.self)
  }

  /// The text behind the first occurrence of another, as after strstr(3).
  static func after(_ key: String, in text: String) -> String? {
    let bytes = Array(text.utf8)
    let wanted = Array(key.utf8)
    guard bytes.count >= wanted.count else { return nil }
    let start = (0...bytes.count - wanted.count).first { bytes[$0..<$0 + wanted.count].elementsEqual(wanted) }
    return start.map { String(decoding: bytes[($0 + wanted.count)...], as: UTF8.self) }
  }

  /// A number right-aligned as `%Nd` does.
  static func padded(_ number: some BinaryInteger, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: " ", count: max(0, width - digits.count)) + digits
  }
}
