import HostInterface
import Quartet
import Simulation
import SystemPackage
import TargetCore
import Testing

/// Targets that move between simulated implementations of one machine.
struct MigrationTests {
  let machine = FourTargets()
  let disk: TargetName

  init() throws { disk = try TargetName("iqn.2011-12.com.example:disk1") }

  private func document() throws -> TargetSpec {
    var spec = TargetSpec(name: disk)
    var first = LogicalUnit(lun: try LUN(1), backing: try Backing(path: "/srv/disk1"))
    (first.serial, first.scsiID) = ("c0ffee0123456789", "60a98000c0ffee01")
    var second = LogicalUnit(lun: try LUN(4), backing: try Backing(path: "/srv/disk2"))
    second.readOnly = true
    spec.units = [first, second]
    spec.initiators = [try Initiator("iqn.1993-08.org.debian:01:web")]
    spec.chap = CHAPSpec(incoming: [
      try CHAPAccount(user: CHAPUser("jack"), secret: Secret("secret-of-jack".utf8))
    ])
    return spec
  }

  @Test(arguments: FourTargets.pairs) func moves(_ from: String, _ to: String) async throws {
    let spec = try document()
    let source = try machine.implementation(from)
    let destination = try machine.implementation(to)
    try await source.apply(DesiredState(targets: [spec]))
    let before = try await machine.read(from)
    var options = Migration.Options()
    options.acceptsLosses = true
    options.supplement = DesiredState(targets: [spec])
    if source.backend.capabilities.daemonListens { options.portals = [try Portal("192.0.2.1:3261")] }
    if destination.backend.capabilities.daemonListens { options.portals = [try Portal("192.0.2.1:3260")] }
    let report = try await Migration(from: source, to: destination, options: options).run()
    #expect(report.targets == [disk] && !report.isResumed)
    #expect(try await machine.read(from).targets.isEmpty)
    let target = try #require(try await machine.read(to).targets[disk])
    #expect(target.enabled && target.initiators == Set(spec.initiators ?? []))
    #expect(target.chap.incoming.map(\.user.description) == ["jack"])
    let old = try #require(before.targets[disk])
    for (lun, unit) in old.units {
      let now = try #require(target.units[lun])
      #expect(now.backing == unit.backing)
      #expect(now.serial == nil || unit.serial == nil || now.serial == unit.serial)
      #expect(now.readOnly ?? false == unit.readOnly ?? false)
    }
  }
}
