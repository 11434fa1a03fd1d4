import Glibc

/// The command line of ietadm, as its getopt_long(3) reads it.
struct IetadmOptions {
  enum Operation: String { case new, delete, update, show }

  /// A command line that ends the program by itself.
  struct Ending: Error {
    var status: Int32
    var output = ""
    var errors = ""
  }

  var operation: Operation?
  var tid: UInt32?
  var sid: UInt64?
  var cid: UInt32?
  var lun: UInt32?
  var parameters: String?
  var isUser = false
  private var strays: [String] = []

  private static let hint = "Try `ietadm --help' for more information.\n"

  /// - Throws: ``Ending`` for `--help`, `--version` and what cannot be read.
  init(_ argv: [String], _ version: IETVersion) throws(Ending) {
    let program = argv.first ?? "ietadm"
    var words = argv.dropFirst()
    while let word = words.popFirst() {
      if word == "--" {
        strays += words
        break
      }
      if word.hasPrefix("--") {
        try takeLong(String(word.dropFirst(2)), &words, program, version)
      } else if word.hasPrefix("-"), word.count > 1 {
        try takeShort(word.dropFirst(), &words, program, version)
      } else {
        strays.append(word)
      }
    }
    guard operation != nil else {
      throw Ending(status: 234, errors: "You must specify the operation type\n")
    }
    guard strays.isEmpty else {
      throw Ending(status: 255, errors: "unrecognized: \(strays.joined())\n\(Self.hint)")
    }
  }

  private static let names: [(String, Character, takesValue: Bool)] = [
    ("op", "o", true), ("tid", "t", true), ("sid", "s", true), ("cid", "c", true), ("lun", "l", true),
    ("params", "p", true), ("user", "u", false), ("version", "v", false), ("help", "h", false),
  ]

  private mutating func takeLong(
    _ word: String, _ rest: inout ArraySlice<String>, _ program: String, _ version: IETVersion
  ) throws(Ending) {
    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    // No two options begin with the same letter, so that any beginning is enough.
    guard let name = parts.first, !name.isEmpty,
      let option = Self.names.first(where: { $0.0.hasPrefix(name) })
    else {
      throw Ending(
        status: 255, errors: "\(program): unrecognized option '--\(parts.first ?? "")'\n\(Self.hint)")
    }
    if !option.takesValue {
      guard parts.count == 1 else {
        throw Ending(
          status: 255, errors: "\(program): option '--\(option.0)' doesn't allow an argument\n\(Self.hint)")
      }
      return try take(option.1, "", version)
    }
    guard let value = parts.count == 2 ? parts[1] : rest.popFirst() else {
      throw Ending(
        status: 255, errors: "\(program): option '--\(option.0)' requires an argument\n\(Self.hint)")
    }
    try take(option.1, value, version)
  }

  private mutating func takeShort(
    _ letters: Substring, _ rest: inout ArraySlice<String>, _ program: String, _ version: IETVersion
  ) throws(Ending) {
    var letters = letters
    while let letter = letters.popFirst() {
      guard let option = Self.names.first(where: { $0.1 == letter }) else {
        throw Ending(status: 255, errors: "\(program): invalid option -- '\(letter)'\n\(Self.hint)")
      }
      if !option.takesValue {
        try take(letter, "", version)
        continue
      }
      guard let value = letters.isEmpty ? rest.popFirst() : String(letters) else {
        throw Ending(
          status: 255, errors: "\(program): option requires an argument -- '\(letter)'\n\(Self.hint)")
      }
      return try take(letter, value, version)
    }
  }

  private mutating func take(_ option: Character, _ value: String, _ version: IETVersion) throws(Ending) {
    switch option {
    case "o": operation = Operation(rawValue: value)
    // The numbers are cut to their 32 bits, and what is none is 0.
    case "t": tid = UInt32(truncatingIfNeeded: strtoul(value, nil, 10))
    case "c": cid = UInt32(truncatingIfNeeded: strtoul(value, nil, 10))
    case "l": lun = UInt32(truncatingIfNeeded: strtoul(value, nil, 10))
    case "s": sid = strtoull(value, nil, 10)
    case "p": parameters = value
    case "u": isUser = true
    case "v": throw Ending(status: 0, output: "ietadm version \(version.name)\n")
    default: throw Ending(status: 0, output: Self.help)
    }
  }
}
