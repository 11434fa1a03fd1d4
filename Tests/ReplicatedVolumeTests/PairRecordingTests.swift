import Testing
import VolumeSimulator

/// The simulated machines held to recordings of the real ones.
@Suite struct PairRecordingTests {
  /// The steps that the model answers otherwise, with the reason.
  private func check(
    _ name: String, _ pair: SimulatedPair, simpler: [Int: String] = [:],
    actions: [Int: @Sendable (SimulatedPair) async -> Void] = [:]
  ) async throws {
    let differences = try await PairReplay.differences(
      in: Recorded.text("\(name).jsonl"), on: pair, actions: actions)
    for difference in differences where simpler[difference.step] == nil {
      Issue.record("\(name) \(difference.step) \(difference)")
    }
    for step in simpler.keys where !differences.map(\.step).contains(step) {
      Issue.record("\(name) \(step) is no longer simpler")
    }
  }

  private typealias Action = @Sendable (SimulatedPair) async -> Void

  @Test func lifecycle() async throws {
    let pair = SimulatedPair()
    pair.syncsAtOnce = false
    // The peer left before it had told that its disk is up to date.
    let early = Dictionary(uniqueKeysWithValues: [161, 164, 167, 182, 185, 188].map { ($0, "left early") })
    try await check(
      "DRBD/lifecycle", pair, simpler: early,
      actions: [
        118: { $0.setOpen(true, "/dev/drbd0", on: "mike") },
        123: { $0.setOpen(false, "/dev/drbd0", on: "mike") },
        151: { $0.finishSync("vg1") },
        292: { pair in
          for name in pair.names {
            let host = pair.host(name)
            let text = (try? host.text("/etc/drbd.d/vg1.res")) ?? ""
            let net = "resource vg1 {\n  net { verify-alg crc32c; }"
            host.addFile("/etc/drbd.d/vg1.res", text: text.replacing("resource vg1 {", with: net))
          }
        },
      ])
  }

  @Test func failures() async throws {
    let pair = SimulatedPair()
    pair.syncsAtOnce = false
    try await check(
      "DRBD/failures", pair,
      actions: [
        60: { $0.powerCut("nancy") }, 120: { $0.powerCut("mike") },
        166: { $0.setLink(false) }, 209: { $0.setLink(true) },
      ])
  }

  /// Brings up the article's resource on both nodes, in sync, and mike primary unless the sync is skipped.
  private static func start(_ pair: SimulatedPair, disk: String, skipsSync: Bool = false) async {
    let text = """
      resource vg1 {
        device    /dev/drbd0;
        disk      \(disk);
        meta-disk internal;
        on mike { address 192.168.43.111:7788; }
        on nancy { address 192.168.43.112:7788; }
      }
      """
    for name in pair.names {
      pair.host(name).addFile("/etc/drbd.d/vg1.res", text: text)
      for verb in ["create-md", "up"] { await run(["drbdadm", verb, "vg1"], on: name, of: pair) }
    }
    if skipsSync {
      return await run(["drbdadm", "new-current-uuid", "--clear-bitmap", "vg1/0"], on: "mike", of: pair)
    }
    await run(["drbdadm", "primary", "--force", "vg1"], on: "mike", of: pair)
    pair.finishSync("vg1")
  }

  private static func run(_ argv: [String], on name: String, of pair: SimulatedPair) async {
    _ = try? await pair.host(name).run(argv, environment: [:], input: [], limit: .seconds(60))
  }

