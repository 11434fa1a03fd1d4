import HostInterface
import Testing

@Suite struct LineEditTests {
  @Test(
    arguments: [
      (.append("x"), "", "x\n"), (.append("x"), "a", "a\nx\n"), (.append("x"), "a\n", "a\nx\n"),
      (.append("x"), "x\na\n", "x\na\n"), (.append("x"), "xx\n\n", "xx\n\nx\n"),
      (.append("x"), "a\r\n", "a\r\nx\n"),
      (.prepend("x"), "a\n", "x\na\n"), (.prepend("x"), "", "x\n"), (.prepend("x"), "a\nx\n", "a\nx\n"),
      (.remove("x"), "x\na\nx\nxx\n", "a\nxx\n"), (.remove("x"), "x", ""), (.remove("x"), "", ""),
      (.replace("x", with: "y"), "x\nxx\nx\n", "y\nxx\ny\n"), (.replace("x", with: "y"), "a\n", "a\n"),
      (.remove("\u{e9}"), "e\u{301}\n", "e\u{301}\n"),
      (.first("x", insteadOf: ["a", "b"]), "c\na\nx\nbb\nb\n", "x\nc\nbb\n"),
      (.first("x", insteadOf: []), "", "x\n"), (.first("x", insteadOf: ["a"]), "a", "x\n"),
      (.removeAll(about: "A.b"), "a.b c\n\tA.B\nab\na.bc\n x a.b\n a.b", "ab\na.bc\n x a.b\n"),
      (.first("x", insteadOf: ["b"], above: "c"), "", "x\nc\n"),
      (.first("x", insteadOf: ["b"], above: "c"), "a\nb\n", "x\na\n"),
      // A last line that is not ended stays so, unless it is the one that is edited.
      (.first("x", insteadOf: ["a"]), "a\nb", "x\nb"), (.first("x", insteadOf: []), "a\nx", "x\na\n"),
      (.prepend("x"), "a\nb", "x\na\nb"), (.prepend("x"), "x", "x\n"), (.append("x"), "a\nx", "a\nx\n"),
      (.remove("a"), "a\nb", "b"), (.remove("b"), "a\nb", "a\n"),
      (.replace("a", with: "x"), "a\nb", "x\nb"), (.replace("b", with: "x"), "a\nb", "a\nx\n"),
    ] as [(LineEdit, String, String)])
  func edits(_ edit: LineEdit, _ text: String, _ expected: String) {
    #expect(Array(edit.applied(to: text).utf8) == Array(expected.utf8))
    #expect(edit.applied(to: edit.applied(to: text)) == edit.applied(to: text))
  }
}
