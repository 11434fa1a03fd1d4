import HostInterface
import LinuxHost
import Quartet
import SystemPackage
import TargetCore
import Testing
import VirtualMachine

/// What configfs offers, what a killed run leaves, and what is refused, on a real kernel.
extension GuestLIOTests {
  private static let core = FilePath("/sys/kernel/config/target/core")

  private func run(_ argv: String...) async throws {
    let result = try await host.run(argv, environment: [:], input: [], limit: .seconds(30))
    try #require(result.status == 0, "\(argv): \(result.errors)")
  }

  private func backing(_ name: String) async throws -> Backing {
    try Backing(path: try await file(name, size: 8 << 20))
  }

  private func account(_ user: String) throws -> CHAPAccount {
    try CHAPAccount(user: CHAPUser(user), secret: Secret("secret-of-\(user)".utf8))
  }

  /// Backstores of every kind, by their stores.
  private func units() async throws -> [LogicalUnit] {
    try await run("modprobe", "brd", "rd_nr=2", "rd_size=16384")
    try host.loadModule("sd_mod")
    try await run("modprobe", "scsi_debug", "dev_size_mb=8")
    try await host.waitForPath("/dev/sda", exists: true, limit: .seconds(30))
    func unit(_ lun: Int, _ store: String, _ backing: Backing, _ attributes: [String: String] = [:]) throws
      -> LogicalUnit
    {
      var unit = LogicalUnit(lun: try LUN(lun), backing: backing)
      (unit.store, unit.attributes) = (store, attributes)
      return unit
    }
    var through = try unit(
      0, "fileio", await backing("through"),
      [
        "emulate_3pc": "0", "emulate_caw": "0", "emulate_fua_write": "0", "emulate_model_alias": "1",
        "emulate_pr": "0", "emulate_tas": "0", "emulate_tpu": "1", "emulate_tpws": "1",
        "emulate_ua_intlck_ctrl": "2", "enforce_pr_isids": "0", "force_pr_aptpl": "1", "is_nonrot": "1",
        "max_unmap_block_desc_count": "4", "max_unmap_lba_count": "64", "max_write_same_len": "128",
        "optimal_sectors": "64", "queue_depth": "32", "unmap_granularity": "8",
        "unmap_granularity_alignment": "8", "unmap_zeroes_data": "1", "company_id": "0x00a098",
        "alua_access_state": "1", "alua_access_type": "1", "preferred": "1", "trans_delay_msecs": "100",
        "nonop_delay_msecs": "50", "implicit_trans_secs": "30", "alua_write_metadata": "0",
      ])
    (through.cache, through.serial, through.blockSize) = (.through, "QSN0000", 4096)
    var back = try unit(1, "fileio", await backing("back"))
    (back.cache, back.vendor, back.product, back.revision) = (.back, "QUARTET", "A DISK", "0001")
    back.initiators = [.name(initiator)]
    var block = try unit(2, "iblock", Backing(path: "/dev/ram0"))
    block.readOnly = true
    var disk = try unit(4, "pscsi", Backing(path: "/dev/sda"))
    disk.deviceType = .passthrough
    var handled = try unit(5, "user", .none, ["dev_config": "rbd/pool/image", "dev_size": "1048576"])
    handled.readOnly = true
    return [through, back, block, try unit(3, "rd_mcp", .none, ["rd_pages": "1024"]), disk, handled]
  }

  @Test func everyBackstoreAndSettingIsTaken() async throws {
    let lio = try await lio()
    var spec = TargetSpec(name: name)
    spec.units = try await units()
    spec.initiators = [.name(initiator), .name(try ISCSIName("iqn.1993-08.org.debian:01:other"))]
    spec.chap = CHAPSpec(incoming: [try account("jack")], outgoing: .some(try account("target")))
    spec.portals = [try Portal("127.0.0.1:3260"), try Portal("[::1]:3260")]
    spec.attributes = [
      "default_cmdsn_depth": "32", "login_timeout": "20", "netif_timeout": "5", "TargetAlias": "A disk",
      "demo_mode_discovery": "0", "default_erl": "0", "t10_pi": "0", "prod_mode_write_protect": "0",
    ]
    spec.parameters = [
      .maxBurstLength: "131072", .firstBurstLength: "32768", .initialR2T: "No", .defaultTime2Wait: "5",
      .headerDigest: "None", .maxRecvDataSegmentLength: "65536",
    ]
    var everyone = TargetSpec(name: try TargetName("iqn.2011-12.com.example:disk2"))
    everyone.initiators = [.all]
    var readable = LogicalUnit(lun: try LUN(0), backing: try Backing(path: "/dev/ram1"))
    readable.readOnly = true
    everyone.units = [readable]
    let desired = DesiredState(
      targets: [spec, everyone],
      discovery: CHAPSpec(incoming: [try account("finder")], outgoing: .some(try account("found"))))
    try await lio.apply(desired)
    let again = try await lio.apply(desired)
    #expect(again.changes.map(\.description) == [])
    let live = try await lio.read(ReadDetail(parameters: .all, shared: true))
    let target = try #require(live.targets[name])
    for unit in spec.units ?? [] {
      let found = try #require(target.units[unit.lun])
      #expect(unit.differences(from: found) == [], "lun \(unit.lun)")
      #expect(found.attributes.filter { unit.attributes[$0.key] != nil } == unit.attributes)
      #expect(found.reservation == nil || unit.store == "pscsi")
    }
    #expect(try target.units[LUN(1)]?.initiators == [.name(initiator)])
    #expect(try target.units[LUN(3)]?.size == 4 << 20)
    #expect(try live.discovery.incoming == [account("finder")])
    #expect(try live.discovery.outgoing == account("found"))
    #expect(live.targets[everyone.name]?.units[readable.lun]?.readOnly == true)
    var writable = spec
    writable.units?[2].readOnly = nil
    writable.units?[5].readOnly = false
    writable.units?[1].initiators = spec.initiators
    try await lio.apply(DesiredState(targets: [writable]))
    try await lio.apply(
      DesiredState(discovery: CHAPSpec(incoming: [], outgoing: .some(nil))),
      reconciling: Reconciler.Options(prune: true))
    #expect(try host.list(Self.core) == ["alua"])
    #expect(try await lio.read(ReadDetail(shared: true)).discovery.isEmpty)
  }

