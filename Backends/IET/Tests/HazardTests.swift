import HostInterface
import IETBackend
import IETSimulator
import Quartet
import Simulation
import Synchronization
import SystemPackage
import TargetCore
import Testing

/// What IET lets one do and what harms: refused before anything is written, or gone around.
@Suite struct HazardTests {
  private let name: TargetName
  private let guest = "iqn.2011-12.com.example:ini1"

  init() throws { name = try TargetName("iqn.2011-12.com.example:disk1") }

  private func implementation(_ world: SimulatedWorld) throws -> Implementation {
    try Implementation(.iet, on: world.host)
  }

  private func unit(_ world: SimulatedWorld, _ lun: Int = 0) throws -> LogicalUnit {
    world.host.addFile("/srv/disk", size: 1 << 20)
    return LogicalUnit(lun: try LUN(lun), backing: .path("/srv/disk"))
  }

  private func expect(_ code: Failure.Code, _ body: () async throws -> Void) async -> Failure? {
    do {
      try await body()
      Issue.record("it is accepted, and should fail as \(code)")
    } catch let failure as Failure {
      #expect(failure.code == code, "\(failure)")
      return failure
    } catch {
      Issue.record("\(error)")
    }
    return nil
  }

  // MARK: Refused

  @Test func whatCannotBeIsRefusedBeforeAnythingIsTouched() async throws {
    let world = SimulatedWorld()
    let iet = try implementation(world)
    let unit = try unit(world)
    world.host.addBlockDevice("/dev/sdz", size: 1 << 20)
    try await iet.perform([.createTarget(name, id: nil), .addUnit(name, unit)])
    let before = try await iet.read()
    func changed(_ set: (inout LogicalUnit) -> Void) throws -> Change {
      var other = LogicalUnit(lun: try LUN(1), backing: .path("/dev/sdz"))
      set(&other)
      return .addUnit(name, other)
    }
    let long = try CHAPAccount(user: CHAPUser("jack"), secret: Secret([UInt8](repeating: 0x61, count: 255)))
    let changes: [Change] = [
      try changed { ($0.store, $0.cache) = ("blockio", .back) },
      try changed { $0.store = "nullio" },
      try changed { $0.store = "FileIO" },
      try changed { $0.blockSize = 4096 },
      try changed { $0.attributes["Sectors"] = "2048" },
      try changed { ($0.backing, $0.store) = (.none, "fileio") },
      try changed { ($0.backing, $0.store, $0.scsiID) = (.none, "nullio", "x") },
      try changed { ($0.backing, $0.store, $0.readOnly) = (.none, "nullio", true) },
      try changed { ($0.backing, $0.store, $0.attributes["Sectors"]) = (.none, "nullio", "0") },
      try changed { $0.backing = .path("/dev/sdz,IOMode=ro") },
      try changed { $0.scsiID = "12345678901234567" }, try changed { $0.serial = "a,Type=nullio" },
      .setParameter(name, .maxRecvDataSegmentLength, "262145"), .setParameter(name, .maxConnections, "2"),
      .setParameter(name, .errorRecoveryLevel, "1"), .setParameter(name, .dataPDUInOrder, "No"),
      .setParameter(name, .dataSequenceInOrder, "No"), .setParameter(name, .ofMarker, "Yes"),
      .setAttribute(name, "Wthreads", "129"), .setAttribute(name, "Wthreads", "0x10"),
      .setAttribute(name, "QueuedCommands", "0"), .setAttribute(name, "NOPInterval", "91"),
      .setAttribute(name, "MaxSessions", "1"), .setAttribute(name, "Type", "0"),
      .setAccount(name, .incoming, long, rewrite: false),
      .addPortal(name, try Portal("192.0.2.1:3261")), .addPortal(name, try Portal("[::]")),
      .addPortal(name, try Portal("192.0.2.1,iser")), .resizeUnit(name, try LUN(0)),
      .createTarget(try #require(TargetName(asFound: "iqn.2011-12.com.example:a,Wthreads=4")), id: nil),
      .createTarget(try #require(TargetName(asFound: String(repeating: "x", count: 255))), id: nil),
    ]
    for change in changes {
      let calls = Mutex<[HostCall]>([])
      let watched = FaultingHost(world.host, failing: nil) { call in
        calls.withLock { $0.append(call) }
        return true
      }
      do {
        try await Implementation(.iet, on: watched).perform([change])
        Issue.record("\(change) is accepted")
      } catch let failure as Failure {
        #expect([.unsupported, .invalid, .notFound].contains(failure.code), "\(change): \(failure)")
      }
      for case .run(let argv) in calls.withLock({ $0 }) {
        #expect(argv.first == "cat" || argv.contains("show"), "\(change): \(argv)")
      }
      #expect(try await iet.read() == before, "\(change)")
    }
  }

  @Test func blockSizesAreTakenWhereTheyAreKnown() async throws {
    let world = SimulatedWorld(.release20)
    let iet = try implementation(world)
    var unit = try unit(world)
    unit.blockSize = 4096
    try await iet.perform([.createTarget(name, id: nil), .addUnit(name, unit)])
    let found = try await iet.read().targets[name]?.units[unit.lun]
    #expect(found?.blockSize == 4096)
    #expect(found?.size == 1 << 20)
  }

  /// Where there is no unit to see by, the older version refuses, and nothing is left.
  @Test func blockSizesAreRefusedByTheOlderVersionItself() async throws {
    let world = SimulatedWorld()
    let iet = try implementation(world)
    var unit = try unit(world)
    unit.blockSize = 4096
    _ = await expect(.refused) {
      try await iet.perform([.createTarget(name, id: nil), .addUnit(name, unit)])
    }
    #expect(try await iet.read().targets.isEmpty)
  }

  // MARK: Numbers

  /// Accounts at a number without a target belong to the target that is made there later.
  @Test func accountsThatWaitForATargetAreNotTakenOver() async throws {
    let world = SimulatedWorld()
    let iet = try implementation(world)
    try await world.ietadm("--op", "new", "--tid=1", "--user", "--params", "IncomingUser=eve,Password=hers")
    let failure = await expect(.exists) { try await iet.perform([.createTarget(name, id: nil)]) }
    #expect(failure?.description.contains("eve") == true)
    #expect(try await iet.read().targets.isEmpty)
    try await iet.perform([.createTarget(name, id: 2)])
  }

  /// Whoever opens the control device empties the kernel's list, and ietd goes on with its own.
  @Test func whatIetdRemembersDoesNotCountForANewTarget() async throws {
    let world = SimulatedWorld()
    let iet = try implementation(world)
    let other = try TargetName("iqn.2011-12.com.example:other")
    try await iet.perform([.createTarget(name, id: nil), .allow(name, .all)])
    _ = try await world.host.run(
      ["sh", "-c", ": < /dev/ietctl"], environment: [:], input: [], limit: .seconds(1))
    #expect(try await iet.read().targets.isEmpty)
    // Its number is given again: the open line of the old name must not let anyone in to the new target.
    try await iet.perform([.createTarget(other, id: nil)])
    #expect(try await iet.read().targets[other]?.id == 1)
    #expect(throws: LoginRefusal.notFound) { try world.iet.logIn(guest, to: "\(other)", on: world.host) }
    // And the old name can be made again.
    try await iet.perform([.createTarget(name, id: nil)])
    #expect(try await iet.read().targets[name]?.initiators == [])
  }

  @Test func aNameThatIetdRemembersUnderAnotherNumberIsToldOf() async throws {
    let world = SimulatedWorld()
    let iet = try implementation(world)
    try await iet.perform([.createTarget(name, id: 7)])
    _ = try await world.host.run(
      ["sh", "-c", ": < /dev/ietctl"], environment: [:], input: [], limit: .seconds(1))
    let failure = await expect(.exists) { try await iet.perform([.createTarget(name, id: nil)]) }
    #expect(failure?.description.contains("--op delete") == true)
  }

  // MARK: Sessions

  /// The initiator would come back at once, and deleting a target with sessions ends some versions of ietd.
  @Test(arguments: [IETVersion.release19, .january2010])
  func sessionsAreClosedAndKeptOutBeforeATargetGoes(_ version: IETVersion) async throws {
    let world = SimulatedWorld(version)
    let iet = try implementation(world)
    let other = try TargetName("iqn.2011-12.com.example:other")
    try await iet.perform([
      .createTarget(name, id: nil), .addUnit(name, try unit(world)), .allow(name, .all),
      .createTarget(other, id: nil),
    ])
    try world.iet.logIn(guest, to: "\(name)", comesBack: true, on: world.host)
    _ = await expect(.inUse) { try await iet.perform([.deleteTarget(name, force: false)]) }
    try await iet.perform([.deleteTarget(name, force: true)])
    world.host.advance(by: .seconds(60))
    #expect(world.iet.isRunning)
    #expect(try await iet.read().targets.keys.map { $0 } == [other])
    #expect(world.text("/etc/iet/initiators.allow")?.contains("disk1") == false)
  }

  /// An initiator that slips in between is waited for, for a bounded time, and everything is put back.
  @Test func aTargetWhoseSessionDoesNotEndIsKept() async throws {
    let world = SimulatedWorld(.january2010)
    let iet = try implementation(world)
    try await iet.perform([.createTarget(name, id: nil), .allow(name, .all)])
    try world.iet.logIn(guest, to: "\(name)", on: world.host)
    var options = PerformOptions()
    options.observe = { [guest, name] event in
      // The second step closes the connection that was read; this one was not.
      guard case .starting(_, number: 1, _) = event else { return }
      try? world.iet.logIn(guest + "b", to: "\(name)", on: world.host)
    }
    let start = world.host.now
    _ = await expect(.inUse) { try await iet.perform([.deleteTarget(name, force: true)], options: options) }
    #expect(world.host.now - start < .seconds(30))
    #expect(world.iet.isRunning)
    #expect(try await iet.read().targets[name]?.initiators == [.all])
    #expect(world.iet.initiators(of: "\(name)") == [guest + "b"])
  }

  /// While its only account is made anew, nobody gets in without one.
  @Test func aTargetIsNeverOpenWhileItsAccountIsMadeAnew() async throws {
    let world = SimulatedWorld()
    let iet = try implementation(world)
    func account(_ secret: String) throws -> CHAPAccount {
      try CHAPAccount(user: CHAPUser("jack"), secret: Secret(secret.utf8))
    }
    try await iet.perform([
      .createTarget(name, id: nil),
      .setAccount(name, .incoming, try account("the-first-secret"), rewrite: false),
      .allow(name, .all),
    ])
    // The same account once more, as a careless administrator does it.
    try await world.ietadm(
      "--op", "new", "--tid=1", "--user", "--params", "IncomingUser=jack,Password=the-second-secret")
    let entered = Mutex(0)
    var options = PerformOptions()
    options.observe = { [guest, name] _ in
      if (try? world.iet.logIn(guest, to: "\(name)", on: world.host)) != nil { entered.withLock { $0 += 1 } }
    }
    try await iet.perform(
      [.setAccount(name, .incoming, try account("the-third-secret"), rewrite: true)], options: options)
    #expect(entered.withLock { $0 } == 0)
    #expect(try await iet.read().targets[name]?.initiators == [.all])
    try await world.ietadm("--op", "delete", "--tid=1", "--user", "--params", "IncomingUser=jack")
    #expect(try await iet.read().targets[name]?.chap.incoming.isEmpty == true)
  }

  // MARK: The daemon

  @Test func aSilentDaemonIsNotStartedASecondTime() async throws {
    let world = SimulatedWorld()
    let iet = try implementation(world)
    try await iet.perform([.createTarget(name, id: nil), .addUnit(name, try unit(world)), .allow(name, .all)])
    try world.iet.logIn(guest, to: "\(name)", on: world.host)
    world.iet.suspend("/srv/disk", target: "\(name)", lun: 0)
    let session = try #require(try await iet.read().targets[name]?.sessions.first?.id)
    // Closing the connection whose command waits stops everything; nothing waits for ever.
    _ = await expect(.timedOut) { try await iet.perform([.closeSession(name, id: session)]) }
    _ = await expect(.timedOut) { _ = try await iet.read() }
    let probe = await iet.backend.probe(world.host)
    #expect(probe.running && probe.installed)
    #expect(try await iet.start() == false)
    world.iet.resume()
    #expect(try await iet.read().targets[name]?.sessions == [])
  }

  @Test func whatIsMissingIsSaid() async throws {
    let world = SimulatedWorld(isLoaded: false)
    let iet = try implementation(world)
    #expect(await iet.backend.probe(world.host).detail.contains("iscsi_trgt"))
    let failure = await expect(.unavailable) { _ = try await iet.read() }
    #expect(failure?.description.contains("iscsi_trgt") == true)
    #expect(try await iet.start())
    #expect(try await iet.read().targets.isEmpty)
    world.iet.die()
    #expect(await iet.backend.probe(world.host).running == false)
    let other = await expect(.unavailable) { _ = try await iet.read() }
    #expect(other?.description.contains("ietd does not run") == true)
    #expect(try await iet.start())
    world.iet.setCaller(isRoot: false)
    _ = await expect(.permission) { _ = try await iet.read() }
    #expect(await iet.backend.probe(world.host).running)
  }

  /// What is in use stays listed, with its number taken, until its last command has ended.
  @Test func aUnitInUseIsReplacedWhenItsCommandHasEnded() async throws {
    let world = SimulatedWorld()
    let iet = try implementation(world)
    world.host.addFile("/srv/new", size: 1 << 20)
    try await iet.perform([.createTarget(name, id: nil), .addUnit(name, try unit(world)), .allow(name, .all)])
    try world.iet.logIn(guest, to: "\(name)", on: world.host)
    world.iet.suspend("/srv/disk", target: "\(name)", lun: 0)
    let new = LogicalUnit(lun: try LUN(0), backing: .path("/srv/new"))
    let replacement: [Change] = [.replaceUnit(name, new, force: true)]
    _ = await expect(.refused) { try await iet.perform(replacement) }
    world.iet.resume()
    world.iet.suspend("/srv/disk", target: "\(name)", lun: 0)
    world.host.perform(after: .seconds(3)) { _ in world.iet.resume() }
    try await iet.perform([.addUnit(name, try unit(world))])
    try await iet.perform(replacement)
    #expect(try await iet.read().targets[name]?.units[new.lun]?.backing == new.backing)
    let identity = try #require(world.iet.identity(target: "\(name)", lun: 0))
    #expect(identity.scsiID == Identity.derived(target: name, lun: new.lun))
    #expect(identity.serial == identity.scsiID)
  }
}
