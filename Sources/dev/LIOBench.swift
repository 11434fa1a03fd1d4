import Glibc
import HostInterface
import LinuxHost
import Quartet
import SystemPackage
import TargetCore
import VirtualMachine

/// The kernel's target, brought up and taken down by each contestant in one boot of a guest.
struct LIOBench {
  private static let directory = FilePath("/run/quartet-bench")
  private static let configfs = FilePath("/sys/kernel/config/target")
  private static let peerLimit = Duration.seconds(240)

  let repetitions: Int
  let quick: Bool
  let host = LocalHost()
  let table = BenchTable()

  /// Runs this program again in a guest; returns how many goals are missed there.
  static func runInGuest(repetitions: Int, quick: Bool, processors: Int) async throws -> Int {
    var configuration = GuestConfiguration()
    configuration.processors = processors
    configuration.lifeLimit = .seconds(2400)
    let guest = try await Guest.start(configuration, on: GuestKernel.prepare())
    let program = try LocalHost().readLink("/proc/self/exe").string
    let words = [program, "bench", "lio", "--repetitions", "\(repetitions)"] + (quick ? ["--quick"] : [])
    let result = try await guest.run(words, directory: "/", limit: .seconds(2300)) { stream, bytes in
      _ = try? (stream == .output ? FileDescriptor.standardOutput : .standardError).writeAll(bytes)
    }
    try await guest.shutDown()
    let last = String(decoding: result.output, as: UTF8.self).split(separator: "\n").last
    guard result.status == 0, let missed = last?.split(separator: " ").first.flatMap({ Int($0) }) else {
      throw Failure(
        .refused, "dev bench lio", "ended with status \(result.status) in the guest", answer: result.errors)
    }
    return missed
  }

  /// Measures everything here, which must be such a guest.
  func measure() async throws {
    _ = try await implementation().start()
    try? host.createDirectory(Self.directory)
    // The first run loads what the others find loaded: modules, and programs through the network file system.
    try await warmUp(exports(1, 1))
    var times: [Int: Double] = [:]
    for (targets, luns) in [(1, 1), (1, 10), (1, 100), (1, 255), (50, 4)] {
      let exports = exports(targets, luns)
      let up = try await bringUpAndDown(exports)
      if targets == 1 { times[luns] = up }
      if luns >= 100 { try countCalls(exports) }
    }
    table.ratio(
      "apply of 255 LUNs / of 100 LUNs: time", times[255] ?? .nan, times[100] ?? .nan, unit: "ms", goal: 2.8)
    if !quick { try await measurePeers(against: times[100] ?? .nan) }
    table.show()
    print("\(table.missed) goals are missed")
  }

  private func exports(_ targets: Int, _ luns: Int) -> Exports {
    Exports(directory: Self.directory, targets: targets, luns: luns, portals: ["127.0.0.1:3260"])
  }

  private func implementation() throws -> Implementation {
    try Implementation(ImplementationChoice.named("lio"), on: host)
  }

  private func file(_ name: String) -> String { Self.directory.appending(name).string }

  // MARK: Contestants

  private enum Direction: String { case up, down }

  private func floor(_ direction: Direction, _ exports: Exports) throws -> [String] {
    let program = try host.readLink("/proc/self/exe").removingLastComponent().appending("bench-floor")
    return [
      program.string, "lio", direction.rawValue, Self.directory.string, "\(exports.targets)",
      "\(exports.luns)",
    ]
  }

  private func quartet(_ direction: Direction) throws -> [String] {
    let document = file(direction == .up ? "state.yaml" : "nothing.yaml")
    return [try builtQuartet(on: host), "apply", "--implementation", "lio", "--prune", "--json", document]
  }

  private func prepare(_ exports: Exports) throws {
    try exports.makeBackings(on: host)
    let nothing = "quartet: 1\ntargets: []\n"
    for (name, text) in [("state.yaml", exports.document), ("nothing.yaml", nothing)] {
      try host.replace(FilePath(file(name)), with: Array(text.utf8), mode: 0o600)
    }
  }

  /// Runs a command; what it makes is looked at afterwards.
  private func time(_ argv: [String], _ direction: Direction, _ exports: Exports) throws -> Double {
    let usage = try Child.run(argv, environment: ["HOME": "/root"], output: file("output.log"))
    try check(direction, exports, argv[0])
    return usage.wall.milliseconds
  }

  private func time(
    _ direction: Direction, _ exports: Exports, by body: () async throws -> Void
  ) async throws -> Double {
    let begin = ContinuousClock.now
    try await body()
    let time = ContinuousClock.now - begin
    try check(direction, exports, "the library")
    return time.milliseconds
  }

  private func check(_ direction: Direction, _ exports: Exports, _ contestant: String) throws {
    let targets = try host.list(Self.configfs.appending("iscsi")).filter { $0.hasPrefix("iqn.") }
    let units = try targets.reduce(0) { count, name in
      let folder = Self.configfs.appending("iscsi/\(name)/tpgt_1/lun")
      return count + (try host.list(folder).count { $0.hasPrefix("lun_") })
    }
    let wanted = direction == .up ? (exports.targets, exports.targets * exports.luns) : (0, 0)
    let devices = try host.list(Self.configfs.appending("core")).count { $0 != "alua" }
    guard (targets.count, units) == wanted, direction == .up || devices == 0 else {
      throw Failure(
        .notTaken, contestant,
        "left \(targets.count) targets with \(units) LUNs and \(devices) backstores after \(direction.rawValue)",
        remedy: "see \(file("output.log"))")
    }
  }

