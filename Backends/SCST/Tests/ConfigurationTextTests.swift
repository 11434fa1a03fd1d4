import HostInterface
import TargetBackendTesting
import Testing

@testable import SCSTBackend

/// The grammar of scst.conf: the expectations are what the parser of `scstadmin` makes of the same text.
@Suite struct ConfigurationTextTests {
  /// Statements as `KEYWORD WORD...` with `[` children `]` behind them.
  private func shape(_ statements: [SCSTStatement]) -> String {
    statements.map { statement in
      let words = statement.words.map { "<\($0)>" }.joined()
      return words + (statement.children.isEmpty ? "" : "[\(shape(statement.children))]")
    }.joined(separator: " ")
  }

  @Test(arguments: [
    ("", ""), ("a 1\n", "<a><1>"), ("\t a\t1  \n\nb 2", "<a><1> <b><2>"),
    // Comments take the character before them.
    ("# a\na 1 # b\na 1# b\n", "<a><1> <a>"), ("a \\#1\n", "<a><#1>"), ("a 1 \\# b\n", "<a><1><#><b>"),
    (" # a\n", ""), ("a \"1 # 2\"\n", nil),
    // Quotes only where a word begins; nothing escapes them.
    ("a \"x y\"\n", "<a><x y>"), ("a \"x y\"z q\n", "<a><x y><z><q>"), ("b p\"q r\n", "<b><p\"q><r>"),
    ("a \"\"\n", "<a><>"), ("a \\\"x y\\\"\n", "<a><x y>"), ("a \"x\n", nil),
    ("a \"x\\\\\"y\"\n", "<a><x\\\"y>"),
    ("c \\\\x\\#y\n", "<c><\\x#y>"), ("d \"e\\\\ f\"\n", "<d><e\\ f>"), ("a \\x\n", "<a><x>"),
    // Braces stand for themselves everywhere.
    ("a b {\nc 1\n}\nd 2\n", "<a><b>[<c><1>] <d><2>"), ("a {\n}\n", "<a>"), ("a{\nb 1\n}\n", "<a>[<b><1>]"),
    ("a b c {\nd 1\n}\n", "<a><b><c>[<d><1>]"), ("a {\nb {\nc 1\n}\n}\n", "<a>[<b>[<c><1>]]"),
    ("a \"{\n", nil), ("a \\{\nb 1\n}\n", "<a>[<b><1>]"), ("a {\nb {\n} }\n", "<a>[<b>]"),
    ("a {\nb 1 }\n", nil), ("a {\n", nil), ("}\n", nil), ("{\n}\n", nil),
    (String(repeating: "a {\n", count: 100) + String(repeating: "}\n", count: 100), nil),
  ])
  func readsAsScstadminDoes(_ text: String, _ expected: String?) throws {
    guard let expected else {
      let failure = #expect(throws: Failure.self) { _ = try SCSTConfigurationText.statements(in: text) }
      #expect(failure?.code == .invalid && failure?.description.hasPrefix("scst.conf line ") == true)
      return
    }
    #expect(try shape(SCSTConfigurationText.statements(in: text)) == expected)
  }

  @Test func linesAreCounted() throws {
    let statements = try SCSTConfigurationText.statements(in: "# x\n\na 1\nb {\r\n\tc 1\n}\n")
    #expect(statements.map(\.line) == [3, 4])
    #expect(statements.last?.children.map(\.line) == [5])
  }

  /// Every text either stands in the file so that it is read as it is, or is left out with a remark.
  @Test func whatIsWrittenIsRead() throws {
    var generator = SeededGenerator.chosen
    var (written, refused) = (0, 0)
    for _ in 0..<SeededGenerator.rounds(5000) {
      let letters = (0..<Int.random(in: 0...6, using: &generator)).compactMap { _ in
        "ab\"\\# {}\t\n=;é".randomElement(using: &generator)
      }
      let text = String(letters)
      let line = SCSTConfigurationText.line("name", text, indent: 1)
      let statements = try SCSTConfigurationText.statements(in: line + "\nnext 1\n")
      if SCSTConfigurationText.word(text) == nil {
        #expect(shape(statements) == "<next><1>", "\(text.debugDescription)")
        refused += 1
      } else {
        #expect(
          statements.first?.words == ["name", text] && statements.count == 2, "\(text.debugDescription)")
        written += 1
      }
    }
    #expect(written > 500 && refused > 500)
  }
}
