import Testing

@Suite struct CodeTests {
  @Test func nothingTraps() throws {
    let traps = ["try!", "as!", "fatalError(", "preconditionFailure(", "assertionFailure("]
    for file in Repository.swiftFiles {
      for (number, line) in try file.code() {
        for word in traps where line.contains(word) {
          Issue.record("\(file.path):\(number): \(word) ends the program; throw a Failure")
        }
      }
    }
  }

  @Test func librariesDoNotPrint() throws {
    for file in Repository.swiftFiles where file.isLibrary {
      for (number, line) in try file.code() {
        for word in ["print(", "debugPrint(", "dump(", "NSLog("] where calls(word, in: line) {
          Issue.record("\(file.path):\(number): a library does not print; return it, or throw it")
        }
      }
    }
  }

  @Test func nothingIsLeftOver() throws {
    let marks: Set<Substring> = ["TODO", "FIXME", "XXX"]
    for file in Repository.swiftFiles where file.module != "TidyTests" {
      let words = try Repository.text(of: file.path).split { !$0.isLetter }
      for mark in marks.intersection(words).sorted() {
        Issue.record("\(file.path) has a \(mark); finish it, or say it in an issue")
      }
    }
  }

  @Test func codeIsToldFromTextAndComments() throws {
    let code = try SourceFile(path: "Tests/TidyTests/CodeForms.txt").code().map(\.text)
    #expect(code.contains { $0.contains("one(") })
    #expect(code.contains { $0.contains("two(") })
    #expect(!code.contains { $0.contains("print(") })
  }

  /// Whether a line calls a function of this name, and none whose name ends in it.
  private func calls(_ word: String, in line: String) -> Bool {
    guard let range = line.firstRange(of: word) else { return false }
    guard range.lowerBound > line.startIndex else { return true }
    let before = line[line.index(before: range.lowerBound)]
    return !before.isLetter && before != "." && before != "_" && !line.contains("func \(word)")
  }
}
