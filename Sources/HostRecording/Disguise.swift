import HostInterface

/// What a transcript hides of a host: secrets, and paths that differ from machine to machine.
struct Disguise: Sendable {
  /// Bytes that become stars.
  var secrets: [[UInt8]]
  /// Placeholders such as `$SOCKET`, by the text that they stand for.
  var names: [String: String]

  /// The text with stars and placeholders.
  func hide(_ text: String) -> String { String(decoding: hide(Array(text.utf8)), as: UTF8.self) }

  func hide(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    // The longest first: one path may be the beginning of another.
    for (name, placeholder) in names.sorted(by: { $0.key.utf8.count > $1.key.utf8.count }) {
      bytes = replacing(Array(name.utf8), by: Array(placeholder.utf8), in: bytes)
    }
    return masked(bytes, hiding: secrets, keepingLength: true)
  }

  /// The bytes of a message whose lengths must stay true: stars, and no placeholders.
  func hideMessage(_ bytes: [UInt8]) -> [UInt8] { masked(bytes, hiding: secrets, keepingLength: true) }

  /// The text with what the placeholders stand for.
  func reveal(_ text: String) -> String { String(decoding: reveal(Array(text.utf8)), as: UTF8.self) }

  func reveal(_ bytes: [UInt8]) -> [UInt8] {
    names.sorted { $0.value.utf8.count > $1.value.utf8.count }.reduce(bytes) { bytes, name in
      replacing(Array(name.value.utf8), by: Array(name.key.utf8), in: bytes)
    }
  }

  private func replacing(_ old: [UInt8], by new: [UInt8], in bytes: [UInt8]) -> [UInt8] {
    guard !old.isEmpty, bytes.count >= old.count else { return bytes }
    var result: [UInt8] = []
    var rest = bytes[...]
    while let first = rest.first {
      if rest.starts(with: old) {
        result += new
        rest.removeFirst(old.count)
      } else {
        result.append(first)
        rest.removeFirst()
      }
    }
    return result
  }
}

/// Bytes as hexadecimal digits.
func hexadecimal(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

/// The bytes that hexadecimal digits stand for; nil where they are none.
func bytes(hexadecimal text: String) -> [UInt8]? {
  let digits = text.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue }
  guard digits.count.isMultiple(of: 2) else { return nil }
  var bytes: [UInt8] = []
  for index in stride(from: 0, to: digits.count, by: 2) {
    guard let high = digits[index], let low = digits[index + 1] else { return nil }
    bytes.append(UInt8(high * 16 + low))
  }
  return bytes
}
