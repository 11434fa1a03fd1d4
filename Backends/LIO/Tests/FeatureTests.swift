import HostInterface
import Quartet
import SystemPackage
import TargetCore
import Testing

/// What configfs offers a logical unit and a target, item by item.
@Suite struct FeatureTests {
  let bench: Workbench

  init() throws { bench = try Workbench() }

  /// Makes a target with one logical unit and looks at it; applying it again has nothing to do.
  @discardableResult
  private func applied(_ unit: LogicalUnit, _ change: (inout TargetSpec) throws -> Void = { _ in })
    async throws
    -> LogicalUnit
  {
    var spec = TargetSpec(name: bench.name)
    spec.units = [unit]
    try change(&spec)
    try await bench.lio.apply(DesiredState(targets: [spec]))
    let again = try await bench.lio.apply(DesiredState(targets: [spec]))
    #expect(again.changes.map(\.description) == [])
    return try #require(try await bench.read().targets[bench.name]?.units[unit.lun])
  }

  // MARK: Backstores

  @Test func fileWrittenThroughAndBack() async throws {
    var unit = try bench.unit(0, "/srv/disk1")
    #expect(try await applied(unit).cache == .through)
    #expect(try bench.value(bench.device(0) + "/info").contains("Mode: O_DSYNC"))
    unit.cache = .back
    #expect(try await applied(unit).cache == .back)
    #expect(try bench.value(bench.device(0) + "/info").contains("Mode: Buffered-WCE"))
  }

  @Test func blockDeviceReadOnlyForEveryone() async throws {
    var unit = try bench.unit(0, "/dev/sdb")
    #expect(try await applied(unit).store == "iblock")
    try await bench.lio.perform([.removeUnit(bench.name, LUN(0), force: false)])
    unit.readOnly = true
    let found = try await applied(unit) { $0.initiators = [.all] }
    #expect(found.readOnly == true && found.backing == .path("/dev/sdb"))
    #expect(try bench.value(bench.device(0) + "/info").contains("readonly: 1"))
  }

  @Test func memory() async throws {
    var unit = LogicalUnit(lun: try LUN(0), backing: .none)
    unit.store = "rd_mcp"
    unit.attributes = ["rd_pages": "1024"]
    let found = try await applied(unit)
    #expect(found.size == 4 << 20 && found.attributes["rd_pages"] == "1024")
  }

  @Test func diskPassedThrough() async throws {
    bench.host.addDirectory("/sys/class/scsi_device/2:0:1:3/device/block/sdb")
    bench.host.addDirectory("/sys/class/scsi_host/host2")
    var unit = try bench.unit(0, "/dev/sdb")
    unit.store = "pscsi"
    let found = try await applied(unit)
    #expect(found.deviceType == .passthrough && found.store == "pscsi")
    let info = try bench.value(bench.device(0) + "/info")
    #expect(info.contains("Channel ID: 0 Target ID: 1 LUN: 3 Host ID: 2"))
    unit.lun = try LUN(1)
    unit.backing = .path("/srv/disk1")
    await #expect(throws: Failure.self) { try await bench.lio.perform([.addUnit(bench.name, unit)]) }
  }

  @Test func handlerInUserSpace() async throws {
    var unit = LogicalUnit(lun: try LUN(0), backing: .none)
    unit.store = "user"
    unit.blockSize = 4096
    unit.attributes = ["dev_config": "rbd/pool/image", "dev_size": "1048576", "max_data_area_mb": "16"]
    let found = try await applied(unit)
    #expect(found.size == 1 << 20 && found.blockSize == 4096)
    #expect(found.attributes["dev_config"] == "rbd/pool/image")
    unit.attributes["max_data_area_mb"] = "32"
    #expect(try await applied(unit).attributes["max_data_area_mb"] == "32")
  }

  // MARK: Settings

  @Test func attributesByName() async throws {
    let values = [
      "emulate_3pc": "0", "emulate_caw": "0", "emulate_fua_write": "0", "emulate_model_alias": "1",
      "emulate_pr": "0", "emulate_tas": "0", "emulate_tpu": "1", "emulate_tpws": "1",
      "emulate_ua_intlck_ctrl": "2", "emulate_write_cache": "1", "enforce_pr_isids": "0",
      "force_pr_aptpl": "1",
      "is_nonrot": "1", "max_unmap_block_desc_count": "4", "max_unmap_lba_count": "64",
      "max_write_same_len": "128", "optimal_sectors": "64", "queue_depth": "32", "unmap_granularity": "8",
      "unmap_granularity_alignment": "8", "unmap_zeroes_data": "1", "company_id": "0x00a098",
    ]
    var unit = try bench.unit(0, "/srv/disk1")
    unit.attributes = values
    let found = try await applied(unit)
    #expect(found.attributes.filter { values[$0.key] != nil } == values)
  }

