import HostInterface
import Simulation
import Testing
import VolumeSimulator

@testable import ReplicatedVolume

/// A resource takes what its disks have grown by, and LVM hears of it, whenever the other node answers.
@Suite struct ResizeTests {
  private static let old: UInt64 = 256 << 20

  /// The article's stack, whose disks have got other sizes.
  private func stack(mike: UInt64 = old, nancy: UInt64 = old) async throws -> Stack {
    let stack = try Stack()
    try await stack.build()
    stack.pair.resize("/dev/vda", of: "mike", to: mike)
    stack.pair.resize("/dev/vda", of: "nancy", to: nancy)
    return stack
  }

  /// Whether DRBD has what disks of so many bytes have room for, and LVM what DRBD has.
  private func isTaken(_ disk: UInt64, _ stack: Stack) async throws -> Bool {
    let state = try await stack.driver().read()
    let usable = try MetadataSize(disk: disk).usable
    return state.status(stack.name)?.volumes.map(\.size) == [usable]
      && state.pools?[stack.pool]?.extents == Pool.extents(onDevice: usable, of: 4 << 20)
  }

  private func resize(_ stack: Stack, on node: String = "mike") async throws -> VolumeDriver.Proposal {
    try await stack.driver(node).perform([.resize(stack.name)])
  }

  private func refusal(_ stack: Stack, on node: String = "mike") async throws -> Failure {
    try await #require(throws: Failure.self) { try await resize(stack, on: node) }
  }

  /// The commands of a plan.
  private func commands(_ plan: Plan) -> [String] {
    plan.steps.map { step in
      guard case .run(let command) = step.operation else { return "wait" }
      return command.argv.map(\.display).joined(separator: " ")
    }
  }

  /// A host that is killed behind `drbdadm resize`.
  private func killed(_ stack: Stack) async throws {
    let host = FaultingHost(
      stack.pair.host("mike"), failing: 1, with: .killAfter, isMutating: VolumeFaultTests.changes)
    await #expect(throws: Failure.self) { try await VolumeDriver(on: host).perform([.resize(stack.name)]) }
  }

  @Test(arguments: [Duration.zero, .milliseconds(10), .seconds(9)])
  func lvmIsToldWhatThePeerAgreesTo(_ delay: Duration) async throws {
    let stack = try await stack(mike: 320 << 20, nancy: 384 << 20)
    stack.pair.answerDelay = delay
    let done = try await resize(stack)
    #expect(commands(done.plan) == ["drbdadm resize vg1", "wait", "lvm pvresize /dev/drbd0"])
    #expect(try await isTaken(320 << 20, stack) && done.warnings == [])
    let again = try await resize(stack)
    #expect(again.plan.isEmpty)
  }

  @Test func aSizeThatComesInTwoStepsIsTakenWhole() async throws {
    let stack = try await stack(nancy: 320 << 20)
    // What this node knows of the peer's disk, which grows further.
    #expect(try await refusal(stack, on: "nancy").remedy?.contains("enlarge the one of mike first") == true)
    stack.pair.resize("/dev/vda", of: "mike", to: 384 << 20)
    stack.pair.resize("/dev/vda", of: "nancy", to: 384 << 20)
    _ = try await resize(stack)
    #expect(try await isTaken(384 << 20, stack))
  }

  @Test func aPeerWhoseDiskIsAsItWasIsNamed() async throws {
    let stack = try await stack(mike: 320 << 20)
    let (before, start) = (stack.pair.summary, stack.pair.host("mike").now)
    let failure = try await refusal(stack)
    let (has, room) = (try MetadataSize(disk: Self.old).usable, try MetadataSize(disk: 320 << 20).usable)
    #expect(failure.code == .timedOut && failure.subject == "resource vg1" && failure.leftovers == [])
    #expect(failure.problem.contains("/dev/drbd0 still has \(has) bytes after 10 s"), "\(failure)")
    #expect(failure.problem.contains("/dev/vda of this node has room for \(room)"), "\(failure)")
    #expect(failure.remedy?.contains("enlarge the one of nancy first") == true, "\(failure)")
    #expect(stack.pair.host("mike").now - start <= .seconds(11))
    #expect(VolumeFaultTests.difference(before, stack.pair.summary) == [])
    stack.pair.resize("/dev/vda", of: "nancy", to: 320 << 20)
    _ = try await resize(stack)
    #expect(try await isTaken(320 << 20, stack))
  }

