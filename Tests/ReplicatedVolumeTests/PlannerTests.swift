import HostInterface
import SystemPackage
import Testing

@testable import ReplicatedVolume

@Suite struct PlannerTests {
  private static let disk = "/dev/vda"

  /// A node that has the article's resource in the state of a recorded step, and a pool on it.
  private func state(
    recorded: (String, Int)? = ("DRBD/lifecycle", 94), file: Bool = true, ours: Bool = true,
    _ change: (inout VolumeState) throws -> Void = { _ in }
  ) throws -> VolumeState {
    var state = VolumeState(
      node: try NodeName("mike"), generation: .eight, files: [], running: [], splitBrain: [],
      pools: PoolState(),
      unfiltered: [:])
    if file {
      state.files = [
        FoundResource(
          resource: try ResourceFileTests.resource(), file: "/etc/drbd.d/vg1.res", foreign: [], isOurs: ours)
      ]
    }
    if let recorded { state.running = [try Recorded.status(recorded.0, recorded.1)] }
    try change(&state)
    return state
  }

  private func commands(
    _ change: VolumeChange, _ state: VolumeState, _ facts: [DevicePath: DiskFacts] = [:]
  ) throws -> [String] {
    let planner = VolumePlanner(state: state, facts: facts, hasUdev: true, filter: nil)
    return try planner.steps(for: change).steps.map { step in
      if case .run(let command) = step.operation { return command.argv.map(\.display).joined(separator: " ") }
      return step.operation.display.prefix { $0 != "\n" && $0 != "'" }.trimmed
    }
  }

  private func facts(size: UInt64 = 256 << 20, holders: [String] = [], signatures: [String] = []) throws
    -> [DevicePath: DiskFacts]
  {
    [
      try DevicePath(Self.disk): DiskFacts(
        status: FileStatus(kind: .blockDevice, size: size, identity: "254:0"),
        holders: holders.map(Holder.init),
        signatures: signatures)
    ]
  }

  private func refusal(
    _ change: VolumeChange, _ state: VolumeState, _ facts: [DevicePath: DiskFacts] = [:]
  ) throws -> Failure {
    try #require(throws: Failure.self) { _ = try commands(change, state, facts) }
  }

  private let name = "vg1"

