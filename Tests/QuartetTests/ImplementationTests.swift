import HostInterface
import Quartet
import STGTSimulator
import Simulation
import SystemPackage
import TargetCore
import Testing

/// The facade on a simulated machine.
struct ImplementationTests {
  let host = SimulatedHost(services: [SimulatedTgtd()])
  let name: TargetName

  init() throws {
    name = try TargetName("iqn.2011-12.com.example:disk1")
    host.addFile("/srv/disk1", size: 64 << 20)
    host.addFile("/srv/disk2", size: 64 << 20)
  }

  private func tgt(on other: (any Host)? = nil) throws -> Implementation {
    try Implementation(ImplementationChoice.named("tgt"), on: other ?? host)
  }

  private func unit(_ lun: Int, _ path: String) throws -> LogicalUnit {
    LogicalUnit(lun: try LUN(lun), backing: try Backing(path: path))
  }

  private func failure(_ body: () async throws -> Void) async -> Failure? {
    do {
      try await body()
      return nil
    } catch { return error as? Failure }
  }

  @Test func implementationsAreFoundByNameAndAlias() async throws {
    #expect(try ImplementationChoice.named("stgt").name == "tgt")
    #expect(try ImplementationChoice.named("lio-t").name == "lio")
    #expect(await failure { _ = try ImplementationChoice.named("bogus") }?.code == .invalid)
    #expect(try await ImplementationChoice.installed(on: host).name == "tgt")
    #expect(
      await failure { _ = try await ImplementationChoice.installed(on: SimulatedHost()) }?.code
        == .unavailable)
    let odd = await failure {
      _ = try Implementation(ImplementationChoice.named("tgt"), settings: ["odd": "1"], on: host)
    }
    #expect(odd?.code == .invalid && odd?.remedy?.contains("socket") == true)
  }

  @Test func aRefusalNamesWhoCouldAndTouchesNothing() async throws {
    let counting = FaultingHost(host, failing: nil, isMutating: { SimulatedTgtd.isChange($0) })
    var shown = try unit(1, "/srv/disk1")
    shown.initiators = [.name(try ISCSIName("iqn.1993-08.org.debian:01:web"))]
    let tgt = try tgt(on: counting)
    let changes: [Change] = [.createTarget(name, id: nil), .addUnit(name, shown)]
    let refused = await failure { try await tgt.perform(changes) }
    #expect(refused?.code == .unsupported)
    #expect(refused?.description.contains("lio and scst can") == true)
    #expect(counting.callCount == 0)
  }

  @Test func aDryRunTouchesNothing() async throws {
    let counting = FaultingHost(host, failing: nil, isMutating: { SimulatedTgtd.isChange($0) })
    var options = PerformOptions()
    options.dryRun = true
    let proposal = try await tgt(on: counting).perform(
      [.createTarget(name, id: nil), .addUnit(name, unit(1, "/srv/disk1"))], options: options)
    #expect(proposal.plan.steps.count == 3)
    #expect(counting.callCount == 0)
  }

  @Test func backingsAreLookedAtFirst() async throws {
    host.addBlockDevice("/dev/sdb", size: 1 << 30)
    host.mount("/dev/sdb", at: "/mnt")
    host.addDirectory("/srv/folder")
    let tgt = try tgt()
    try await tgt.perform([.createTarget(name, id: nil), .addUnit(name, unit(1, "/srv/disk1"))])
    for (path, code, says) in [
      ("/srv/nothing", Failure.Code.notFound, "does not exist"), ("/srv/folder", .invalid, "directory"),
      ("/dev/sdb", .inUse, "/mnt"), ("/srv/disk1", .inUse, "lun 1 of \(name)"),
    ] {
      let refused = await failure { try await tgt.perform([.addUnit(name, unit(2, path))]) }
      #expect(refused?.code == code, "\(path)")
      #expect(refused?.description.contains(says) == true, "\(path): \(refused?.description ?? "")")
    }
    var options = PerformOptions()
    options.sharedBacking = true
    try await tgt.perform([.addUnit(name, unit(2, "/srv/disk1"))], options: options)
  }

  @Test func aShortSecretIsTakenWithAWord() async throws {
    let account = try CHAPAccount(user: CHAPUser("jack"), secret: Secret("short".utf8))
    let proposal = try await tgt().perform([
      .createTarget(name, id: nil), .setAccount(name, .incoming, account, rewrite: true),
    ])
    #expect(proposal.warnings.contains { $0.contains("shorter than 12 bytes") })
    #expect(!proposal.warnings.contains { $0.contains("short\"") })
  }
}
