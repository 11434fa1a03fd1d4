import TargetBackendTesting

/// Texts that were good once, changed in a few places.
enum Fuzz {
  private static let pieces: [String] = [
    "\n", "\t", " ", "\"", "\\", "#", "{", "}", "=", ";", "/", "\r", "\u{0}", "é", "-1",
    "18446744073709551616", "0x",
    "[key]", "LUN ", "DEVICE ", "GROUP ", "filename", "*", ",", ":", "read_only=1",
  ]

  static func mutated(_ text: String, _ generator: inout SeededGenerator) -> String {
    String(decoding: generator.damaged(text, with: pieces), as: UTF8.self)
  }
}