  @Test func aPeerWhoseDiskIsSmallerDecides() async throws {
    let stack = try await stack(mike: 384 << 20, nancy: 320 << 20)
    let done = try await resize(stack)
    #expect(try await isTaken(320 << 20, stack))
    #expect(done.warnings.count == 1 && done.warnings[0].contains("the smallest disk of all nodes decides"))
    #expect(try await refusal(stack).code == .timedOut)
    #expect(try await isTaken(320 << 20, stack))
  }

  @Test func anAnswerBehindTheLimitIsToldByTheNextRun() async throws {
    let stack = try await stack(mike: 320 << 20, nancy: 320 << 20)
    stack.pair.answerDelay = .seconds(30)
    #expect(try await refusal(stack).code == .timedOut)
    #expect(try await isTaken(Self.old, stack))
    stack.pair.host("mike").advance(by: .seconds(20))
    #expect(try await isTaken(320 << 20, stack) == false)
    let done = try await resize(stack)
    #expect(commands(done.plan) == ["lvm pvresize /dev/drbd0"])
    #expect(try await isTaken(320 << 20, stack))
  }

  @Test(arguments: [320 << 20, 384 << 20] as [UInt64])
  func aRunThatWasKilledIsFinished(_ mike: UInt64) async throws {
    let stack = try await stack(mike: mike, nancy: 320 << 20)
    try await killed(stack)
    stack.pair.host("mike").advance(by: .seconds(1))
    #expect(try await isTaken(320 << 20, stack) == false)
    // The peer's disk, where it is smaller, has nothing more to give, and LVM is told nevertheless.
    _ = try await resize(stack)
    #expect(try await isTaken(320 << 20, stack))
  }

  @Test func lvmIsToldWhileWhatIsNewIsCopied() async throws {
    let stack = try await stack(mike: 320 << 20, nancy: 320 << 20)
    stack.pair.syncsAtOnce = false
    try await killed(stack)
    stack.pair.host("mike").advance(by: .seconds(1))
    #expect(try await stack.driver().read().status(stack.name)?.isBusy == true)
    #expect(commands(try await resize(stack).plan) == ["lvm pvresize /dev/drbd0"])
    #expect(try await isTaken(320 << 20, stack))
    stack.pair.resize("/dev/vda", of: "mike", to: 384 << 20)
    #expect(try await refusal(stack).code == .refused)
    #expect(stack.pair.damage == [])
  }

  @Test func aPeerThatIsGoneIsNamed() async throws {
    let stack = try await stack(mike: 320 << 20, nancy: 320 << 20)
    stack.pair.answerDelay = .seconds(5)
    stack.pair.host("mike").perform(after: .seconds(1)) { [pair = stack.pair] _ in pair.setLink(false) }
    let failure = try await refusal(stack)
    #expect(failure.code == .timedOut && failure.remedy?.hasPrefix("nancy is not connected") == true)
    // Before it begins that is seen: DRBD would grow alone, as far as the peer's disk was when it was last there.
    #expect(try await refusal(stack).code == .refused)
    stack.pair.setLink(true)
    _ = try await resize(stack)
    #expect(try await isTaken(320 << 20, stack))
  }

  @Test func aSecondaryWaitsAsWell() async throws {
    let stack = try await stack(mike: 320 << 20, nancy: 320 << 20)
    #expect(commands(try await resize(stack, on: "nancy").plan) == ["drbdadm resize vg1", "wait"])
    let sizes = try await stack.driver("nancy").read().status(stack.name)?.volumes.map(\.size)
    #expect(sizes == [try MetadataSize(disk: 320 << 20).usable])
    // The primary has it from there, and its LVM is told here.
    #expect(commands(try await resize(stack).plan) == ["lvm pvresize /dev/drbd0"])
    #expect(try await isTaken(320 << 20, stack))
  }

