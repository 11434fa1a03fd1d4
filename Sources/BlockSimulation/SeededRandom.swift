/// Random numbers that follow from a seed (SplitMix64, by Sebastiano Vigna): one seed is one run.
package struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  /// Numbers of this seed.
  package init(seed: UInt64) { state = seed }

  /// The next number.
  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// Whether something that happens once in so many times happens now.
  package mutating func oneIn(_ times: Int) -> Bool {
    times > 0 && Int.random(in: 0..<times, using: &self) == 0
  }
}
