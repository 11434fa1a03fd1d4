import HostInterface

/// A logical unit number: 0 to 16383, what flat addressing of SAM-5 section 4.7.7.4 can say.
public struct LUN: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The number.
  public let number: UInt16

  /// Checks a number.
  ///
  /// - Throws: ``Failure`` with code `invalid` outside 0...16383.
  public init(_ number: Int) throws {
    guard (0...16383).contains(number) else {
      throw Failure(.invalid, "lun \(number)", "is out of range, 0 to 16383 are allowed")
    }
    self.number = UInt16(number)
  }

  /// Parses decimal digits.
  ///
  /// - Throws: ``Failure`` with code `invalid` for anything else.
  public init(_ text: String) throws {
    guard let number = Int(decimal: text) else {
      throw Failure(.invalid, "lun \(ISCSIName.printable(text))", "is no number, 0 to 16383 are allowed")
    }
    try self.init(number)
  }

  /// The number in decimal.
  public var description: String { String(number) }

  /// Orders by the number.
  public static func < (left: LUN, right: LUN) -> Bool { left.number < right.number }
}

extension Int {
  /// A number in plain decimal digits, without the signs that change nothing: `+1` and `-0` are typing errors.
  init?(decimal text: some StringProtocol) {
    guard let number = Int(text), !text.hasPrefix("+"), !text.hasPrefix("-0") else { return nil }
    self = number
  }
}
