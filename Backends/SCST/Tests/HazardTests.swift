import HostInterface
import Quartet
import SCSTBackend
import SCSTSimulator
import Simulation
import Synchronization
import SystemPackage
import TargetCore
import Testing

/// What SCST lets one do and what harms: refused before anything is written, or gone around.
@Suite struct HazardTests {
  private let name: TargetName
  private let guest = "iqn.2011-12.com.example:ini1"
  private let machine = SCSTMachine()

  init() throws { name = try TargetName("iqn.2011-12.com.example:disk1") }

  private func unit(
    _ lun: Int = 0, _ path: String = "/srv/disk", _ set: (inout LogicalUnit) -> Void = { _ in }
  )
    throws -> LogicalUnit
  {
    if try machine.host.status(FilePath(path)) == nil { machine.host.addFile(FilePath(path), size: 1 << 20) }
    var unit = LogicalUnit(lun: try LUN(lun), backing: .path(path))
    set(&unit)
    return unit
  }

  private func account(_ user: String, _ secret: String) throws -> CHAPAccount {
    try CHAPAccount(user: CHAPUser(user), secret: Secret(secret.utf8))
  }

  /// Expects that a change is refused, and that nothing was written before.
  private func expectRefusal(_ change: Change, _ word: String) async throws {
    let writes = Mutex<[HostCall]>([])
    let watched = FaultingHost(machine.host, failing: nil) { call in
      writes.withLock { $0.append(call) }
      return true
    }
    do {
      try await Implementation(.scst, on: watched).perform([change])
      Issue.record("\(change) is accepted")
    } catch let failure as Failure {
      #expect([.unsupported, .invalid, .exists, .refused].contains(failure.code), "\(change): \(failure)")
      #expect("\(failure)".contains(word), "\(change): \(failure)")
    }
    #expect(writes.withLock { $0 } == [], "\(change)")
  }

  // MARK: Names and values

  @Test func namesOfDevicesThatWouldHarmAreRefused() async throws {
    try await machine.implementation().perform([.createTarget(name, id: nil)])
    let names = [
      "mgmt", "type", "trace_level", "a.b", "a/b", "a;b", "a,b", "0:0:0:0", "a!b", "utf8-é", "a b", "a=b", "",
      String(repeating: "n", count: 65),
    ]
    for device in names {
      try await expectRefusal(.addUnit(name, try unit { $0.attributes["device"] = device }), "device")
    }
    let longest = String(repeating: "n", count: 64)
    try await machine.implementation().perform([
      .addUnit(name, try unit { $0.attributes["device"] = longest })
    ])
    #expect(machine.scst.content(of: "devices/\(longest)/usn") != nil)
  }

