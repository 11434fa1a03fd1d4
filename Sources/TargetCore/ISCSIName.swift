import HostInterface

/// The name of an iSCSI node: `iqn.`, `eui.` or `naa.`, as RFC 7143 section 4.2.7 and RFC 3722 say.
///
/// At most 223 bytes, lower case, of `a-z 0-9 - . :` only: nothing in it can be syntax to a file system, a line
/// of /proc or sysfs, or a comma-separated request. Upper case is folded, as RFC 3722 demands.
public struct ISCSIName: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The name in its normal form.
  public let description: String

  /// Parses and normalises a name.
  ///
  /// - Throws: ``Failure`` with code `invalid` that says which rule is broken.
  public init(_ text: String) throws {
    func refuse(_ why: String, remedy: String? = nil) -> Failure {
      Failure(.invalid, "name \(Self.printable(text))", why, remedy: remedy)
    }
    guard text.utf8.count <= 223 else {
      throw refuse(
        "is too long (\(text.utf8.count) bytes), at most 223 are allowed (RFC 7143 section 4.2.7.1)")
    }
    let name = text.asciiLowercased
    if let bad = name.unicodeScalars.first(where: { !Self.isAllowed($0) }) {
      throw refuse(
        "has a character that RFC 3722 does not allow (\(Self.printable(String(bad))))",
        remedy: "use letters, digits, '-', '.' and ':'")
    }
    if name.contains("..") {
      throw refuse("has two dots in a row", remedy: "separate the parts by one dot")
    }
    if let why = Self.fault(in: name) {
      throw refuse(why, remedy: "write it like iqn.2011-12.com.example:disk1")
    }
    description = name
  }

  /// A name as an implementation shows it, which need not be one that may be created.
  ///
  /// Nil for what could be mistaken for syntax: blanks, control characters, slashes, or over 255 bytes.
  public init?(asFound text: some StringProtocol) {
    let harmless = text.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value != 0x7f && $0 != "/" }
    guard !text.isEmpty, text.utf8.count <= 255, harmless, text != ".", text != ".." else { return nil }
    description = String(text)
  }

  /// Parses a pattern of names: one with `*` for any text or `?` for any character in it.
  ///
  /// - Throws: ``Failure`` with code `invalid`.
  public init(pattern text: String) throws {
    let name = text.asciiLowercased
    func refuse(_ why: String) -> Failure { Failure(.invalid, "pattern \(Self.printable(text))", why) }
    guard name.utf8.count <= 223 else { throw refuse("is too long, at most 223 bytes are allowed") }
    guard ["iqn.", "eui.", "naa."].contains(where: name.hasPrefix) else {
      throw refuse("must begin with iqn., eui. or naa.")
    }
    guard name.unicodeScalars.allSatisfy({ Self.isAllowed($0) || $0 == "*" || $0 == "?" }) else {
      throw refuse("may have letters, digits, '-', '.', ':', '*' and '?'")
    }
    description = name
  }

  /// Whether it stands for the names that match it.
  public var isPattern: Bool {
    description.utf8.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") }
  }

  /// Orders by the text.
  public static func < (left: ISCSIName, right: ISCSIName) -> Bool { left.description < right.description }

  private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
    ("a"..."z").contains(scalar) || ("0"..."9").contains(scalar) || scalar == "-" || scalar == "."
      || scalar == ":"
  }

  private static func fault(in name: String) -> String? {
    if name.hasPrefix("iqn.") { return faultOfQualifiedName(name.dropFirst(4)) }
    let digits = name.dropFirst(4)
    let hexadecimal = digits.utf8.allSatisfy { hexDigits.contains($0) }
    if name.hasPrefix("eui.") {
      return hexadecimal && digits.count == 16 ? nil : "must have 16 hexadecimal digits after eui."
    }
    if name.hasPrefix("naa.") {
      return hexadecimal && [16, 32].contains(digits.count)
        ? nil : "must have 16 or 32 hexadecimal digits after naa."
    }
    return "must begin with iqn., eui. or naa."
  }

  private static func faultOfQualifiedName(_ rest: Substring) -> String? {
    let bytes = Array(rest.utf8)
    let isDate =
      bytes.count >= 8 && bytes[4] == UInt8(ascii: "-") && bytes[7] == UInt8(ascii: ".")
      && [0, 1, 2, 3, 5, 6].allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[$0]) }
    guard isDate, let month = Int(rest.dropFirst(5).prefix(2)), (1...12).contains(month) else {
      return "must have a year and a month after iqn., such as iqn.2011-12."
    }
    let authority = rest.dropFirst(8).prefix { $0 != ":" }
    guard !authority.isEmpty, authority.first != ".", authority.last != "." else {
      return "must have a reversed domain name after the date"
    }
    return nil
  }

  private static let hexDigits = Set("0123456789abcdef".utf8)

  /// The text with everything that could confuse a terminal or a log escaped, cut to `limit` characters.
  package static func printable(_ text: String, limit: Int = 80) -> String {
    let shown = text.unicodeScalars.prefix(limit).map { scalar in
      scalar.value < 0x20 || scalar.value == 0x7f || scalar.value > 0x7e
        ? scalar.escaped(asASCII: true) : String(scalar)
    }.joined()
    return text.unicodeScalars.count > limit ? shown + "..." : shown
  }
}

/// The name of a target.
public typealias TargetName = ISCSIName

extension String {
  /// ASCII letters in lower case, everything else as it is.
  package var asciiLowercased: String {
    String(decoding: utf8.map { (0x41...0x5a).contains($0) ? $0 + 0x20 : $0 }, as: UTF8.self)
  }
}
