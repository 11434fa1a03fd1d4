import HostInterface
import LinuxHost
import Quartet
import SystemPackage
import TargetCore
import Testing
import VirtualMachine

/// The kernel's own target, on a real kernel.
@Suite(.serialized, .enabled(if: Guest.isHere, "needs a kernel of its own; VMTests run it in a guest"))
struct GuestLIOTests {
  let host = LocalHost()
  let name: TargetName
  let initiator: ISCSIName

  init() throws {
    name = try TargetName("iqn.2011-12.com.example:disk1")
    initiator = try ISCSIName("iqn.1993-08.org.debian:01:web")
  }

  func lio() async throws -> Implementation {
    let lio = try Implementation(ImplementationChoice.named("lio"), on: host)
    _ = try await lio.start()
    return lio
  }

  func file(_ name: String, size: Int) async throws -> String {
    let path = "/run/\(name)"
    let made = try await host.run(
      ["truncate", "-s", String(size), path], environment: [:], input: [], limit: .seconds(10))
    try #require(made.status == 0)
    return path
  }

  @Test func aDocumentIsAppliedShownAndTakenBack() async throws {
    let lio = try await lio()
    var spec = TargetSpec(name: name)
    spec.portals = [try Portal("127.0.0.1:3260")]
    spec.initiators = [.name(initiator)]
    spec.parameters = [.maxBurstLength: "1048576"]
    let account = try CHAPAccount(user: CHAPUser("jack"), secret: Secret("secretsecret12".utf8))
    spec.chap = CHAPSpec(incoming: [account], outgoing: .some(nil))
    var second = LogicalUnit(
      lun: try LUN(7), backing: try Backing(path: try await file("disk7", size: 8 << 20)))
    (second.vendor, second.product, second.serial) = ("QUARTET", "A DISK", "QSN0007")
    spec.units = [
      LogicalUnit(lun: try LUN(0), backing: try Backing(path: try await file("disk0", size: 16 << 20))),
      second,
    ]
    let desired = DesiredState(targets: [spec])
    try await lio.apply(desired)

    let live = try await lio.read(ReadDetail(parameters: .all, shared: true))
    let target = try #require(live.targets[name])
    #expect(target.enabled && target.initiators == [.name(initiator)])
    #expect(target.portals == Set(spec.portals ?? []))
    #expect(target.parameters[.maxBurstLength] == "1048576")
    #expect(target.chap.incoming == [account])
    #expect(target.units[try LUN(0)]?.size == 16 << 20)
    #expect(target.units[try LUN(7)]?.serial == "QSN0007")
    #expect(target.units[try LUN(7)]?.vendor == "QUARTET")
    let again = try await lio.apply(desired)
    #expect(again.changes.isEmpty, "\(again.changes)")

    _ = try await file("disk7", size: 32 << 20)
    try await lio.perform([.resizeUnit(name, LUN(7))])
    let grown = try await lio.read()
    #expect(grown.targets[name]?.units[try LUN(7)]?.size == 32 << 20)

    try await lio.perform([.deleteTarget(name, force: false)])
    #expect(try host.list("/sys/kernel/config/target/core") == ["alua"])
    let empty = try await lio.read()
    #expect(empty.targets.isEmpty)
  }

  @Test func aStepThatFailsUndoesThoseBeforeIt() async throws {
    let lio = try await lio()
    var unit = LogicalUnit(
      lun: try LUN(1), backing: try Backing(path: try await file("disk1", size: 8 << 20)))
    // The kernel takes at most 254 characters of a serial, and none of a setting that it does not have.
    unit.attributes = ["emulate_caw": "7"]
    let failure = await #expect(throws: Failure.self) {
      try await lio.perform([.createTarget(name, id: nil), .addUnit(name, unit), .enableTarget(name)])
    }
    #expect(failure?.leftovers == [])
    #expect(failure?.description.contains("emulate_caw") == true)
    #expect(try host.list("/sys/kernel/config/target/core") == ["alua"])
    let state = try await lio.read()
    #expect(state.targets.isEmpty)
  }
}