  /// The states, and how they are told: of the group that the kernel makes.
  @Test func stateOfThePortGroup() async throws {
    var unit = try bench.unit(0, "/srv/disk1")
    try await applied(unit)
    for state in ["1", "2", "3", "14", "0"] {
      unit.attributes = [
        "alua_access_state": state, "alua_access_type": "1", "preferred": "1", "trans_delay_msecs": "100",
        "nonop_delay_msecs": "50", "implicit_trans_secs": "30", "alua_write_metadata": "1",
      ]
      let found = try await applied(unit)
      #expect(found.attributes["alua_access_state"] == state && found.attributes["alua_access_type"] == "1")
    }
    #expect(try bench.value(bench.device(0) + "/alua/default_tg_pt_gp/alua_access_type") == "Implicit")
  }

  /// What the model has no place for stays when the rest is applied.
  @Test func whatHasNoNameIsLeftAlone() async throws {
    try await bench.lio.apply(bench.document())
    let group = "/sys/kernel/config/target/\(try bench.device(0))/alua/second"
    try bench.host.createDirectory(FilePath(group))
    let node = "iscsi/\(bench.name)/tpgt_1/acls/\(bench.initiator)"
    for (path, value) in [
      ("\(node)/tag", "a tag"), ("\(node)/attrib/nopin_timeout", "7"),
      ("iscsi/\(bench.name)/tpgt_1/lun/lun_0/alua_tg_pt_gp", "second"),
    ] {
      try bench.host.write(Array(value.utf8), to: FilePath("/sys/kernel/config/target/\(path)"))
    }
    var document = try bench.document()
    document.targets[0].units?.append(try bench.unit(3, "/srv/disk3"))
    document.targets[0].parameters = [.maxBurstLength: "65536"]
    try await bench.lio.apply(document)
    #expect(try bench.value("\(node)/tag") == "a tag")
    #expect(try bench.value("\(node)/attrib/nopin_timeout") == "7")
    #expect(
      try bench.value("iscsi/\(bench.name)/tpgt_1/lun/lun_0/alua_tg_pt_gp").contains("Alias: second"))
    try await bench.lio.perform([.deleteTarget(bench.name, force: false)])
    #expect(try bench.host.list(FilePath(Workbench.core)) == ["alua"])
  }

  @Test func thoseWhoMayOnlyRead() async throws {
    var unit = try bench.unit(0, "/srv/disk1")
    unit.readOnly = true
    let found = try await applied(unit) { $0.initiators = [.name(bench.initiator)] }
    #expect(found.readOnly == true)
    let session = try bench.simulator.logIn("\(bench.initiator)", to: "\(bench.name)")
    #expect(bench.simulator.mayWrite(session, lun: 0) == false)
    unit.readOnly = false
    try await applied(unit) { $0.initiators = [.name(bench.initiator)] }
    #expect(bench.simulator.mayWrite(session, lun: 0) == true)
  }

  /// Everyone may write, and nobody is nobody.
  @Test func everyone() async throws {
    try await applied(bench.unit(0, "/srv/disk1")) { $0.initiators = [.all] }
    let group = "iscsi/\(bench.name)/tpgt_1/attrib"
    let settings = ["generate_node_acls", "cache_dynamic_acls", "demo_mode_write_protect"]
    #expect(try settings.map { try bench.value("\(group)/\($0)") } == ["1", "1", "0"])
    let session = try bench.simulator.logIn("iqn.2000-01.org.example:any", to: "\(bench.name)")
    #expect(bench.simulator.mayWrite(session, lun: 0) == true)
    try await applied(bench.unit(0, "/srv/disk1")) { $0.initiators = [] }
    #expect(!bench.simulator.isOpen(session))
    #expect(throws: (any Error).self) {
      try bench.simulator.logIn("iqn.2000-01.org.example:other", to: "\(bench.name)")
    }
  }

  /// In the portal group, in each ACL, and of discovery; without a newline, which would be a part of it.
  @Test func accounts() async throws {
    var document = try bench.document()
    document.targets[0].chap?.outgoing = .some(try bench.account("target", "anothersecret1"))
    document.discovery = CHAPSpec(
      incoming: [try bench.account("finder")], outgoing: .some(try bench.account("found", "anothersecret2")))
    try await bench.lio.apply(document)
    let group = "\(Workbench.fabric)/\(bench.name)/tpgt_1"
    for folder in ["\(group)/auth", "\(group)/acls/\(bench.initiator)/auth"] {
      let files = ["userid", "password", "userid_mutual", "password_mutual"]
      let texts = try files.map { try bench.host.text(FilePath("\(folder)/\($0)")).trimmed }
      #expect(texts == ["jack", "secretsecret12", "target", "anothersecret1"])
    }
    #expect(try bench.value("iscsi/discovery_auth/userid_mutual") == "found")
    #expect(try bench.value("iscsi/discovery_auth/enforce_discovery_auth") == "1")
    #expect(try await bench.lio.apply(document).changes.isEmpty)
    document.discovery = CHAPSpec(incoming: [], outgoing: .some(nil))
    try await bench.lio.apply(document)
    #expect(try bench.value("iscsi/discovery_auth/enforce_discovery_auth") == "0")
    #expect(try await bench.read().discovery.isEmpty)
  }
}
