import SystemPackage

/// The session parameters and settings of targets that iscsi-scstd keeps, as its sysfs files take and show them.
enum DaemonParameter: Sendable {
  case number(ClosedRange<Int>, standard: Int)
  case boolean(standard: String)
  case digests

  static let all: [String: DaemonParameter] = [
    "InitialR2T": .boolean(standard: "No"), "ImmediateData": .boolean(standard: "Yes"),
    "RDMAExtensions": .boolean(standard: "No"), "HeaderDigest": .digests, "DataDigest": .digests,
    "MaxRecvDataSegmentLength": .number(512...1_048_576, standard: 1_048_576),
    "MaxXmitDataSegmentLength": .number(512...1_048_576, standard: 1_048_576),
    "MaxBurstLength": .number(512...1_048_576, standard: 1_048_576),
    "FirstBurstLength": .number(512...1_048_576, standard: 65536),
    "MaxOutstandingR2T": .number(1...65535, standard: 32),
    "QueuedCommands": .number(1...2048, standard: 32), "RspTimeout": .number(2...65535, standard: 90),
    "NopInInterval": .number(0...65535, standard: 30), "NopInTimeout": .number(2...65535, standard: 30),
    "MaxSessions": .number(0...65535, standard: 0),
  ]

  var standard: String {
    switch self {
    case .number(_, let standard): String(standard)
    case .boolean(let standard): standard
    case .digests: "None"
    }
  }

  /// The value that a text sets, in the form in which it is shown.
  func value(of text: String) throws(Errno) -> String {
    if text == ":default:" { return standard }
    switch self {
    case .boolean:
      guard text == "Yes" || text == "No" else { throw .invalidArgument }
      return text
    case .number(let range, _):
      let number = Self.number(text)
      guard range.contains(number) else { throw .invalidArgument }
      return String(number)
    case .digests:
      let words = Set(text.split(separator: ",", omittingEmptySubsequences: false).map { $0.lowercased() })
      guard !words.isEmpty, words.isSubset(of: ["none", "crc32c"]) else { throw .invalidArgument }
      return (words.contains("none") ? ["None"] : []).appending(words.contains("crc32c") ? "CRC32C" : nil)
        .joined(separator: ",")
    }
  }

  /// The number at the beginning of a text as strtol(3) reads it in C notation: what is none counts as 0.
  private static func number(_ text: String) -> Int {
    let isNegative = text.hasPrefix("-")
    var digits = text.drop { $0 == "-" || $0 == "+" }
    var radix = 10
    if digits.lowercased().hasPrefix("0x") { (radix, digits) = (16, digits.dropFirst(2)) }
    if radix == 10, digits.hasPrefix("0") { radix = 8 }
    digits = digits.prefix { $0.isASCII && ($0.hexDigitValue ?? radix) < radix }
    guard !digits.isEmpty else { return 0 }
    let number = Int(digits, radix: radix) ?? Int.max
    return isNegative ? -number : number
  }

  /// A parameter by its name in any case.
  static func named(_ name: String) -> (name: String, parameter: DaemonParameter)? {
    if let parameter = all[name] { return (name, parameter) }
    return all.first { $0.key.lowercased() == name.lowercased() }.map { ($0.key, $0.value) }
  }

  /// What `add_target` takes by name although no file shows it: only the value that it has anyway.
  static let hidden = [
    "defaulttime2retain": 0, "defaulttime2wait": 0, "errorrecoverylevel": 0, "maxconnections": 1,
  ]

  /// A file of the daemon's: it marks what is another value than the standard one.
  static func content(_ value: String, isKey: Bool) -> String { value + "\n" + (isKey ? "[key]\n\n" : "") }
}

extension [String] {
  fileprivate func appending(_ element: String?) -> [String] { self + (element.map { [$0] } ?? []) }
}
