import HostInterface
import Testing
import VolumeSimulator

@testable import ReplicatedVolume

/// What the tools and the machine do not allow, refused before anything is touched or undone behind it.
@Suite struct VolumeBadInputTests {
  /// A change that must fail, and leave everything as it is.
  private func refusal(
    _ stack: Stack, _ change: VolumeChange, on node: String = "mike", leaves: Bool = false
  ) async throws -> Failure {
    let before = stack.pair.summary
    let failure = try await #require(throws: Failure.self) { try await stack.run(change, on: node) }
    let left = VolumeFaultTests.difference(before, stack.pair.summary)
    #expect(left.isEmpty, "\(change) leaves \(left)")
    #expect(failure.leftovers == [] && stack.pair.damage == [])
    return failure
  }

  private func create(_ change: (inout Resource) throws -> Void = { _ in }) throws -> VolumeChange {
    .createResource(try ResourceFileTests.resource(change), wipe: false)
  }

  @Test func disksThatCannotBeUsed() async throws {
    let small = try Stack(disks: ["/dev/vda": 40 << 10])
    #expect(try await refusal(small, create()).problem.contains("too small"))
    let mounted = try Stack()
    mounted.pair.host("mike").mount("/dev/vda", at: "/srv")
    #expect(try await refusal(mounted, create()).problem.contains("mounted at /srv"))
    let held = try Stack()
    held.pair.host("mike").addHolder("used as swap", of: "/dev/vda")
    #expect(try await refusal(held, create()).code == .inUse)
    let foreign = try Stack()
    foreign.pair.put("ext4", on: "/dev/vda", of: "mike")
    #expect(try await refusal(foreign, create()).problem.contains("ext4"))
    let gone = try Stack(disks: ["/dev/vdz": 1 << 30])
    #expect(try await refusal(gone, create()).code == .notFound)
    let group = try Stack()
    try await group.run(.createPool(group.pool, [DevicePath("/dev/vda")], extentSize: nil))
    #expect(try await refusal(group, create()).problem.contains("LVM2_member"))
  }

  @Test func metadataOfAnotherResourceIsKept() async throws {
    let stack = try Stack()
    try await stack.build()
    try await stack.run(.demote(stack.name), .removeResource(stack.name, wipe: false))
    // The disk has the data of a resource whose file is gone.
    #expect(try await refusal(stack, create()).problem.contains("drbd"))
  }

  @Test func minorsAndPortsThatAreTaken() async throws {
    let stack = try Stack()
    try await stack.build()
    func other(_ port: UInt16, _ minor: UInt32, disk: String = "/dev/vdb") throws -> VolumeChange {
      try create { resource in
        resource.name = try ResourceName("vg2")
        for index in resource.nodes.indices {
          resource.nodes[index].address.port = port
          resource.nodes[index].volumes = [try Resource.Volume(minor: minor, disk: DevicePath(disk))]
        }
      }
    }
    #expect(try await refusal(stack, other(7788, 1)).problem.contains("192.168.43.111:7788"))
    #expect(try await refusal(stack, other(7789, 0)).problem.contains("minor 0"))
    #expect(try await refusal(stack, other(7789, 1, disk: "/dev/vda")).problem.contains("disk /dev/vda"))
    try await stack.run(other(7789, 1))
    #expect(try await stack.driver().read().running.map(\.name.description) == ["vg1", "vg2"])
  }

  @Test func aPortThatOnlyTheKernelKnowsIsTakenBackWhole() async throws {
    let stack = try Stack()
    try await stack.build()
    // Its file is gone, and the resource runs on.
    stack.pair.host("mike").remove("/etc/drbd.d/vg1.res")
    let change = try create { resource in
      resource.name = try ResourceName("vg2")
      for index in resource.nodes.indices {
        resource.nodes[index].volumes = [try Resource.Volume(minor: 1, disk: DevicePath("/dev/vdb"))]
      }
    }
    let failure = try await refusal(stack, change)
    #expect(failure.code == .exists && failure.answer?.contains("Local address(port) already in use") == true)
  }

  @Test func aPeerThatDoesNotAnswerIsWaitedForByNobody() async throws {
    let stack = try Stack()
    stack.pair.setLink(false)
    try await stack.run(create())
    let host = stack.pair.host("mike")
    let start = host.now
    try await stack.run(.firstSync(stack.name), .applyFilter, .disconnect(stack.name), .connect(stack.name))
    #expect(host.now - start < .seconds(60))
    #expect(try await stack.driver().read().status(stack.name)?.peers.first?.connection == .connecting)
    #expect(try await refusal(stack, .invalidate(stack.name)).code == .inUse)
    stack.pair.resize("/dev/vda", of: "mike", to: 320 << 20)
    #expect(try await refusal(stack, .resize(stack.name)).code == .refused)
    #expect(try await refusal(stack, .detach(stack.name)).problem.contains("only copy"))
  }

