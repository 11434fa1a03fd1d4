import HostInterface
import Quartet
import SystemPackage
import TargetCore
import Testing

/// What is bad, and what the machine refuses: nothing is left of it, and the error says what it was.
@Suite struct RefusalTests {
  let bench: Workbench

  init() throws { bench = try Workbench() }

  /// Expects a failure that leaves everything as it was.
  private func refusal(
    _ code: Failure.Code, on bench: Workbench? = nil, _ changes: [Change]
  ) async throws -> Failure? {
    let bench = bench ?? self.bench
    let before = try await bench.read()
    let failure = await #expect(throws: Failure.self) { try await bench.lio.perform(changes) }
    #expect(failure?.code == code, "\(failure as Any)")
    #expect(failure?.leftovers == [])
    #expect(try await bench.read() == before)
    return failure
  }

  @Test func aBackingOfAnotherTarget() async throws {
    try await bench.lio.apply(bench.document())
    let other = try TargetName("iqn.2011-12.com.example:disk2")
    let failure = try await refusal(
      .inUse, [.createTarget(other, id: nil), .addUnit(other, bench.unit(0, "/srv/disk1"))])
    #expect(failure?.description.contains("exported already as lun 0 of \(bench.name)") == true)
  }

  @Test func aDeviceThatABackstoreOfAnotherToolHolds() async throws {
    let device = FilePath("\(Workbench.core)/iblock_3/theirs")
    try bench.host.createDirectory(device.removingLastComponent())
    try bench.host.createDirectory(device)
    try bench.host.write(Array("udev_path=/dev/sdb".utf8), to: device.appending("control"))
    try bench.host.write(Array("/dev/sdb".utf8), to: device.appending("udev_path"))
    try bench.host.write(Array("1".utf8), to: device.appending("enable"))
    let failure = try await refusal(
      .inUse, [.createTarget(bench.name, id: nil), .addUnit(bench.name, bench.unit(0, "/dev/sdb"))])
    #expect(failure?.description.contains("the backstore theirs") == true)
  }

  @Test(arguments: ["mounted at /", "held by dm-3 (vg1-lun1)", "held by drbd0", "used as swap"])
  func aDeviceThatThisMachineUses(_ holder: String) async throws {
    bench.host.addHolder(holder, of: "/dev/sdb")
    let failure = try await refusal(
      .inUse, [.createTarget(bench.name, id: nil), .addUnit(bench.name, bench.unit(0, "/dev/sdb"))])
    #expect(failure?.description.contains(holder) == true)
  }

  @Test func aModuleThatIsNotInstalled() async throws {
    let bench = try Workbench(without: ["target_core_iblock"])
    let failure = try await refusal(
      .refused, on: bench,
      [.createTarget(bench.name, id: nil), .addUnit(bench.name, bench.unit(0, "/dev/sdb"))])
    #expect(failure?.description.contains("target_core_iblock") == true, "\(failure as Any)")
  }

  @Test func aKernelWithoutTheTarget() async throws {
    let bench = try Workbench(without: ["iscsi_target_mod"], ready: false)
    let failure = await #expect(throws: Failure.self) { try await bench.lio.start() }
    #expect(failure?.description.contains("iscsi_target_mod") == true, "\(failure as Any)")
    let unread = await #expect(throws: Failure.self) { try await bench.lio.read() }
    #expect(unread?.code == .unavailable)
  }

  @Test func aConfigfsThatIsReadOnly() async throws {
    try await bench.lio.apply(bench.document())
    bench.simulator.setReadOnly(true)
    for change: Change in [
      .removeUnit(bench.name, try LUN(0), force: false), .setParameter(bench.name, .maxBurstLength, "65536"),
      .deleteTarget(bench.name, force: false), .addPortal(bench.name, try Portal("127.0.0.1:3261")),
    ] {
      let failure = try await refusal(.permission, [change])
      #expect(failure?.errno == .readOnlyFileSystem)
      #expect(failure?.description.contains("/sys/kernel/config/target/") == true)
    }
  }

  @Test func aValueThatTheKernelRefuses() async throws {
    try await bench.lio.apply(bench.document())
    var patch = LogicalUnit(lun: try LUN(0), backing: .none)
    patch.attributes = ["emulate_caw": "7"]
    for (change, attribute, value): (Change, String, String) in [
      (.setUnit(bench.name, patch), "emulate_caw", "7"),
      (.setAttribute(bench.name, "login_timeout", "900"), "login_timeout", "900"),
    ] {
      let failure = try await refusal(.refused, [change])
      let text = failure?.description ?? ""
      #expect(text.contains("refused \"\(value)\" for \(attribute)") && text.contains("errno 22"), "\(text)")
    }
  }

  @Test func aDirectoryThatIsBusyForAMoment() async throws {
    try await bench.lio.apply(bench.document())
    bench.simulator.fail("/lun/lun_0", with: .resourceBusy, times: 3)
    try await bench.lio.perform([.removeUnit(bench.name, LUN(0), force: false)])
    #expect(try await bench.read().targets[bench.name]?.units.keys.map(\.number) == [7])
  }

  @Test func aDirectoryThatStaysBusy() async throws {
    try await bench.lio.apply(bench.document())
    bench.simulator.fail("/lun/lun_0", with: .resourceBusy)
    let start = bench.host.now
    let failure = try await refusal(.inUse, [.removeUnit(bench.name, LUN(0), force: false)])
    #expect(failure?.errno == .resourceBusy && failure?.description.contains("lun_0") == true)
    #expect(bench.host.now - start < .seconds(30))
  }
}
