/// The identity of a logical unit that was given none.
public enum Identity {
  /// Sixteen hexadecimal digits made of the target's name and the LUN: the same on every node and with every
  /// implementation, and short enough for all of them (IET takes 16 bytes).
  ///
  /// FNV-1a of 64 bits, finished by the mixer of SplitMix64 so that neighbouring LUNs differ in all digits. Ten
  /// thousand logical units meet a collision with a chance of about 3 in 10^12.
  public static func derived(target: TargetName, lun: LUN) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in "\(target)\n\(lun)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    hash = (hash ^ (hash >> 30)) &* 0xbf58_476d_1ce4_e5b9
    hash = (hash ^ (hash >> 27)) &* 0x94d0_49bb_1331_11eb
    hash ^= hash >> 31
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
