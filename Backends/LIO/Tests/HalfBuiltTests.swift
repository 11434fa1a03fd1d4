import HostInterface
import Quartet
import SystemPackage
import TargetCore
import Testing

/// What a run that was killed behind any step leaves: a name without a portal group, an HBA without a backstore, a
/// backstore without a LUN, a LUN without its link, an ACL without a mapped LUN.
@Suite struct HalfBuiltTests {
  let bench: Workbench

  init() throws { bench = try Workbench() }

  private func steps() async throws -> [Operation] {
    var options = PerformOptions()
    options.dryRun = true
    return try await bench.lio.apply(bench.document(), options: options).plan.steps.map(\.operation)
  }

  private func leave(_ steps: some Sequence<Operation>) async throws {
    bench.simulator.reset()
    for step in steps { _ = try await bench.host.perform(step) }
  }

  @Test func anApplyFinishesIt() async throws {
    let steps = try await steps()
    try await bench.lio.apply(bench.document())
    let whole = try await bench.read()
    for count in 1..<steps.count {
      try await leave(steps.prefix(count))
      try await bench.lio.apply(bench.document())
      #expect(try await bench.read() == whole, "behind step \(count), \(steps[count - 1].display)")
    }
  }

  @Test func aDeleteRemovesIt() async throws {
    let steps = try await steps()
    for count in 1...steps.count {
      try await leave(steps.prefix(count))
      try await bench.lio.perform([.deleteTarget(bench.name, force: false)])
      let place = "behind step \(count), \(steps[count - 1].display)"
      #expect(try bench.host.list(FilePath(Workbench.core)) == ["alua"], "\(place)")
      #expect(try await bench.read().targets.isEmpty, "\(place)")
    }
  }

  /// An HBA or a backstore of another tool is none of a target's remnants.
  @Test func whatAnotherToolMadeStays() async throws {
    for path in ["fileio_0", "fileio_0/theirs", "iblock_1"] {
      try bench.host.createDirectory(FilePath("\(Workbench.core)/\(path)"))
    }
    try await bench.lio.apply(bench.document())
    try await bench.lio.perform([.deleteTarget(bench.name, force: false)])
    #expect(try bench.host.list(FilePath(Workbench.core)) == ["alua", "fileio_0", "iblock_1"])
    #expect(try bench.host.list(FilePath("\(Workbench.core)/fileio_0")).contains("theirs"))
  }
}
