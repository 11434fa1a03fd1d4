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
