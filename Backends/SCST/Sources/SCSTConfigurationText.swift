import HostInterface

/// A statement of scst.conf: words, and where braces follow, the statements in them.
struct SCSTStatement: Equatable {
  var words: [String]
  var line: Int
  var children: [SCSTStatement] = []

  var keyword: String { words.first ?? "" }
  var argument: String { words.count > 1 ? words[1] : "" }
}

/// The grammar of scst.conf, as `scstadmin` reads it (readConfigFile and parseStanza in scstadmin.sysfs).
///
/// A `#` begins a comment at the beginning of a line or behind any character but a backslash, and takes that character
/// with it. Then backslashes go away, each for the character behind it, so that there is no way to write a double quote
/// that is none. Then braces and ends of lines part statements wherever they stand, and blanks part words but for those
/// that begin with a double quote, which end with the next.
struct SCSTConfigurationText {
  /// How deep sections may stand in one another; the grammar needs 4.
  private static let depthLimit = 8

  private typealias Scalars = String.UnicodeScalarView

  private var open: [SCSTStatement] = [SCSTStatement(words: [], line: 0)]

  /// The statements of a file.
  ///
  /// - Throws: ``Failure`` with code `invalid` that names the line.
  static func statements(in text: String) throws -> [SCSTStatement] {
    var reader = SCSTConfigurationText()
    let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      try reader.take(unescaped(withoutComment(line)), index + 1)
    }
    guard reader.open.count == 1, let root = reader.open.first else {
      throw fault("opens a section that is not closed", reader.open.last?.line ?? 0)
    }
    return root.children
  }

  static func fault(_ problem: String, _ line: Int, remedy: String? = nil) -> Failure {
    Failure(.invalid, "scst.conf line \(line)", problem, remedy: remedy)
  }

  // MARK: Reading

  private static func withoutComment(_ line: Scalars.SubSequence) -> Scalars.SubSequence {
    var previous: Scalars.Index?
    for index in line.indices {
      if line[index] == "#" {
        guard let previous else { return line.prefix(0) }
        if line[previous] != "\\" { return line[..<previous] }
      }
      previous = index
    }
    return line
  }

  private static func unescaped(_ line: Scalars.SubSequence) -> Scalars {
    var text = Scalars()
    var isEscaped = false
    for scalar in line {
      isEscaped = scalar == "\\" && !isEscaped
      if !isEscaped { text.append(scalar) }
    }
    if isEscaped { text.append("\\") }
    return text
  }

  private mutating func take(_ line: Scalars, _ number: Int) throws {
    var rest = line[...]
    while let index = rest.firstIndex(where: { $0 == "{" || $0 == "}" }) {
      let words = try Self.words(in: rest[..<index], number)
      if rest[index] == "{" { try begin(words, number) } else { try end(words, number) }
      rest = rest[rest.index(after: index)...]
    }
    let words = try Self.words(in: rest, number)
    if !words.isEmpty { add(SCSTStatement(words: words, line: number)) }
  }

  private static func words(in text: Scalars.SubSequence, _ line: Int) throws -> [String] {
    var words: [String] = []
    var rest = text.drop(while: isBlank)
    while let first = rest.first {
      let end: Scalars.Index
      if first == "\"" {
        rest = rest.dropFirst()
        guard let quote = closingQuote(in: rest) else { throw fault("has a quote that is not closed", line) }
        end = quote
      } else {
        end = rest.firstIndex(where: isBlank) ?? rest.endIndex
      }
      words.append(String(rest[..<end]))
      rest = rest[end...].dropFirst(first == "\"" ? 1 : 0).drop(while: isBlank)
    }
    return words
  }

  private static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
    scalar == " " || (0x9...0xd).contains(scalar.value)
  }

  /// The quote that ends a quoted text; one behind a backslash does not.
  private static func closingQuote(in text: Scalars.SubSequence) -> Scalars.Index? {
    var isEscaped = false
    for index in text.indices {
      if text[index] == "\"", !isEscaped { return index }
      isEscaped = text[index] == "\\" && !isEscaped
    }
    return nil
  }

  private mutating func begin(_ words: [String], _ line: Int) throws {
    guard !words.isEmpty else { throw Self.fault("opens a section that has no name", line) }
    guard open.count < Self.depthLimit else { throw Self.fault("opens a section too deep in others", line) }
    open.append(SCSTStatement(words: words, line: line))
  }

  private mutating func end(_ words: [String], _ line: Int) throws {
    guard words.isEmpty else {
      throw Self.fault(
        "has a statement before a closing brace, which scstadmin passes over", line,
        remedy: "give it a line of its own")
    }
    guard open.count > 1, let section = open.popLast() else {
      throw Self.fault("closes a section that is not open", line)
    }
    add(section)
  }

  private mutating func add(_ statement: SCSTStatement) { open[open.count - 1].children.append(statement) }

  // MARK: Writing

  /// A value as one word of the file; nil for one that cannot be written.
  static func word(_ text: String) -> String? {
    let scalars = text.unicodeScalars
    if scalars.contains(where: { $0 == "{" || $0 == "}" || $0 == "\n" }) { return nil }
    let isQuoted = scalars.isEmpty || scalars.contains(where: isBlank)
    if isQuoted ? scalars.contains("\"") || scalars.last == "\\" : scalars.first == "\"" { return nil }
    let word = scalars.map { $0 == "\\" || $0 == "#" ? "\\\($0)" : "\($0)" }.joined()
    return isQuoted ? "\"\(word)\"" : word
  }

  /// A line of words, or a remark where one of them cannot be written.
  static func line(_ words: String..., indent: Int) -> String { line(words, indent: indent) }

  private static func line(_ words: [String], indent: Int, end: String = "") -> String {
    let tabs = String(repeating: "\t", count: indent)
    let written = words.compactMap(word)
    guard written.count == words.count else {
      let known = words.prefix { word($0) != nil }.joined(separator: " ")
      return tabs + "# \(known) is left out: what follows is a text that this file cannot hold"
    }
    return tabs + written.joined(separator: " ") + end
  }

  /// A section; a remark where its name cannot be written.
  static func section(_ words: String..., indent: Int, body: [String]) -> [String] {
    guard words.allSatisfy({ word($0) != nil }) else { return [line(words, indent: indent)] }
    return [line(words, indent: indent, end: " {")] + body + [String(repeating: "\t", count: indent) + "}"]
  }
}
