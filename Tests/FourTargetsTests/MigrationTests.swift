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
  let web = "iqn.1993-08.org.debian:01:web"

  init() throws { disk = try TargetName("iqn.2011-12.com.example:disk1") }

  @Test(arguments: FourTargets.pairs) func allStaysAsInitiatorsKnowIt(_ from: String, _ to: String)
    async throws
  {
    let scene = try await MigrationScene(machine, from, to)
    let old = try #require(try await machine.read(from).targets[disk])
    let report = try await scene.migration().run()
    #expect(report.targets == [disk] && !report.isResumed)
    #expect(try await machine.read(from).targets.isEmpty)
    let target = try #require(try await machine.read(to).targets[disk])
    #expect(target.enabled && target.initiators == old.initiators)
    #expect(target.chap.incoming.map(\.user.description) == ["jack"])
    #expect(target.units.count == 2)
    for (lun, unit) in old.units {
      let now = try #require(target.units[lun])
      #expect(now.backing == unit.backing && now.readOnly ?? false == unit.readOnly ?? false)
      #expect(now.serial == nil || unit.serial == nil || now.serial == unit.serial)
      // LIO's is the name of a backstore, which nobody sees, so that the visible one can take its place.
      if from != "lio", let was = unit.scsiID, let id = now.scsiID { #expect(id == was) }
      try scene.expectSeen(unit, now, report)
    }
    #expect(try await scene.logsIn(at: to))
  }

  /// Vendor, product and revision are another implementation's by default, so that they are said.
  @Test func theDefaultsOfTheSourceAreSetAtTheDestination() async throws {
    let scene = try await MigrationScene(machine, "tgt", "scst")
    _ = try await scene.migration().run()
    let unit = try #require(try await machine.read("scst").targets[disk]?.units[LUN(1)])
    #expect(unit.vendor == "IET" && unit.product == "VIRTUAL-DISK" && unit.revision == "0001")
    #expect(unit.serial == "c0ffee0123456789" && unit.scsiID == "60a98000c0ffee01")
    // What tgtd makes of its SCSI id, and what multipath calls the disk.
    #expect(unit.attributes["naa_id"] == "0x600000000000000060a98000c0ffee01")
  }

  @Test func theWWIDIsKeptWhereTheSerialMayGo() async throws {
    let scene = try await MigrationScene(machine, "tgt", "lio")
    var options = scene.options
    options.givesUpSerial = true
    let report = try await scene.migration(options).run()
    let unit = try #require(try await machine.read("lio").targets[disk]?.units[LUN(1)])
    let seen = try machine.implementation("lio").backend.view(of: unit)
    #expect(seen.wwid == "3600000000000000060a98000c0ffee01")
    #expect(
      !report.losses.contains { $0.contains("WWID") } && report.losses.contains { $0.contains("serial") })
  }

  /// An initiator that stays logged in goes on with writes that LIO refuses where there is no write cache.
  @Test func writesThatAreDurableByThemselvesAreTakenOrToldOf() async throws {
    let files = try await MigrationScene(machine, "tgt", "lio")
    let report = try await files.migration().run()
    #expect(!report.losses.contains { $0.contains("FUA") })
    let units = try await machine.read("lio").targets[disk]?.units ?? [:]
    #expect(units[try LUN(1)]?.attributes["emulate_write_cache"] == "1")
    #expect(units[try LUN(1)]?.cache == .through)

    let device = try await MigrationScene(FourTargets(), "tgt", "lio", backing: "/dev/vg1/a")
    #expect(try await device.migration().run().losses.contains { $0.contains("FUA") })
  }

  @Test func lossesAreToldAndNeedAWord() async throws {
    let scene = try await MigrationScene(machine, "tgt", "lio") { spec in
      spec.initiators?.append(try Initiator("192.168.0.0/24"))
      spec.chap?.incoming?.append(try MigrationScene.account("jill"))
      spec.parameters[.defaultTime2Retain] = "60"
      spec.attributes["nop_interval"] = "5"
    }
    var options = scene.options
    options.acceptsLosses = false
    let before = try await machine.read("tgt")
    let failure = await #expect(throws: Failure.self) { try await scene.migration(options).run() }
    #expect(failure?.code == .refused && failure?.remedy?.contains("--accept-losses") == true)
    let told = failure?.answer ?? ""
    for word in ["192.168.0.0/24", "jill", "nop_interval=5", "36001405c0ffee0123456789000000000"] {
      #expect(told.contains(word), "\(told)")
    }
    #expect(!told.contains("DefaultTime2Retain"), "LIO has it")
    #expect(try await machine.read("tgt") == before)
    #expect(try await machine.read("lio").targets.isEmpty)
  }

  @Test func aProofThatCannotBeAskedStopsEverything() async throws {
    let scene = try await MigrationScene(machine, "tgt", "scst")
    var options = scene.options
    options.supplement = DesiredState()
    let failure = await #expect(throws: Failure.self) { try await scene.migration(options).run() }
    #expect(failure?.code == .unsupported && failure?.answer?.contains("secret of jack") == true)
    #expect(try await machine.read("tgt").targets[disk]?.enabled == true)
  }

  @Test func aTargetThatIsThereAlreadyIsLeftAlone() async throws {
    let scene = try await MigrationScene(machine, "tgt", "scst")
    try await machine.implementation("scst").perform([.createTarget(disk, id: nil)])
    let bare = try await machine.read("scst")
    guard bare.targets[disk]?.isUnfinished == false else {
      // One without anything is what a killed run leaves, and is taken over.
      _ = try await scene.migration().run()
      return
    }
    let failure = await #expect(throws: Failure.self) { try await scene.migration().run() }
    #expect(failure?.code == .exists)
  }

  @Test func aDryRunTellsAndTouchesNothing() async throws {
    let scene = try await MigrationScene(machine, "tgt", "lio")
    var options = scene.options
    options.perform.dryRun = true
    options.acceptsLosses = false
    let (tgt, lio) = (try await machine.read("tgt"), try await machine.read("lio"))
    let report = try await scene.migration(options).run()
    #expect(!report.losses.isEmpty && report.parts.count == 4)
    #expect(report.parts.map(\.implementation) == ["lio", "tgt", "lio", "tgt"])
    #expect(!report.parts[0].plan.isEmpty && !report.parts[3].plan.isEmpty)
    #expect(try await machine.read("tgt") == tgt)
    #expect(try await machine.read("lio") == lio)
  }

  @Test func onlyTheTargetsThatAreNamedMove() async throws {
    let scene = try await MigrationScene(machine, "lio", "scst")
    let other = try TargetName("iqn.2011-12.com.example:other")
    machine.host.addFile("/srv/other", size: 8 << 20)
    var spec = TargetSpec(name: other)
    spec.units = [LogicalUnit(lun: try LUN(0), backing: try Backing(path: "/srv/other"))]
    try await machine.implementation("lio").apply(DesiredState(targets: [spec]))
    var options = scene.options
    options.targets = [other]
    let report = try await scene.migration(options).run()
    #expect(report.targets == [other])
    #expect(report.losses.isEmpty, "what LIO has by itself is no loss: \(report.losses)")
    #expect(try await Set(machine.read("lio").targets.keys) == [disk])
    #expect(try await Set(machine.read("scst").targets.keys) == [other])
    options.targets = [try TargetName("iqn.2011-12.com.example:none")]
    let failure = await #expect(throws: Failure.self) { try await scene.migration(options).run() }
    #expect(failure?.code == .notFound)
  }

  /// Two sockets cannot listen at one place, so that the source's portal goes before the destination's comes.
  @Test func thePortalGoesOver() async throws {
    let scene = try await MigrationScene(machine, "tgt", "lio")
    let portals = try await machine.read("tgt").portals
    #expect(portals.contains(try Portal("0.0.0.0:3260")))
    _ = try await scene.migration().run()
    #expect(try await machine.read("tgt").portals.isEmpty)
    // LIO's socket for every IPv6 address serves IPv4 as well.
    #expect(try await machine.read("lio").targets[disk]?.portals == [Portal("[::]:3260")])
  }

  @Test func aPortalThatOthersNeedIsAnObstacle() async throws {
    let scene = try await MigrationScene(machine, "tgt", "lio")
    let staying = TargetSpec(name: try TargetName("iqn.2011-12.com.example:staying"))
    try await machine.implementation("tgt").apply(DesiredState(targets: [staying]))
    var options = scene.options
    options.targets = [disk]
    let failure = await #expect(throws: Failure.self) { try await scene.migration(options).run() }
    #expect(failure?.code == .unsupported && failure?.answer?.contains("--portal") == true)
    options.portals = [try Portal("192.0.2.1:3261")]
    _ = try await scene.migration(options).run()
    #expect(try await !machine.read("tgt").portals.isEmpty)
  }

  /// Both hold the device alone: the source's logical unit goes first, and comes back when the destination fails.
  @Test(arguments: [("iet", "lio"), ("lio", "scst"), ("scst", "iet"), ("scst", "lio")])
  func aDeviceThatOnlyOneCanHold(_ from: String, _ to: String) async throws {
    let scene = try await MigrationScene(machine, from, to, backing: "/dev/vg1/a")
    let report = try await scene.migration().run()
    #expect(report.losses.contains { $0.contains("hold /dev/vg1/a alone") }, "\(report.losses)")
    let order = report.parts.map(\.title)
    #expect(order.contains("let go of what only one can hold"))
    #expect(try await machine.read(to).targets[disk]?.units.count == 2)
    #expect(try await machine.read(from).targets.isEmpty)
  }

  @Test func nothingMovesToItself() throws {
    let tgt = try machine.implementation("tgt")
    #expect(throws: Failure.self) { try Migration(from: tgt, to: tgt) }
  }

  /// A signal in the middle: the source serves again.
  @Test func anInterruptedRunIsUndone() async throws {
    let scene = try await MigrationScene(machine, "tgt", "scst")
    let total = try await scene.stepCount()
    for number in Swift.stride(from: 2, to: total, by: 7) {
      let scene = try await MigrationScene(FourTargets(), "tgt", "scst")
      let thrown = await scene.cancelled(atStep: number)
      let (source, there) = (try await scene.machine.read("tgt"), try await scene.machine.read("scst"))
      // One that was done before it noticed, or one that serves as before, or one that is finished by another run.
      #expect(
        thrown == nil || scene.serves(source) || scene.serves(there), "step \(number): \(thrown as Any)")
      #expect(!(scene.serves(source) && scene.serves(there)))
    }
  }
}
