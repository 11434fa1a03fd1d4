import Glibc

/// SplitMix64: the same numbers from the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  /// Of the seed in SEED, or always the same.
  static var chosen: SeededGenerator {
    SeededGenerator(state: getenv("SEED").flatMap { UInt64(String(cString: $0)) } ?? 20_111_205)
  }

  /// How many rounds to go: a few, times the variable FACTOR.
  func rounds(_ few: Int) -> Int {
    few * max(1, min(getenv("FACTOR").flatMap { Int(String(cString: $0)) } ?? 1, 1_000_000))
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}

/// Texts that were good once, changed in a few places.
enum Fuzz {
  private static let pieces: [String] = [
    "\n", "\t", " ", "\"", "\\", "#", "{", "}", "=", ";", "/", "\r", "\u{0}", "é", "-1",
    "18446744073709551616", "0x",
    "[key]", "LUN ", "DEVICE ", "GROUP ", "filename", "*", ",", ":", "read_only=1",
  ]

  static func mutated(_ text: String, _ generator: inout SeededGenerator) -> String {
    var bytes = Array(text.utf8)
    for _ in 0..<Int.random(in: 1...6, using: &generator) {
      let at = Int.random(in: 0...bytes.count, using: &generator)
      let until = min(bytes.count, at + Int.random(in: 0...12, using: &generator))
      switch Int.random(in: 0..<4, using: &generator) {
      case 0: bytes.removeSubrange(at..<until)
      case 1:
        bytes.insert(contentsOf: bytes[at..<until], at: Int.random(in: 0...bytes.count, using: &generator))
      case 2: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: at)
      default: bytes.insert(contentsOf: Array((pieces.randomElement(using: &generator) ?? "").utf8), at: at)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
