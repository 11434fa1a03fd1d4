import Glibc

/// SplitMix64: the same numbers from the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  /// Of the seed in SEED, or always the same.
  static var chosen: SeededGenerator {
    SeededGenerator(state: getenv("SEED").flatMap { UInt64(String(cString: $0)) } ?? 20_111_205)
  }

  /// How many rounds to go: those in COUNT, or a few.
  func rounds(_ few: Int) -> Int { getenv("COUNT").flatMap { Int(String(cString: $0)) } ?? few }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