  // MARK: Measurements

  private func warmUp(_ exports: Exports) async throws {
    try prepare(exports)
    for direction in [Direction.up, .down] {
      _ = try time(quartet(direction), direction, exports)
    }
    for direction in [Direction.up, .down] {
      _ = try time(floor(direction, exports), direction, exports)
    }
  }

  /// The typical time of `quartet apply` going up, in milliseconds.
  private func bringUpAndDown(_ exports: Exports) async throws -> Double {
    try prepare(exports)
    let implementation = try implementation()
    let desired = try exports.desiredState()
    let gone = desired.targets.map { Change.deleteTarget($0.name, force: false) }
    var times: [String: [Double]] = [:]
    for _ in 0..<repetitions {
      for direction in [Direction.up, .down] {
        times["floor \(direction)", default: []].append(
          try time(floor(direction, exports), direction, exports))
      }
      for direction in [Direction.up, .down] {
        times["apply \(direction)", default: []].append(try time(quartet(direction), direction, exports))
      }
      times["library up", default: []].append(
        try await time(.up, exports) { try await implementation.apply(desired) })
      times["library down", default: []].append(
        try await time(.down, exports) { try await implementation.perform(gone) })
    }
    let typical = times.mapValues(median)
    for direction in [Direction.up, .down] {
      // A single unit leaves nothing to be done side by side.
      let hasGoal = exports.targets * exports.luns >= 100
      let goal = hasGoal ? (direction == .up ? 0.7 : 0.35) : nil
      for ours in ["apply", "library"] {
        table.ratio(
          "\(exports.description), \(direction.rawValue): \(ours) / C program",
          typical["\(ours) \(direction)"] ?? .nan, typical["floor \(direction)"] ?? .nan, unit: "ms",
          goal: goal)
      }
    }
    return typical["apply up"] ?? .nan
  }

  private func countCalls(_ exports: Exports) throws {
    for direction in [Direction.up, .down] {
      let floor = try SystemCalls.count(floor(direction, exports), directory: Self.directory)
      let other: Direction = direction == .up ? .down : .up
      _ = try Child.run(self.floor(other, exports))
      if direction == .down { _ = try Child.run(quartet(.up), output: file("output.log")) }
      let ours = try SystemCalls.count(quartet(direction), directory: Self.directory)
      guard let floor, let ours else {
        return table.skipped("\(exports.description): system calls", "strace may not trace here")
      }
      table.ratio(
        "\(exports.description), \(direction.rawValue): system calls of apply / C program",
        Double(ours.total), Double(floor.total), unit: "calls", goal: direction == .up ? 1.25 : nil)
      if direction == .up {
        _ = try Child.run(quartet(.down), output: file("output.log"))
        _ = try Child.run(self.floor(.up, exports))
      }
    }
  }

  // MARK: Peers

  /// rtslib, as programs in Python use it.
  private static let rtslib = """
    from sys import argv
    from rtslib_fb import FabricModule, FileIOStorageObject, LUN, NetworkPortal, Target, TPG

    directory, targets, units = argv[1], int(argv[2]), int(argv[3])
    fabric = FabricModule("iscsi")
    for number in range(1, targets + 1):
        group = TPG(Target(fabric, f"iqn.2011-12.com.example:bench{number}"), 1)
        for lun in range(1, units + 1):
            identity = f"{number:08x}{lun:08x}"
            path = f"{directory}/{number}-{lun}.img"
            store = FileIOStorageObject(identity, path, 1 << 20, wwn=identity, write_back=False)
            LUN(group, lun, store)
        for attribute, value in ("demo_mode_write_protect", 0), ("cache_dynamic_acls", 1), ("generate_node_acls", 1):
            group.set_attribute(attribute, value)
        group.enable = True
        NetworkPortal(group, "127.0.0.1", 3260)

    """

  private func measurePeers(against ours: Double) async throws {
    let exports = exports(1, 100)
    try prepare(exports)
    try host.replace(FilePath(file("up.py")), with: Array(Self.rtslib.utf8), mode: 0o600)
    let saved = file("saved.json")
    let rtslib = ["/usr/bin/python3", file("up.py"), Self.directory.string, "1", "100"]
    guard host.executable("targetcli") != nil, host.executable("dbus-daemon") != nil else {
      return table.skipped("peers in Python", "targetcli-fb or dbus is not installed")
    }
    // targetcli asks the system bus for tcmu's handlers.
    try? host.createDirectory("/run/dbus")
    _ = try Child.run(["dbus-daemon", "--system", "--fork", "--nopidfile"])
    _ = try time(rtslib, .up, exports)
    _ = try Child.run(["targetctl", "save", saved], output: file("output.log"))
    _ = try time(quartet(.down), .down, exports)
    for (name, argv) in [
      ("rtslib", rtslib), ("targetctl restore", ["targetctl", "restore", saved]),
      ("targetcli restoreconfig", ["targetcli", "restoreconfig", saved]),
    ] {
      let bounded = ["timeout", "-s", "KILL", "\(Self.peerLimit.components.seconds)"] + argv
      let theirs = try time(bounded, .up, exports)
      table.ratio("\(exports.description), up: apply / \(name)", ours, theirs, unit: "ms", goal: 0.1)
      _ = try time(quartet(.down), .down, exports)
    }
  }
}