  /// A name without a portal group, an HBA without a backstore, a backstore without a LUN, a LUN without its link, an
  /// ACL without a mapped LUN.
  @Test func whatAKilledRunLeavesIsFinishedOrRemoved() async throws {
    let lio = try await lio()
    var spec = TargetSpec(name: name)
    spec.units = [LogicalUnit(lun: try LUN(0), backing: try await backing("half"))]
    spec.initiators = [.name(initiator)]
    spec.chap = CHAPSpec(incoming: [try account("jack")], outgoing: .some(nil))
    spec.portals = [try Portal("127.0.0.1:3260")]
    let desired = DesiredState(targets: [spec])
    var options = PerformOptions()
    options.dryRun = true
    let steps = try await lio.apply(desired, options: options).plan.steps.map(\.operation)
    for count in 1...steps.count {
      for step in steps.prefix(count) {
        // The folders of reservations stay.
        do { _ = try await host.perform(step) } catch let failure as Failure where failure.code == .exists {}
      }
      let place = "behind step \(count), \(steps[count - 1].display)"
      if count % 4 == 0 {
        try await lio.apply(desired)
        #expect(try await lio.apply(desired).changes.isEmpty, "\(place)")
      }
      try await lio.perform([.deleteTarget(name, force: false)])
      #expect(try host.list(Self.core) == ["alua"], "\(place)")
    }
    #expect(try await lio.read().targets.isEmpty)
  }

  @Test func whatTheMachineRefusesIsSaid() async throws {
    let lio = try await lio()
    func refusal(_ changes: [Change]) async throws -> Failure {
      let before = try await lio.read(ReadDetail(parameters: .all, shared: true))
      let failure = await #expect(throws: Failure.self) { try await lio.perform(changes) }
      #expect(failure?.leftovers == [])
      #expect(try await lio.read(ReadDetail(parameters: .all, shared: true)) == before)
      return try #require(failure)
    }
    try await lio.perform([.createTarget(name, id: nil)])
    try host.loadModule("dm_mod")
    try host.loadModule("brd")
    try await run("dmsetup", "create", "--noudevsync", "held", "--table", "0 2048 linear /dev/ram1 0")
    let held = LogicalUnit(lun: try LUN(0), backing: try Backing(path: "/dev/ram1"))
    let inUse = try await refusal([.addUnit(name, held)])
    #expect(inUse.code == .inUse && inUse.description.contains("(held)"), "\(inUse)")
    try await run("dmsetup", "remove", "--noudevsync", "held")

    let unit = LogicalUnit(lun: try LUN(0), backing: try await backing("refused"))
    try await run("mount", "-o", "remount,ro", "/sys/kernel/config")
    let readOnly = try await refusal([.addUnit(name, unit)])
    #expect(readOnly.errno == .readOnlyFileSystem, "\(readOnly)")
    try await run("mount", "-o", "remount,rw", "/sys/kernel/config")

    let value = try await refusal([.setAttribute(name, "login_timeout", "900")])
    #expect(value.description.contains("refused \"900\" for login_timeout"), "\(value)")
    #expect(value.errno == .invalidArgument)

    try await lio.perform([.addUnit(name, unit)])
    let other = try TargetName("iqn.2011-12.com.example:disk2")
    let shared = try await refusal([.createTarget(other, id: nil), .addUnit(other, unit)])
    #expect(shared.code == .inUse && shared.description.contains("lun 0 of \(name)"), "\(shared)")
    try await lio.perform([.deleteTarget(name, force: false)])
  }
}
