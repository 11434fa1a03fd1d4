import Testing

@Suite struct ReadmeTests {
  /// The example is a program of its own, so that it compiles.
  @Test func theLibrarysExampleIsTheProgramThatIsBuilt() throws {
    let readme = try Repository.text(of: "README.md")
    let program = try Repository.text(of: "Sources/example/main.swift")
    #expect(
      readme.contains("```swift\n\(program)```\n"),
      "README.md must hold Sources/example/main.swift word for word")
  }

  @Test func everyFolderThatIsNamedIsThere() throws {
    let readme = try Repository.text(of: "README.md")
    for word in readme.split(whereSeparator: { " `()\n,;".contains($0) }) {
      let path = word.hasSuffix(".") ? word.dropLast() : word
      guard path.hasPrefix("Sources/") || path.hasPrefix("Backends/") || path.hasPrefix("Tests/"),
        !path.contains("X/"), !path.contains("...")
      else { continue }
      let parent = path.split(separator: "/").dropLast().joined(separator: "/")
      let name = path.split(separator: "/").last.map(String.init) ?? ""
      #expect(Repository.entries(of: parent).contains(name), "README.md names \(path), which is not there")
    }
  }
}