  @Test func disksThatFail() async throws {
    let pair = SimulatedPair(disks: ["/dev/mapper/back": 400_000 * 512, "/dev/vda": 256 << 20])
    pair.syncsAtOnce = false
    await Self.start(pair, disk: "/dev/mapper/back")
    func fail(_ node: String, writing kib: UInt64) -> Action {
      { pair in
        pair.setBroken(true, "/dev/mapper/back", of: node)
        pair.write("/dev/drbd0", on: "mike", kib: kib)
      }
    }
    try await check(
      "DRBD/disk-failure-and-hazards", pair,
      // The look came between two states that follow each other at once.
      simpler: [152: "it was asked for its generation at that moment"],
      actions: [
        12: fail("mike", writing: 608), 33: { $0.setBroken(false, "/dev/mapper/back", of: "mike") },
        62: fail("nancy", writing: 432), 80: { $0.setBroken(false, "/dev/mapper/back", of: "nancy") },
        172: { $0.setOpen(true, "/dev/drbd0", on: "mike") },
        173: { $0.setOpen(false, "/dev/drbd0", on: "mike") },
        176: { pair in
          let text = (try? pair.host("mike").text("/etc/drbd.d/vg1.res")) ?? ""
          pair.host("mike").addFile(
            "/etc/drbd.d/vg1.res", text: text.replacing("/dev/mapper/back", with: "/dev/vda"))
          await Self.run(["lvm", "pvcreate", "/dev/vda"], on: "mike", of: pair)
        },
        178: { pair in
          await Self.run(["wipefs", "--all", "/dev/vda"], on: "mike", of: pair)
          pair.put("ext3", on: "/dev/vda", of: "mike")
        },
      ])
  }

  @Test func disksThatGrow() async throws {
    let disk = "/dev/mapper/disk0"
    let pair = SimulatedPair(disks: [disk: 12 << 20])
    pair.syncsAtOnce = false
    let late = Duration.seconds(1000)
    await Self.start(pair, disk: disk, skipsSync: true)
    /// What was done to the disks before a step; nancy answers at once, unless her disk is suspended.
    func disks(_ mike: UInt64? = nil, _ nancy: UInt64? = nil, suspended: Bool = false) -> Action {
      { pair in
        if let mike { pair.resize(disk, of: "mike", to: mike << 20) }
        if let nancy { pair.resize(disk, of: "nancy", to: nancy << 20) }
        pair.answerDelay = suspended ? late : .zero
      }
    }
    let resumed: Action = { $0.host("mike").advance(by: late) }
    try await check(
      "DRBD/resize", pair,
      actions: [
        5: disks(),
        6: { await Self.run(["drbdadm", "primary", "vg1"], on: "mike", of: $0) },
        7: { $0.host("mike").advance(by: .zero) },
        11: disks(16), 12: resumed, 16: disks(16, 16, suspended: true), 19: resumed,
        25: { $0.finishSync("vg1") },
        29: disks(nil, 24), 30: { $0.host("nancy").advance(by: .zero) }, 34: disks(20, suspended: true),
        37: {
          $0.host("mike").advance(by: late); $0.finishSync("vg1")
        },
        41: disks(28, 32, suspended: true),
        44: {
          $0.host("mike").advance(by: late); $0.finishSync("vg1")
        },
        48: { pair in
          await Self.run(["drbdadm", "disconnect", "vg1"], on: "nancy", of: pair)
          pair.resize(disk, of: "mike", to: 36 << 20)
        },
        51: disks(nil, 36),
        54: { pair in
          await Self.run(["drbdadm", "connect", "vg1"], on: "nancy", of: pair)
          pair.finishSync("vg1")
        },
        59: resumed,
      ])
  }

  @Test func volumes() async throws {
    let pair = SimulatedPair()
    await Self.start(pair, disk: "/dev/vda")
    let filter = "devices {\n\tglobal_filter = [ \"a|^/dev/drbd|\", \"r|.*|\" ]\n}\n"
    let accept: Action = { pair in
      for name in pair.names { pair.host(name).addFile("/etc/lvm/lvm.conf", text: filter) }
    }
    try await check(
      "LVM/lvm-on-drbd", pair,
      actions: [
        13: { $0.host("mike").addFile("/etc/lvm/lvm.conf", text: filter) }, 39: accept,
        72: { $0.setOpen(true, "vg1/lun1", on: "mike") }, 76: { $0.setOpen(false, "vg1/lun1", on: "mike") },
      ])
  }
}