  @Test func aResourceThatIsPrimaryNowhereIsRefused() async throws {
    let stack = try await stack(mike: 320 << 20, nancy: 320 << 20)
    try await stack.run(.demote(stack.name))
    #expect(try await refusal(stack).remedy?.contains("volume promote vg1") == true)
  }

  @Test func aDryRunTellsTheWait() async throws {
    let stack = try await stack(mike: 320 << 20, nancy: 320 << 20)
    var options = VolumeDriver.Options()
    options.dryRun = true
    let proposal = try await stack.driver().perform([.resize(stack.name)], options: options)
    let (has, room) = (try MetadataSize(disk: Self.old).usable, try MetadataSize(disk: 320 << 20).usable)
    #expect(
      proposal.plan.steps.map(\.operation.display) == [
        "LC_ALL=C drbdadm resize vg1",
        "timeout 10 sh -c 'until test \"$(cat \"$0\")\" -ge \"$1\"; do sleep 0.1; done' "
          + "/sys/block/drbd0/size \(room / 512) || test \"$(cat /sys/block/drbd0/size)\" -gt \(has / 512)",
        "LC_ALL=C LVM_SUPPRESS_FD_WARNINGS=1 lvm pvresize /dev/drbd0",
      ])
    #expect(try await isTaken(Self.old, stack))
  }
}

extension ResizeTests {
  /// Two volumes with metadata inside and outside, of which both are in the pool.
  private func pairOfVolumes(_ change: (inout Resource) throws -> Void = { _ in }) async throws -> Stack {
    let stack = try Stack()
    let resource = try ResourceFileTests.resource { resource in
      for index in resource.nodes.indices {
        var volume = try Resource.Volume(number: 1, minor: 1, disk: DevicePath("/dev/vdb"))
        volume.metadata = .device(try DevicePath("/dev/vdc"))
        resource.nodes[index].volumes.append(volume)
      }
      try change(&resource)
    }
    for node in stack.pair.names {
      try await stack.run(.createResource(resource, wipe: false), .applyFilter, on: node)
    }
    try await stack.run(.firstSync(stack.name))
    try await stack.run(
      .createPool(stack.pool, [DevicePath("/dev/drbd0"), DevicePath("/dev/drbd1")], extentSize: nil))
    return stack
  }

  private func extents(_ stack: Stack) async throws -> [UInt64]? {
    try await stack.driver().read().pools?[stack.pool]?.devices.sorted { $0.device < $1.device }.map(
      \.extents)
  }

  @Test func oneVolumeWaitsForNoOther() async throws {
    let stack = try await pairOfVolumes()
    let pair = stack.pair
    #expect(try await extents(stack) == [63, 31])
    // The first cannot grow, since the peer's disk is as it was; the second does.
    pair.resize("/dev/vda", of: "mike", to: 320 << 20)
    for node in pair.names { pair.resize("/dev/vdb", of: node, to: 192 << 20) }
    #expect(try await refusal(stack).problem.contains("/dev/drbd0"))
    #expect(try await refusal(stack).problem.contains("/dev/drbd0"))
    #expect(try await extents(stack) == [63, 47])
    pair.resize("/dev/vda", of: "nancy", to: 320 << 20)
    _ = try await resize(stack)
    #expect(try await extents(stack) == [79, 47])
  }

  @Test func whereTheFileNamesASizeNothingIsWaitedFor() async throws {
    let stack = try await pairOfVolumes { $0.settings[.disk] = ["size": "100M"] }
    stack.pair.resize("/dev/vda", of: "mike", to: 320 << 20)
    #expect(
      commands(try await resize(stack).plan) == [
        "drbdadm resize vg1", "lvm pvresize /dev/drbd0", "lvm pvresize /dev/drbd1",
      ])
  }
}