  @Test func valuesThatWouldHarmAreRefused() async throws {
    try await machine.implementation().perform([.createTarget(name, id: nil), .addUnit(name, try unit())])
    machine.host.addBlockDevice("/dev/sdz", size: 1 << 20)
    func other(_ set: (inout LogicalUnit) -> Void) throws -> Change {
      .addUnit(name, try unit(1, "/dev/sdz", set))
    }
    let units: [(Change, String)] = [
      // A node that is not there would be the end of the kernel.
      (try other { $0.attributes["numa_node_id"] = "7" }, "numa_node_id"),
      (try other { $0.attributes["numa_node_id"] = "-2" }, "numa_node_id"),
      (try other { $0.attributes["rotational"] = "2" }, "rotational"),
      (try other { $0.attributes["dummy"] = "1" }, "vdisk_nullio"),
      (try other { ($0.readOnly, $0.attributes["nv_cache"]) = (true, "1") }, "nv_cache"),
      (try other { $0.blockSize = 1000 }, "block size"), (try other { $0.blockSize = 256 }, "block size"),
      (try other { $0.store = "vdisk_bogus" }, "vdisk_fileio"),
      (try other { ($0.backing, $0.store) = (.none, "vdisk_fileio") }, "backing"),
      (try other { ($0.backing, $0.attributes["size"]) = (.none, "1000") }, "block size"),
      (try other { ($0.backing, $0.attributes["size"]) = (.none, "010") }, "decimal"),
      (try other { $0.attributes["naa_id"] = "0x123" }, "naa_id"),
      (try other { $0.attributes["vend_specific_id"] = String(repeating: "v", count: 129) }, "128"),
      (try other { $0.attributes["bogus"] = "1" }, "bogus"),
      (try other { $0.attributes["opt_trans_len"] = "100" }, "block size"),
      (try other { $0.serial = String(repeating: "s", count: 21) }, "20"),
      (try other { $0.scsiID = String(repeating: "s", count: 26) }, "25"),
      (try other { $0.vendor = "123456789" }, "8"), (try other { $0.revision = "12345" }, "4"),
      (.addUnit(name, try unit(1, "/srv/a b")), "symbolic link"),
      (.addUnit(name, try unit(1, "/srv/a=b")), "symbolic link"),
      (.addUnit(name, try unit(1, "/srv/a;b")), "symbolic link"),
    ]
    let settings: [(Change, String)] = [
      (.setParameter(name, .defaultTime2Retain, "20"), "connection is lost"),
      (.setParameter(name, .defaultTime2Wait, "2"), "reconnect at once"),
      (.setParameter(name, .errorRecoveryLevel, "1"), "new session only"),
      (.setParameter(name, .maxConnections, "2"), "one connection"),
      (.setParameter(name, .maxBurstLength, "2097152"), "1048576"),
      (.setAttribute(name, "QueuedCommands", "2049"), "2048"),
      (.setAttribute(name, "NopInTimeout", "1"), "65535"),
      (.setAttribute(name, "MaxSessions", "x"), "65535"),
      (.setAttribute(name, "addr_method", "flat"), "FLAT"),
      (.setAttribute(name, "io_grouping_type", "0"), "2147483647"),
      (.setAttribute(name, "cpu_mask", "zz"), "hexadecimal"),
      (.setAttribute(name, "comment", String(repeating: "c", count: 501)), "500"),
      (.setAttribute(name, "bogus", "1"), "bogus"),
      (.addPortal(name, try Portal("192.0.2.1:3261")), "3260"),
      (.createTarget(try #require(TargetName(asFound: "mgmt")), id: nil), "mgmt"),
      (.createTarget(try #require(TargetName(asFound: "iqn.x;y")), id: nil), "iqn.x;y"),
      (.createTarget(try #require(TargetName(asFound: "iqn.x=y")), id: nil), "iqn.x=y"),
      (.createTarget(try TargetName("iqn.2011-12.com.example:new"), id: 65536), "65535"),
      (.allow(name, .name(try #require(ISCSIName(asFound: "mgmt")))), "mgmt"),
      (.allow(name, .name(try #require(ISCSIName(asFound: "a;b")))), "syntax"),
      (.allow(name, try Initiator("192.0.2.0/24")), "192.0.2.0/24"),
      (.allow(name, .name(try #require(ISCSIName(asFound: #"iqn\.2026.*"#)))), "pattern"),
    ]
    for (change, word) in units + settings { try await expectRefusal(change, word) }
    // A slash, which would make the directory of initiators unreadable, cannot even be named.
    #expect(ISCSIName(asFound: "i/2") == nil)
  }

  @Test func secretsThatSkipTheChecksAreRefused() async throws {
    let scst = try machine.implementation()
    try await scst.perform([
      .createTarget(name, id: nil),
      .setAccount(name, .incoming, try account("jack", "12charsecret"), rewrite: false),
    ])
    for (user, secret, rewrite) in [
      ("jill", "elevenchars", false), ("jack", "elevenchars", true), ("jill", "a secret with blanks", false),
      ("jill", "a;secret;of;words", false), ("jack", "a=secret=of=words", true),
      ("ji=ll", "12charsecret", false),
    ] {
      guard let account = try? account(user, secret) else { continue }
      for target in [name, nil] where target != nil || !rewrite {
        try await expectRefusal(.setAccount(target, .incoming, account, rewrite: rewrite), "account")
        try await expectRefusal(.setAccount(target, .outgoing, account, rewrite: rewrite), "account")
      }
    }
  }

  /// The daemon would lose the first and refuse the second.
  @Test func thereIsNeverASecondOutgoingAccount() async throws {
    let scst = try machine.implementation()
    try await scst.perform([
      .createTarget(name, id: nil),
      .setAccount(name, .outgoing, try account("first", "12charsecret"), rewrite: false),
    ])
    try await scst.perform([
      .setAccount(name, .outgoing, try account("second", "other-secret"), rewrite: false)
    ])
    #expect(try await scst.read().targets[name]?.chap.outgoing?.user.description == "second")
    try await scst.perform([.clearAccount(name, .outgoing, try CHAPUser("second"))])
    // Another program is quicker than the plan.
    var options = PerformOptions()
    options.announce = { [machine, name] _ in
      let command = "add_target_attribute \(name) OutgoingUser theirs 12charsecret\n"
      try? machine.host.write(Array(command.utf8), to: "/sys/kernel/scst_tgt/targets/iscsi/mgmt")
    }
    let third = try account("third", "third-secret1")
    let failed = await failure {
      try await scst.perform([.setAccount(name, .outgoing, third, rewrite: false)], options: options)
    }
    #expect(failed?.code == .notTaken, "\(failed as Any)")
    #expect(try await scst.read().targets[name]?.chap.outgoing?.user.description == "theirs")
  }

  // MARK: What is in use

  /// SCST removes a device under those who use it.
  @Test func aDeviceThatOthersShowStays() async throws {
    let scst = try machine.implementation()
    let other = try TargetName("iqn.2011-12.com.example:other")
    var options = PerformOptions()
    options.sharedBacking = true
    let shared = try unit { $0.attributes["device"] = "shared" }
    try await scst.perform(
      [.createTarget(name, id: nil), .createTarget(other, id: nil), .allow(name, .all), .allow(other, .all)])
    try await scst.perform([.addUnit(name, shared)])
    try await scst.perform([.addUnit(other, shared)], options: options)
    try await scst.perform([.removeUnit(name, shared.lun, force: false)])
    #expect(machine.scst.content(of: "devices/shared/usn") != nil)
    #expect(try await scst.read().targets[other]?.units.count == 1)
    try await scst.perform([.deleteTarget(other, force: false)])
    #expect(machine.scst.content(of: "devices/shared/usn") == nil)
  }

  /// A target of another driver, or a map that the model does not have, uses a device as well.
  @Test func aDeviceOfAMapThatIsNotReadStays() async throws {
    let scst = try machine.implementation()
    try await scst.perform([
      .createTarget(name, id: nil), .allow(name, .all),
      .addUnit(name, try unit { $0.attributes["device"] = "d1" }),
    ])
    machine.scst.putLink("devices/d1/exported/export9", to: "../../../targets/qla2x00t/50:01/luns/0")
    try await scst.perform([.removeUnit(name, try LUN(0), force: false)])
    #expect(machine.scst.content(of: "devices/d1/usn") != nil)
    #expect(try await scst.read().targets[name]?.units.isEmpty == true)
  }

  @Test func whatTheCopyManagerShowsIsNobodys() async throws {
    machine.scst.addLocalDisk("0:0:0:0")
    let scst = try machine.implementation()
    try machine.host.write(
      Array("add_device mine\n".utf8), to: "/sys/kernel/scst_tgt/handlers/vdisk_nullio/mgmt")
    let state = try await scst.read(ReadDetail(parameters: .all, shared: true))
    #expect(state.targets.isEmpty)
    #expect(state.remarks == ["SCST has devices that no target shows: mine"])
  }

  // MARK: Sessions

  /// Disabling keeps sessions, and one that logs in at once again would make del_target fail.
  @Test func sessionsAreClosedAndKeptOutBeforeATargetGoes() async throws {
    let scst = try machine.implementation()
    try await scst.perform([
      .createTarget(name, id: nil), .addUnit(name, try unit()), .allow(name, .all), .enableTarget(name),
    ])
    try machine.scst.logIn(guest, to: "\(name)", returns: true)
    let failed = await failure { try await scst.perform([.deleteTarget(name, force: false)]) }
    #expect(failed?.code == .inUse, "\(failed as Any)")
    try await scst.perform([.deleteTarget(name, force: true)])
    #expect(try await scst.read().targets.isEmpty)
  }

  /// A command that does not end keeps its session; that is waited for, for a bounded time, and nothing is lost.
  @Test func aTargetWhoseSessionDoesNotEndIsKept() async throws {
    let scst = try machine.implementation()
    try await scst.perform([
      .createTarget(name, id: nil), .addUnit(name, try unit { $0.attributes["device"] = "d1" }),
      .allow(name, .all), .enableTarget(name),
    ])
    try machine.scst.logIn(guest, to: "\(name)")
    machine.scst.freeze("d1")
    let start = machine.host.now
    let failed = await failure { try await scst.perform([.deleteTarget(name, force: true)]) }
    #expect(failed?.code == .timedOut, "\(failed as Any)")
    #expect(machine.host.now - start < .seconds(60))
    machine.scst.thaw()
    #expect(try await scst.read().targets[name]?.enabled == true)
    try await scst.perform([.deleteTarget(name, force: true)])
  }

  /// Nobody but iscsi-scstd has targets; when it ends, everything of them ends with it.
  @Test func whatIsMissingIsSaid() async throws {
    let machine = SCSTMachine(SimulatedSCST(isRunning: false))
    let scst = try machine.implementation()
    #expect(await scst.backend.probe(machine.host).detail.contains("scst is not loaded"))
    await expect(.unavailable, "module scst") { _ = try await scst.read() }
    try machine.host.loadModule("scst")
    await expect(.unavailable, "iscsi-scst is not loaded") { _ = try await scst.read() }
    try machine.host.loadModule("iscsi-scst")
    await expect(.unavailable, "iscsi-scstd does not run") { _ = try await scst.read() }
    #expect(try await scst.start())
    #expect(try await scst.read().targets.isEmpty)
    try await scst.perform([.createTarget(name, id: nil)])
    machine.scst.killDaemon()
    await expect(.unavailable, "iscsi-scstd does not run") { _ = try await scst.read() }
    #expect(await scst.backend.probe(machine.host).installed)
  }

  @Test func aHandlerWhoseModuleIsNotLoadedIsSaid() async throws {
    let machine = SCSTMachine(SimulatedSCST(modules: ["scst", "iscsi-scst"]))
    machine.host.addFile("/srv/disk", size: 1 << 20)
    let scst = try machine.implementation()
    try await scst.perform([.createTarget(name, id: nil)])
    await expect(.unavailable, "scst_vdisk") { try await scst.perform([.addUnit(name, try unit())]) }
  }

  private func expect(_ code: Failure.Code, _ word: String, _ body: () async throws -> Void) async {
    let failed = await failure(of: body)
    #expect(failed?.code == code && failed?.description.contains(word) == true, "\(failed as Any)")
  }
}