  @Test func promotionWhileThePeerIsPrimaryNamesIt() async throws {
    let stack = try Stack()
    try await stack.build()
    let failure = try await refusal(stack, .promote(stack.name), on: "nancy")
    #expect(failure.code == .refused && failure.problem == "is primary on mike")
    // A split brain is no reason to be primary twice on one link.
    stack.pair.setLink(false)
    try await stack.run(.promote(stack.name), on: "nancy")
    stack.pair.write("/dev/drbd0", on: "nancy")
    stack.pair.write("/dev/drbd0", on: "mike")
    stack.pair.setLink(true)
    let state = try await stack.driver().read()
    #expect(state.splitBrain == [stack.name])
    #expect(try await refusal(stack, .discardMine(stack.name)).code == .inUse)
  }

  @Test func aFullPoolIsToldBeforehand() async throws {
    let stack = try Stack()
    try await stack.build()
    let lun2 = try VolumePath("vg1/lun2")
    for change in [
      VolumeChange.createVolume(lun2, .extents(61)), .createThinPool(lun2, .extents(61)),
      .snapshot(lun2, of: try VolumeName("lun1"), .extents(61)),
      .extendVolume(try VolumePath("vg1/lun1"), .extents(64)),
    ] {
      let failure = try await refusal(stack, change)
      #expect(failure.problem.contains("has 60 free") && failure.code == .refused, "\(failure)")
    }
    // Of what is free, a thin pool needs some for its metadata.
    #expect(try await refusal(stack, .createThinPool(lun2, .extents(60))).code == .refused)
  }

  @Test func whatHoldsDataIsNotShrunk() async throws {
    let stack = try Stack()
    try await stack.build()
    let lun1 = try VolumePath("vg1/lun1")
    #expect(
      try await refusal(stack, .reduceVolume(lun1, .extents(2), force: false)).remedy?.contains("--force")
        == true)
    stack.pair.setOpen(true, "vg1/lun1", on: "mike")
    #expect(try await refusal(stack, .reduceVolume(lun1, .extents(2), force: true)).code == .inUse)
    #expect(try await refusal(stack, .removeVolume(lun1)).code == .inUse)
    #expect(try await refusal(stack, .deactivate(stack.pool)).code == .inUse)
    #expect(try await refusal(stack, .demote(stack.name)).problem.contains("vg1/lun1 is open"))
    stack.pair.setOpen(false, "vg1/lun1", on: "mike")
    #expect(try await refusal(stack, .removePool(stack.pool)).problem.contains("lun1"))
    #expect(try await refusal(stack, .down(stack.name)).code == .inUse)
    #expect(try await refusal(stack, .removeResource(stack.name, wipe: true)).code == .inUse)
    let plain = try Stack()
    try await plain.run(
      .createPool(plain.pool, [DevicePath("/dev/vdb"), DevicePath("/dev/vdc")], extentSize: nil),
      .createVolume(lun1, .extents(3)))
    #expect(
      try await refusal(plain, .reducePool(plain.pool, DevicePath("/dev/vdb"))).problem.contains("3 extents"))
  }

  @Test func theDiskBelowIsNobodysElse() async throws {
    let stack = try Stack()
    try await stack.build()
    #expect(
      try await refusal(stack, .createPool(PoolName("vg2"), [DevicePath("/dev/vda")], extentSize: nil))
        .problem.contains("below resource vg1"))
    // Without the filter LVM sees the stale copy on the node that is secondary, and with DRBD down could activate it.
    stack.pair.host("nancy").remove("/etc/lvm/lvmlocal.conf")
    #expect(try await refusal(stack, .activate(stack.pool), on: "nancy").remedy?.contains("filter") == true)
    try await stack.run(.down(stack.name), on: "nancy")
    #expect(try await refusal(stack, .activate(stack.pool), on: "nancy").remedy?.contains("filter") == true)
  }

  @Test func anActivationThatFailsIsTakenBackWhole() async throws {
    let stack = try Stack()
    try await stack.build()
    try await stack.run(.createVolume(VolumePath("vg1/lun2"), .extents(2)), .demote(stack.name))
    stack.pair.refuseActivation(of: "vg1/lun2", on: "mike")
    #expect(try await refusal(stack, .promote(stack.name)).code == .inUse)
  }

  @Test(arguments: [
    "", "a b", "../vg1", "vg1;reboot", "vg1\n", "-f", "a/b", "\"x\"", "$(x)", "vg1{", "all", ".", "vg1\u{0}",
  ])
  func namesWithSyntaxInThem(_ text: String) {
    #expect(throws: Failure.self) { try ResourceName(text) }
    if text != "all" {
      #expect(throws: Failure.self) { try NodeName(text) }
      #expect(throws: Failure.self) { try PoolName(text) }
      #expect(throws: Failure.self) { try VolumeName(text) }
      #expect(throws: Failure.self) { try VolumePath("vg1/\(text)") }
    }
    #expect(throws: Failure.self) { try DevicePath(text) }
  }

  @Test(arguments: [
    "vda", "/", "/dev/../etc/passwd", "/dev/v da", "/dev/vda;", "/dev/\"x", "/dev/x\ny", "/dev/vda{",
    "/dev/#x",
  ])
  func pathsWithSyntaxInThem(_ text: String) {
    #expect(throws: Failure.self) { try DevicePath(text) }
  }
}
