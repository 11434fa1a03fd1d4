import Glibc

/// SplitMix64: the same numbers from the same seed, everywhere.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// A generator of a seed.
  public init(seed: UInt64) { state = seed }

  /// The generator of the seed in the variable SEED, or always the same.
  public static var chosen: SeededGenerator {
    SeededGenerator(seed: getenv("SEED").flatMap { UInt64(String(cString: $0)) } ?? 20_111_205)
  }

  /// How many rounds a fuzz test goes: a few, times the variable FACTOR.
  public static func rounds(_ few: Int) -> Int {
    few * max(1, min(getenv("FACTOR").flatMap { Int(String(cString: $0)) } ?? 1, 1_000_000))
  }

  /// The next number.
  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}

extension SeededGenerator {
  /// A text that was good, changed in one to six places: bytes go, come twice, come new, or words of a list come.
  public mutating func damaged(_ text: String, with words: [String]) -> [UInt8] {
    var bytes = Array(text.utf8)
    for _ in 0..<Int.random(in: 1...6, using: &self) {
      let start = Int.random(in: 0...bytes.count, using: &self)
      let end = min(bytes.count, start + Int.random(in: 0...12, using: &self))
      switch Int.random(in: 0..<4, using: &self) {
      case 0: bytes.removeSubrange(start..<end)
      case 1: bytes.insert(contentsOf: bytes[start..<end], at: Int.random(in: 0...bytes.count, using: &self))
      case 2: bytes.insert(UInt8.random(in: 0...255, using: &self), at: start)
      default: bytes.insert(contentsOf: (words.randomElement(using: &self) ?? "").utf8, at: start)
      }
    }
    return bytes
  }
}
