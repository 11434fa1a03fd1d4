import BackendRegistry
import Testing

@Suite struct LayoutTests {
  @Test func theTopLevelHoldsOnlyWhatBelongsThere() {
    let allowed: Set = [
      "Package.swift", "Package.resolved", "Sources", "Tests", "Backends", "Fixtures", "README.md",
      "Makefile",
      "LICENSE",
    ]
    for name in Repository.entries(of: "") where !name.hasPrefix(".") && !allowed.contains(name) {
      Issue.record(
        "\(name) does not belong at the top level; put it into Sources, Tests, Backends or Fixtures")
    }
  }

  @Test func everyBackendIsRegistered() throws {
    let manifest = try Repository.text(of: "Package.swift")
    let list = manifest.split(separator: "\n").first { $0.hasPrefix("let backends = [") } ?? ""
    let registry = try Repository.text(of: "Backends/Registry.swift")
    // One that is only begun is in the manifest, so that its parts build.
    let begun = Repository.backends.filter {
      Repository.entries(of: "Backends/\($0)/Sources").contains("Placeholder.swift")
    }
    let backends = Repository.backends.filter { !begun.contains($0) }
    for name in backends {
      #expect(list.contains("\"\(name)\""), "add \"\(name)\" to `let backends` in Package.swift")
      #expect(
        registry.contains("import \(name)Backend\n"), "import \(name)Backend in Backends/Registry.swift")
      for part in ["README.md", "Sources", "Simulator", "Tests"] {
        #expect(
          Repository.entries(of: "Backends/\(name)").contains(part), "Backends/\(name) has no \(part)")
      }
    }
    #expect(
      BackendRegistry.all.count == backends.count,
      "Backends/Registry.swift must list one descriptor for each of \(backends.joined(separator: ", "))"
    )
    let names = BackendRegistry.all.flatMap { [$0.name] + $0.aliases }
    #expect(Set(names).count == names.count, "two backends have one name: \(names)")
  }

  @Test func filesAreShortAndNamedAfterTheirSubject() throws {
    let empty = ["Utils.", "Utilities.", "Helpers.", "Helper.", "Common.", "Manager.", "Misc."]
    for file in Repository.swiftFiles {
      let lines = try Repository.text(of: file.path).split(separator: "\n", omittingEmptySubsequences: false)
        .count
      #expect(lines <= 500, "\(file.path) has \(lines) lines, and 500 are allowed; give it two subjects")
      let name = file.path.split(separator: "/").last ?? ""
      for word in empty where name.contains(word) {
        Issue.record("\(file.path): \(word)swift tells nothing; name the subject")
      }
    }
  }
}
