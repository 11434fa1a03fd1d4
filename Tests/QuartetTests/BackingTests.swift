import HostInterface
import Quartet
import STGTSimulator
import Simulation
import SystemPackage
import TargetCore
import Testing

/// Files and devices are looked at before anything is touched.
struct BackingTests {
  private let host = SimulatedHost(services: [SimulatedTgtd()])
  private let name: TargetName
  private let other: TargetName

  init() throws {
    name = try TargetName("iqn.2011-12.com.example:disk1")
    other = try TargetName("iqn.2011-12.com.example:disk2")
    for number in 1...3 { host.addFile(FilePath("/srv/disk\(number)"), size: 64 << 20) }
    host.addBlockDevice("/dev/sdb", size: 1 << 30)
  }

  private var tgt: Implementation {
    get throws { try Implementation(ImplementationChoice.named("tgt"), on: host) }
  }

  private func unit(_ lun: Int, _ path: String) throws -> LogicalUnit {
    LogicalUnit(lun: try LUN(lun), backing: try Backing(path: path))
  }

  /// Tries to add a logical unit; nothing is there afterwards.
  private func refusal(_ path: String, _ edit: (inout LogicalUnit) -> Void = { _ in }) async throws
    -> Failure?
  {
    var unit = try unit(1, path)
    edit(&unit)
    let changes: [Change] = [.createTarget(name, id: nil), .addUnit(name, unit)]
    do {
      try await tgt.perform(changes)
    } catch let failure as Failure {
      #expect(try await tgt.read().targets.isEmpty, "\(path)")
      return failure
    }
    try await tgt.perform([.deleteTarget(name, force: false)])
    return nil
  }

  @Test func whatThisMachineUsesIsNotExported() async throws {
    host.mount("/dev/sdb", at: "/mnt")
    let mounted = try await refusal("/dev/sdb")
    #expect(mounted?.code == .inUse && mounted?.problem.contains("mounted at /mnt") == true)
    host.addHolder("used as swap", of: "/srv/disk1")
    #expect(try await refusal("/srv/disk1")?.problem.contains("used as swap") == true)
    #expect(try await refusal("/srv/disk2") == nil)
  }

  @Test func kindsOfFiles() async throws {
    host.addCharacterDevice("/dev/sg0", number: "21:0")
    host.addCharacterDevice("/dev/null", number: "1:3")
    host.addDirectory("/srv/folder")
    #expect(try await refusal("/srv/nothing")?.code == .notFound)
    #expect(try await refusal("/srv/folder")?.code == .invalid)
    #expect(try await refusal("/dev/null")?.code == .invalid)
    #expect(try await refusal("/run")?.code == .invalid)
    #expect(try await refusal("/dev/sdb") == nil)
    let passed = try await refusal("/dev/sg0") { ($0.deviceType, $0.store) = (.passthrough, "sg") }
    #expect(passed == nil)
    // Its path is only a name.
    #expect(try await refusal("/srv/nothing") { $0.store = "null" } == nil)
  }

  @Test func aBackingIsExportedOnce() async throws {
    try await tgt.perform([.createTarget(name, id: nil), .addUnit(name, unit(1, "/srv/disk1"))])
    try host.createLink("/srv/alias", to: "/srv/disk1")
    for path in ["/srv/disk1", "/srv/alias", "/srv/../srv/disk1"] {
      let failure = await #expect(throws: Failure.self) {
        try await tgt.perform([.createTarget(other, id: nil), .addUnit(other, unit(1, path))])
      }
      #expect(failure?.code == .inUse && failure?.problem.contains("lun 1 of \(name)") == true, "\(path)")
    }
    var options = PerformOptions()
    options.sharedBacking = true
    try await tgt.perform(
      [.createTarget(other, id: nil), .addUnit(other, unit(1, "/srv/alias"))], options: options)
  }

  /// What leaves in the same run is free for what comes.
  @Test func aBackingCanMove() async throws {
    try await tgt.perform([.createTarget(name, id: nil), .addUnit(name, unit(1, "/srv/disk1"))])
    try await tgt.perform([.removeUnit(name, LUN(1), force: false), .addUnit(name, unit(2, "/srv/disk1"))])
    try await tgt.perform([
      .deleteTarget(name, force: false), .createTarget(other, id: nil),
      .addUnit(other, unit(1, "/srv/disk1")),
    ])
    try await tgt.perform([.replaceUnit(other, unit(1, "/srv/disk1"), force: false)])
    #expect(try await tgt.read().targets[other]?.units[LUN(1)]?.backing == .path("/srv/disk1"))
  }

  @Test func twoNewUnitsDoNotShare() async throws {
    let failure = await #expect(throws: Failure.self) {
      try await tgt.perform([
        .createTarget(name, id: nil), .addUnit(name, unit(1, "/srv/disk1")),
        .addUnit(name, unit(2, "/srv/disk1")),
      ])
    }
    #expect(failure?.code == .inUse && failure?.problem.contains("lun 1 of \(name)") == true)
    #expect(try await tgt.read().targets.isEmpty)
  }

  /// A logical unit whose file is gone hinders nothing.
  @Test func aBackingThatIsGoneBlocksNothing() async throws {
    try await tgt.perform([.createTarget(name, id: nil), .addUnit(name, unit(1, "/srv/disk1"))])
    host.remove("/srv/disk1")
    try await tgt.perform([.addUnit(name, unit(2, "/srv/disk2"))])
    try await tgt.perform([.removeUnit(name, LUN(1), force: false)])
    #expect(try await tgt.read().targets[name]?.units.keys.sorted() == [LUN(2)])
  }
}
