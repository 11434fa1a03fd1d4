import HostInterface
import SystemPackage

/// What single commands cost.
struct CommandCost {
  let place: PrivateTgtd

  func measure(_ table: BenchTable) async throws {
    let quartet = try builtQuartet(on: place.host)
    let version = try cpu([quartet, "--version"])
    table.value("quartet --version: CPU", version, unit: "ms", goal: 6)
    for (targets, luns) in [(1, 1), (1, 100), (10, 100)] {
      let scene = BringUp(place: place, targets: targets, luns: luns)
      try scene.prepare()
      let daemon = try await place.started()
      defer { daemon.kill() }
      _ = try Child.run(scene.command(.floor))
      let list = [quartet, "target", "list"]
      let show = ["tgtadm", "--lld", "iscsi", "--mode", "target", "--op", "show"]
      table.ratio(
        "target list, \(targets * luns) LUNs: CPU / tgtadm --op show", try cpu(list), try cpu(show),
        unit: "ms", goal: 1)
      if targets * luns == 1000, let calls = try SystemCalls.count(list, place: place) {
        table.value("target list, 1000 LUNs: requests to tgtd", Double(calls["connect"]), unit: "", goal: 1)
      }
    }
  }

  private func cpu(_ argv: [String]) throws -> Double {
    median(try (0..<40).map { _ in try Child.run(argv, environment: place.environment).cpu.milliseconds })
  }
}