  @Test func aNewResourceIsWrittenMadeAndBroughtUp() throws {
    let create = VolumeChange.createResource(try ResourceFileTests.resource(), wipe: false)
    let new = try state(recorded: nil, file: false)
    #expect(
      try commands(create, new, facts()) == [
        "modprobe drbd", "printf %s", "drbdadm create-md vg1/0", "drbdadm up vg1",
      ])
    // Killed after any step, the next run does the rest.
    #expect(
      try commands(create, state(recorded: nil), facts()) == [
        "modprobe drbd", "drbdadm create-md vg1/0", "drbdadm up vg1",
      ])
    #expect(
      try commands(create, state(recorded: nil), facts(signatures: ["drbd"])) == [
        "modprobe drbd", "drbdadm up vg1",
      ])
    #expect(try commands(create, state(), facts()) == [])
  }

  @Test func everyStepOfMakingAResourceHasItsInverse() throws {
    let planner = VolumePlanner(
      state: try state(recorded: nil, file: false), facts: try facts(), hasUdev: true, filter: nil)
    let (steps, warnings) = try planner.steps(
      for: .createResource(ResourceFileTests.resource(), wipe: false))
    #expect(
      steps.map { $0.undo.map(\.display) } == [
        [], ["rm /etc/drbd.d/vg1.res"],
        ["LC_ALL=C drbdadm down vg1", "LC_ALL=C drbdadm -- --force wipe-md vg1/0"],
        ["LC_ALL=C drbdadm down vg1"],
      ])
    #expect(warnings.first?.contains("268390400 bytes") == true)
  }

  @Test func disksThatAreNotFreeAreRefused() throws {
    let create = VolumeChange.createResource(try ResourceFileTests.resource(), wipe: false)
    let new = try state(recorded: nil, file: false)
    #expect(try refusal(create, new, [:]).code == .notFound)
    #expect(try refusal(create, new, facts(size: 40 << 10)).code == .invalid)
    #expect(try refusal(create, new, facts(holders: ["mounted at /srv"])).problem.contains("mounted at /srv"))
    let foreign = try refusal(create, new, facts(signatures: ["ext4", "drbd"]))
    #expect(foreign.code == .inUse && foreign.problem.contains("drbd, ext4"))
    let wipe = VolumeChange.createResource(try ResourceFileTests.resource(), wipe: true)
    #expect(
      try commands(wipe, new, facts(signatures: ["ext4"])).suffix(3) == [
        "wipefs --all /dev/vda", "drbdadm create-md --force vg1/0", "drbdadm up vg1",
      ])
  }

  @Test func filesOfOthersAreLeftAlone() throws {
    let other = VolumeChange.createResource(
      try ResourceFileTests.resource { $0.replication = .asynchronous }, wipe: false)
    #expect(try refusal(other, state(ours: false)).code == .exists)
    #expect(try refusal(other, state { $0.files[0].foreign = ["options of connections"] }).code == .exists)
    #expect(try refusal(other, state { $0.files[0].file = "/etc/drbd.conf" }).code == .exists)
    #expect(try commands(other, state()) == ["printf %s", "drbdadm adjust vg1"])
    #expect(
      try refusal(.removeResource(ResourceName(name), wipe: false), state(ours: false)).code == .refused)
  }

  @Test func minorsPortsAndDisksAreTheMachines() throws {
    func refused(_ change: (inout Resource) throws -> Void) throws -> String {
      var other = try ResourceFileTests.resource()
      other.name = try ResourceName("vg2")
      for index in other.nodes.indices {
        other.nodes[index].address.port = 7789
        other.nodes[index].volumes[0] = try Resource.Volume(minor: 1, disk: DevicePath("/dev/vdb"))
      }
      try change(&other)
      return try refusal(.createResource(other, wipe: false), state(), [:]).problem
    }
    #expect(try refused { $0.nodes[0].address.port = 7788 }.contains("192.168.43.111:7788"))
    #expect(try refused { $0.nodes[0].volumes[0].minor = 0 }.contains("minor 0"))
    #expect(
      try refused { $0.nodes[0].volumes[0].disk = try DevicePath("/dev/vda") }.contains("disk /dev/vda"))
    #expect(try refused { $0.nodes[0].name = try NodeName("x") }.contains("no node mike"))
  }

  @Test func promotionIsInTheArticlesOrderAndUndoneBackwards() throws {
    let planner = VolumePlanner(
      state: try state(recorded: ("DRBD/lifecycle", 105)), facts: [:], hasUdev: false, filter: nil)
    // The recorded node is nancy, whose peer is primary.
    let refused = try #require(throws: Failure.self) {
      _ = try planner.steps(for: .promote(ResourceName(name)))
    }
    #expect(refused.problem == "is primary on nancy")
    let secondary = try state { $0.running[0].role = .secondary }
    let steps = try VolumePlanner(state: secondary, facts: [:], hasUdev: true, filter: nil)
      .steps(for: .promote(ResourceName(name))).steps
    #expect(
      steps.map(\.operation.display) == [
        "LC_ALL=C drbdadm primary vg1",
        "LC_ALL=C LVM_SUPPRESS_FD_WARNINGS=1 lvm vgchange --activate y --select pv_name=/dev/drbd0",
      ])
    #expect(steps.map { $0.undo.count } == [2, 1])
    #expect(try commands(.promote(ResourceName(name)), state()) == [])
  }

  @Test func promotionNeedsDataAndAFilter() throws {
    let promote = VolumeChange.promote(try ResourceName(name))
    #expect(
      try refusal(promote, state(recorded: ("DRBD/lifecycle", 33))).remedy?.contains("volume sync") == true)
    #expect(try refusal(promote, state(recorded: ("DRBD/lifecycle", 265))).problem.contains("Outdated"))
    #expect(try refusal(promote, state(recorded: nil)).code == .notFound)
    #expect(try refusal(promote, state(recorded: nil, file: false)).code == .notFound)
    let seen = try state {
      $0.running[0].role = .secondary
      $0.unfiltered = [try ResourceName(name): [try DevicePath(Self.disk)]]
    }
    #expect(try commands(promote, seen).count == 2)
    let stale = try state {
      $0 = seen
      $0.pools?.unused = [
        PhysicalVolume(
          uuid: "u", device: Self.disk, deviceSize: 1, extents: 0, allocated: 0, isMissing: false)
      ]
    }
    #expect(try refusal(promote, stale).remedy?.contains("pool filter --apply") == true)
    // Without a disk of its own a node can use its peer's.
    let diskless = try state(recorded: ("DRBD/lifecycle", 350)) { $0.running[0].role = .secondary }
    #expect(try commands(promote, diskless).first == "drbdadm primary vg1")
  }

  @Test func demotionGoesTheOtherWayAndNotWhileAVolumeIsOpen() throws {
    let demote = VolumeChange.demote(try ResourceName(name))
    let active = try state { $0.pools = try LVMReport.parse(Reports.full) }
    #expect(
      try commands(demote, active) == [
        "lvm vgchange --activate n --select pv_name=/dev/drbd0", "drbdadm secondary vg1",
      ])
    #expect(try commands(demote, state()) == ["drbdadm secondary vg1"])
    let open = try state {
      $0.pools = active.pools
      $0.pools?.pools[0].volumes[0].isOpen = true
    }
    #expect(try refusal(demote, open).problem.contains("vg1/lun1 is open"))
    #expect(try commands(demote, state { $0.running[0].role = .secondary }) == [])
  }

  @Test func copiesAreOnlyThrownAwayWhereThatIsMeant() throws {
    let name = try ResourceName(name)
    #expect(try refusal(.invalidate(name), state()).code == .inUse)
    #expect(try refusal(.discardMine(name), state()).code == .inUse)
    let alone = try state(recorded: ("DRBD/lifecycle", 265))
    #expect(try commands(.discardMine(name), alone) == ["drbdadm connect --discard-my-data vg1"])
    #expect(try refusal(.invalidate(name), alone).problem.contains("no other copy"))
    #expect(try refusal(.firstSync(name), alone).problem.contains("is not new"))
    #expect(
      try commands(.firstSync(name), state(recorded: ("DRBD/lifecycle", 48))) == [
        "drbdadm primary --force vg1"
      ])
    #expect(
      try commands(.skipFirstSync(name), state(recorded: ("DRBD/lifecycle", 48))) == [
        "drbdadm new-current-uuid --clear-bitmap vg1/0"
      ])
    #expect(try refusal(.skipFirstSync(name), state(recorded: ("DRBD/lifecycle", 33))).code == .refused)
    #expect(try refusal(.down(name), state()).code == .inUse)
    #expect(try refusal(.verify(name), state()).problem.contains("verify-alg"))
    #expect(try refusal(.resize(name), state(recorded: ("DRBD/lifecycle", 73))).code == .refused)
    #expect(try commands(.connect(name), state()) == [])
    #expect(try commands(.connect(name), alone) == ["drbdadm connect vg1"])
  }
}
