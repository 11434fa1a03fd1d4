/// The identity of a logical unit that was given none.
public enum Identity {
  /// Sixteen hexadecimal digits made of the target's name and the LUN: the same on every node and with every
  /// implementation, and short enough for all of them (IET takes 16 bytes).
  ///
  /// FNV-1a of 64 bits, finished by the mixer of SplitMix64 so that neighbouring LUNs differ in all digits. Ten
  /// thousand logical units meet a collision with a chance of about 3 in 10^12.
  public static func derived(target: TargetName, lun: LUN) -> String {
    let number = finished("\(lun)".utf8.reduce(start(of: target)) { $0.continued(with: $1) })
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// The logical units of a target whose derived identity is among these.
  ///
  /// - Returns: The identities by LUN.
  public static func luns(
    of target: TargetName, in range: ClosedRange<Int>, derivedAs identities: some Sequence<String>
  ) -> [LUN: String] {
    var wanted: [UInt64: String] = [:]
    for identity in identities where identity.utf8.count == 16 {
      if let number = UInt64(identity, radix: 16) { wanted[number] = identity }
    }
    var found: [LUN: String] = [:]
    guard !wanted.isEmpty, range.lowerBound >= 0 else { return found }
    // The hash of a number goes on from that of the number without its last digit.
    var hashes: [UInt64] = []
    let start = start(of: target)
    for number in 0...range.upperBound {
      let before = number < 10 ? start : hashes[number / 10]
      hashes.append(before.continued(with: UInt8(ascii: "0") + UInt8(number % 10)))
      guard let identity = wanted[finished(hashes[number])], range.contains(number) else { continue }
      if let lun = try? LUN(number) { found[lun] = identity }
    }
    return found
  }

  private static func start(of target: TargetName) -> UInt64 {
    "\(target)\n".utf8.reduce(0xcbf2_9ce4_8422_2325) { $0.continued(with: $1) }
  }

  private static func finished(_ hash: UInt64) -> UInt64 {
    var hash = hash
    hash = (hash ^ (hash >> 30)) &* 0xbf58_476d_1ce4_e5b9
    hash = (hash ^ (hash >> 27)) &* 0x94d0_49bb_1331_11eb
    return hash ^ (hash >> 31)
  }
}

extension UInt64 {
  fileprivate func continued(with byte: UInt8) -> UInt64 { (self ^ UInt64(byte)) &* 0x100_0000_01b3 }
}
