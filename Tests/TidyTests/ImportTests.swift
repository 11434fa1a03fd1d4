import Testing

@Suite struct ImportTests {
  private let backends = Repository.backends

  @Test func modulesImportOnlyWhatStandsBelowThem() throws {
    for file in Repository.swiftFiles where !file.isTest {
      guard let allowed = ImportTable.allowed(in: file.module, backends: backends) else {
        Issue.record(
          "\(file.path): the module \(file.module) is not in Tests/TidyTests/ImportTable.swift; say there what it may import"
        )
        continue
      }
      for name in try file.imports() where !allowed.contains(name) {
        Issue.record(
          "\(file.path) imports \(name); \(file.module) may import \(allowed.sorted().joined(separator: ", "))"
        )
      }
    }
  }

  @Test func testsImportNoOtherBackendAndNoFoundation() throws {
    for file in Repository.swiftFiles where file.isTest {
      let forbidden = ImportTable.forbidden(inTests: file.module, backends: backends)
      for name in try file.imports() where forbidden.contains(name) {
        Issue.record("\(file.path) imports \(name), which \(file.module) must not")
      }
    }
  }

  @Test func importsAreFoundInAllTheirForms() throws {
    let file = SourceFile(path: "Tests/TidyTests/ImportForms.txt")
    #expect(try file.imports() == ["A", "B", "C", "D", "E", "F"])
  }

  @Test(arguments: [
    ("Sources/Quartet/Implementation.swift", "Quartet"), ("Backends/Registry.swift", "BackendRegistry"),
    ("Backends/STGT/Sources/ShowText.swift", "STGTBackend"),
    ("Backends/STGT/Simulator/A/B.swift", "STGTSimulator"), ("Backends/STGT/Tests/A.swift", "STGTTests"),
    ("Tests/TidyTests/ImportTests.swift", "TidyTests"),
  ])
  func foldersTellTheModule(_ path: String, _ module: String) {
    #expect(SourceFile(path: path).module == module)
  }

  @Test func theTableKeepsLayersApart() {
    let backend = ImportTable.allowed(in: "STGTBackend", backends: backends) ?? []
    #expect(
      backend.isDisjoint(with: ["LinuxHost", "Glibc", "FoundationEssentials", "LIOBackend", "Quartet"]))
    let simulator = ImportTable.allowed(in: "STGTSimulator", backends: backends) ?? []
    #expect(simulator.isDisjoint(with: ["STGTBackend", "TargetCore", "LinuxHost"]))
    #expect(ImportTable.forbidden(inTests: "STGTTests", backends: ["STGT", "LIO"]).contains("LIOBackend"))
    #expect(!ImportTable.forbidden(inTests: "STGTTests", backends: ["STGT", "LIO"]).contains("STGTBackend"))
    #expect(!ImportTable.forbidden(inTests: "CLITests", backends: ["STGT", "LIO"]).contains("STGTBackend"))
  }
}
