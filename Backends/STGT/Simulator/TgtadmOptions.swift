/// The command line of tgtadm, read as getopt_long(3) reads it with the options of usr/tgtadm.c.
struct TgtadmOptions {
  /// An option that was given; both forms have the letter.
  struct Given {
    var letter: Character
    var value: String
  }

  /// What stops tgtadm before it speaks to tgtd.
  struct Stop: Error {
    var status: Int32
    var output = ""
    var errors = ""

    /// A line on standard error, and the exit status EINVAL.
    static func error(_ line: String, status: Int32 = 22) -> Stop {
      Stop(status: status, errors: "tgtadm: \(line)\n")
    }

    /// The hint that follows an error in the options.
    static func usage(_ lines: String) -> Stop {
      Stop(status: 22, errors: lines + "Try `tgtadm --help' for more information.\n")
    }
  }

  private static let long: [(name: String, letter: Character, hasValue: Bool)] = [
    ("debug", "d", false), ("help", "h", false), ("version", "V", false), ("lld", "L", true),
    ("op", "o", true),
    ("mode", "m", true), ("tid", "t", true), ("sid", "s", true), ("cid", "c", true), ("lun", "l", true),
    ("name", "n", true), ("value", "v", true), ("backing-store", "b", true), ("bstype", "E", true),
    ("bsopts", "S", true), ("bsoflags", "f", true), ("blocksize", "y", true), ("targetname", "T", true),
    ("initiator-address", "I", true), ("initiator-name", "Q", true), ("user", "u", true),
    ("password", "p", true),
    ("host", "H", true), ("force", "F", false), ("params", "P", true), ("bus", "B", true),
    ("device-type", "Y", true), ("outgoing", "O", false), ("control-port", "C", true),
  ]
  private static let lettersWithoutValue: Set<Character> = ["d", "h", "V"]

  /// In their order.
  private(set) var given: [Given] = []
  /// Words that are no options.
  private(set) var words: [String] = []

  /// Reads the words behind the program's name.
  ///
  /// - Parameter each: Called with each option as soon as it is read, so that the first error of all wins.
  init(_ arguments: [String], each: (Given) throws -> Void) throws {
    var rest = arguments[...]
    while let word = rest.popFirst() {
      if word == "--" {
        words += rest
        break
      }
      if word.hasPrefix("--") {
        given.append(try Self.longOption(word.dropFirst(2), &rest))
        try each(given[given.count - 1])
      } else if word.hasPrefix("-"), word.count > 1 {
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
          given.append(try Self.shortOption(letter, &letters, &rest))
          try each(given[given.count - 1])
        }
      } else {
        words.append(word)
      }
    }
  }

  private static func longOption(_ text: Substring, _ rest: inout ArraySlice<String>) throws -> Given {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let name = parts[0]
    let exact = long.filter { $0.name == name }
    let matching = exact.isEmpty ? long.filter { $0.name.hasPrefix(name) } : exact
    guard let option = matching.first else { throw Stop.usage("tgtadm: unrecognized option '--\(name)'\n") }
    guard matching.count == 1 else {
      let list = matching.map { " '--\($0.name)'" }.joined()
      throw Stop.usage("tgtadm: option '--\(name)' is ambiguous; possibilities:\(list)\n")
    }
    guard option.hasValue else {
      guard parts.count == 1 else {
        throw Stop.usage("tgtadm: option '--\(option.name)' doesn't allow an argument\n")
      }
      return Given(letter: option.letter, value: "")
    }
    guard let value = parts.count == 2 ? String(parts[1]) : rest.popFirst() else {
      throw Stop.usage("tgtadm: option '--\(option.name)' requires an argument\n")
    }
    return Given(letter: option.letter, value: value)
  }

  private static func shortOption(
    _ letter: Character, _ letters: inout Substring, _ rest: inout ArraySlice<String>
  )
    throws -> Given
  {
    if lettersWithoutValue.contains(letter) { return Given(letter: letter, value: "") }
    guard long.contains(where: { $0.letter == letter }) else {
      throw Stop.usage("tgtadm: invalid option -- '\(letter)'\n")
    }
    // In the short form -F and -O take a value too, which is not looked at.
    defer { letters = "" }
    if !letters.isEmpty { return Given(letter: letter, value: String(letters)) }
    guard let value = rest.popFirst() else {
      throw Stop.usage("tgtadm: option requires an argument -- '\(letter)'\n")
    }
    return Given(letter: letter, value: value)
  }
}
