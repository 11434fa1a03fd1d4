import ArgumentParser
import HostInterface
import LinuxHost
import SystemPackage
import VirtualMachine

struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measures time and system calls, as ratios to peers, in one run.",
    discussion: """
      Run it by `make bench`, which builds it as users get it. Section tgt runs on a tgtd of its own, section lio on
      Debian's kernel in a virtual machine, section engine on files in /var/tmp and /dev/shm. Ratios are of medians;
      with --minimum of the shortest times of tgt.
      """)

  enum Section: String, ExpressibleByArgument, CaseIterable { case tgt, lio, engine }

  @Option(help: "How often each is measured.") var repetitions = 5
  @Flag(help: "Compare the shortest times.") var minimum = false
  @Flag(help: "Leave out the slowest peers, which take most of the time.") var quick = false
  @Option(help: "Processors of the virtual machine.") var processors = 1
  @Option(help: "Milliseconds of each run of a load on the engine.") var milliseconds = 1000
  @Option(help: "Of section engine only: process, nbd, resync, pool, memory.") var part: [EngineBench.Part] =
    []
  @Argument(help: "What to measure: tgt, lio, engine; all by default.") var sections = Section.allCases

  func run() async throws {
    if Guest.isHere { return try await LIOBench(repetitions: repetitions, quick: quick).measure() }
    var missed = 0
    if sections.contains(.tgt) { missed += try await measureDaemon() }
    if sections.contains(.lio) {
      missed += try await LIOBench.runInGuest(
        repetitions: repetitions, quick: quick, processors: processors)
    }
    if sections.contains(.engine) {
      let bench = EngineBench(repetitions: repetitions, time: .milliseconds(milliseconds))
      try bench.measure(part.isEmpty ? EngineBench.Part.allCases : part)
      missed += bench.table.missed
    }
    print(missed == 0 ? "every goal is met" : "\(missed) goals are missed")
  }

  /// How many goals are missed.
  private func measureDaemon() async throws -> Int {
    let table = BenchTable()
    let place = try PrivateTgtd()
    defer { place.end() }
    for (targets, luns) in [(1, 1), (1, 10), (1, 100), (1, 255), (100, 1)] {
      try await bringUp(BringUp(place: place, targets: targets, luns: luns), table)
    }
    try await countCalls(place, table)
    try await CommandCost(place: place).measure(table)
    try PlanningCost(place: place).measure(table)
    table.show()
    return table.missed
  }

  private func typical(_ values: [Double]) -> Double { minimum ? values.min() ?? .nan : median(values) }

  private func bringUp(_ scene: BringUp, _ table: BenchTable) async throws {
    try scene.prepare()
    var times: [Contestant: [Double]] = [:]
    var library: [Double] = []
    for _ in 0..<repetitions {
      for contestant in [Contestant.quartet, .floor, .loop] {
        times[contestant, default: []].append(try await scene.measure(contestant).wall.milliseconds)
      }
      library.append(try await scene.measureLibrary().milliseconds)
    }
    let ours = typical(times[.quartet] ?? [])
    let floor = typical(times[.floor] ?? [])
    table.ratio("\(scene.description): apply / C program", ours, floor, unit: "ms", goal: 1.15)
    table.ratio("\(scene.description): library / C program", typical(library), floor, unit: "ms", goal: 1.15)
    table.ratio(
      "\(scene.description): apply / loop of tgtadm", ours, typical(times[.loop] ?? []), unit: "ms", goal: 0.4
    )
    guard !quick else { return }
    let admin = try await scene.measure(.admin).wall.milliseconds
    table.ratio("\(scene.description): apply / tgt-admin -e", ours, admin, unit: "ms", goal: 1.0 / 50)
  }

  private func countCalls(_ place: PrivateTgtd, _ table: BenchTable) async throws {
    var counted: [(operations: Int, calls: SystemCalls)] = []
    for luns in [10, 255] {
      let scene = BringUp(place: place, targets: 1, luns: luns)
      try scene.prepare()
      let daemon = try await place.started()
      defer { daemon.kill() }
      guard let calls = try SystemCalls.count(scene.command(.quartet), place: place) else {
        return table.skipped("system calls", "strace may not trace here")
      }
      counted.append((scene.operations, calls))
      let each = Double(calls.total) / Double(scene.operations)
      table.value(
        "\(scene.description): system calls an operation, all", each, unit: "calls",
        goal: luns > 100 ? 6 : nil)
      table.value("\(scene.description): programs run", Double(calls["execve"] - 1), unit: "", goal: 0)
    }
    let more = counted[1].calls.total - counted[0].calls.total
    table.value(
      "system calls of one more operation",
      Double(more) / Double(counted[1].operations - counted[0].operations),
      unit: "calls", goal: 6)
  }
}
