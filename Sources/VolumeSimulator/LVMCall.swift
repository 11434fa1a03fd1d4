/// The words of one call of lvm(8).
struct LVMCall {
  let verb: String
  /// What is no option and no option's value.
  private(set) var names: [String] = []
  private(set) var options: [String: String] = [:]
  /// The fields that each report is to have, by the report's name; an empty name for a command with one report.
  private(set) var fields: [String: [String]] = [:]

  /// Options that have a value, by all their names.
  private static let valued: [String: String] = [
    "--activate": "activate", "-a": "activate", "--select": "select", "-S": "select", "--extents": "extents",
    "-l": "extents", "--size": "size", "-L": "size", "--name": "name", "-n": "name", "--type": "type",
    "--physicalextentsize": "extentsize", "--virtualsize": "virtualsize", "--thinpool": "thinpool",
    "--wipesignatures": "wipesignatures", "--setactivationskip": "skip", "--reportformat": "format",
    "--units": "units", "--configreport": "configreport", "-o": "fields", "--addtag": "addtag",
    "--deltag": "deltag",
  ]

  init(_ words: [String]) {
    verb = words.first ?? ""
    var report = ""
    var index = 1
    while index < words.count {
      defer { index += 1 }
      let word = words[index]
      if word == "-a", !verb.hasSuffix("change") {
        options["all"] = "y"
      } else if verb == "lvmconfig", word == "--type" {
        index += 1
      } else if let name = Self.valued[word] {
        index += 1
        let value = index < words.count ? words[index] : ""
        switch name {
        case "configreport": report = value
        case "fields": fields[report] = value.split(separator: ",").map(String.init)
        default: options[name] = value
        }
      } else if word.hasPrefix("-") {
        options[String(word.drop { $0 == "-" })] = "y"
      } else {
        names.append(word)
      }
    }
  }

  /// A size in bytes such as `64M`, `+8M`, `12582912b`.
  static func bytes(_ text: String) -> UInt64? {
    let text = text.drop { $0 == "+" }
    let units: [Character: UInt64] = ["b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40]
    guard let last = text.last else { return nil }
    if last.isNumber { return UInt64(text).map { $0 << 20 } }
    guard let unit = units[Character(last.lowercased())] else { return nil }
    return UInt64(text.dropLast()).map { $0 * unit }
  }

  /// How many extents `--extents` or `--size` mean.
  func extents(of size: UInt64, before: UInt64 = 0) -> UInt64? {
    let text = options["extents"] ?? options["size"] ?? options["virtualsize"] ?? ""
    let isMore = text.hasPrefix("+")
    let count =
      options["extents"] != nil
      ? UInt64(text.drop { $0 == "+" }) : Self.bytes(text).map { ($0 + size - 1) / size }
    return count.map { isMore ? $0 + before : $0 }
  }
}
