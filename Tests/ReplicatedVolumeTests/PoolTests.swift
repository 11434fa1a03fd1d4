import HostInterface
import SystemPackage
import Testing

@testable import ReplicatedVolume

enum Reports {
  /// A full report of the article's pool with one volume of three extents, in the form of `fullreport.json`.
  static let full = Array(
    """
    {"report": [
      {"vg": [{"vg_name":"vg1", "vg_extent_size":"4194304", "vg_extent_count":"63", "vg_free_count":"59"}],
       "pv": [{"pv_uuid":"P1", "pv_name":"/dev/drbd0", "dev_size":"268390400", "pv_pe_count":"63", "pv_pe_alloc_count":"4", "pv_missing":""}],
       "lv": [{"lv_uuid":"L1", "lv_name":"lun1", "lv_size":"12582912", "lv_layout":"linear", "lv_role":"public", "lv_active":"active", "lv_device_open":"", "origin":"", "pool_lv":"", "data_percent":""},
              {"lv_uuid":"L2", "lv_name":"[lvol0_pmspare]", "lv_size":"4194304", "lv_layout":"linear", "lv_role":"private,pool,spare", "lv_active":"", "lv_device_open":"", "origin":"", "pool_lv":"", "data_percent":""}],
       "pvseg": [{"pvseg_start":"4", "pvseg_size":"59", "pv_uuid":"P1", "lv_uuid":""},
                 {"pvseg_start":"0", "pvseg_size":"3", "pv_uuid":"P1", "lv_uuid":"L1"},
                 {"pvseg_start":"3", "pvseg_size":"1", "pv_uuid":"P1", "lv_uuid":"L2"}],
       "seg": [{"lv_uuid":"L1", "segtype":"linear"}]},
      {"vg": [], "pv": [{"pv_uuid":"P2", "pv_name":"/dev/vdb", "dev_size":"268435456", "pv_pe_count":"0", "pv_pe_alloc_count":"0", "pv_missing":""}], "lv": []}
    ]}
    """.utf8)
}

@Suite struct PoolTests {
  private func state(_ change: (inout VolumeState) throws -> Void = { _ in }) throws -> VolumeState {
    var state = VolumeState(
      node: try NodeName("mike"), generation: .eight, files: [], running: [], splitBrain: [],
      pools: try LVMReport.parse(Reports.full), unfiltered: [:])
    try change(&state)
    return state
  }

  private func steps(
    _ change: VolumeChange, _ state: VolumeState? = nil, signatures: [String] = [], filter: FilterFile? = nil
  ) throws -> [Step] {
    let free = DiskFacts(
      status: FileStatus(kind: .blockDevice, size: 256 << 20, identity: "254:32"), holders: [],
      signatures: signatures)
    return try VolumePlanner(
      state: try state ?? self.state(), facts: [try DevicePath("/dev/vdc"): free], hasUdev: true,
      filter: filter
    ).steps(for: change).steps
  }

  private func words(_ change: VolumeChange, _ state: VolumeState? = nil) throws -> [String] {
    try steps(change, state).map { step in
      guard case .run(let command) = step.operation else { return step.operation.display }
      return command.argv.dropFirst().map(\.display).joined(separator: " ")
    }
  }

  private func refusal(_ change: VolumeChange, _ state: VolumeState? = nil, signatures: [String] = []) throws
    -> Failure
  {
    try #require(throws: Failure.self) { _ = try steps(change, state, signatures: signatures) }
  }

  @Test func aReportIsRead() throws {
    let pool = try #require(try state().pools?[PoolName("vg1")])
    #expect(pool.extents == 63 && pool.free == 59 && pool.extentSize == 4 << 20)
    #expect(pool.map.map(\.volume) == ["lun1", "lvol0_pmspare", nil])
    #expect(pool.map.map(\.start) == [0, 3, 4] && pool.map.map(\.count).reduce(0, +) == pool.extents)
    #expect(pool.volumes.map(\.isHidden) == [false, true] && pool.volumes[0].isActive)
    #expect(try state().pools?.unused.map(\.device) == ["/dev/vdb"])
    #expect(try LVMReport.parse(Array(Recorded.output("LVM/lvm-on-drbd", 7).utf8)) == PoolState())
    #expect(throws: Failure.self) {
      try LVMReport.parse(Array("{\"report\": [{\"vg\": [{\"vg_name\": \"a\"}]}]}".utf8))
    }
    let report = String(decoding: Reports.full, as: UTF8.self)
    for (number, wrong) in [
      ("\"4194304\", \"vg_extent_count", "\"0\", \"vg_extent_count"), ("\"59\"}]", "\"64\"}]"),
      ("\"63\", \"vg_free", "\"18446744073709551615\", \"vg_free"),
      ("\"pvseg_start\":\"4\"", "\"pvseg_start\":\"18446744073709551615\""),
    ] {
      try #require(report.contains(number))
      let failure = #expect(throws: Failure.self) {
        try LVMReport.parse(Array(report.replacing(number, with: wrong).utf8))
      }
      #expect(failure?.code == .garbled)
    }
    for length in stride(from: 0, to: Reports.full.count, by: 11) {
      _ = try? LVMReport.parse(Array(Reports.full.prefix(length)))
    }
  }

  @Test func aReportOfTheRealOneIsRead() throws {
    let state = try LVMReport.parse(Array(Recorded.text("LVM/fullreport.json").utf8))
    let pool = try #require(try state[PoolName("vg1")])
    #expect(pool.volumes.filter { !$0.isHidden }.map(\.name) == ["lun1", "lun2", "pool", "snap", "t1"])
    #expect(pool.volumes.filter(\.isUsable).map(\.name) == ["lun1", "lun2", "snap", "t1"])
    #expect(try state[VolumePath("vg1/snap")]?.origin == "lun2")
    #expect(try state[VolumePath("vg1/t1")]?.thinPool == "pool")
    #expect(try state[VolumePath("vg1/t1")]?.usedPercent == 0)
    #expect(pool.map.map(\.count).reduce(0, +) == pool.extents)
    #expect(pool.map.filter { $0.volume == nil }.map(\.count).reduce(0, +) == pool.free)
    #expect(pool.map.filter { $0.volume == "lun1" }.map(\.start) == [0, 20])
    #expect(pool.extents == Pool.extents(onDevice: 256 << 20, of: 4 << 20))
    #expect(state.unused.map(\.device) == ["/dev/vdb"])
  }

  @Test func volumesAreMadeInWholeExtents() throws {
    let path = try VolumePath("vg1/lun2")
    #expect(
      try words(.createVolume(path, .bytes((8 << 20) + 1))) == [
        "lvcreate --yes --wipesignatures y --type linear --extents 3 --name lun2 vg1"
      ])
    #expect(
      try steps(.createVolume(path, .extents(1)))[0].undo.map(\.display).first?.hasSuffix(
        "lvremove --yes vg1/lun2") == true)
    #expect(try words(.createVolume(VolumePath("vg1/lun1"), .extents(3))) == [])
    #expect(try refusal(.createVolume(VolumePath("vg1/lun1"), .extents(4))).code == .exists)
    #expect(try refusal(.createVolume(path, .extents(60))).problem.contains("59 free"))
    #expect(try refusal(.createVolume(path, .extents(0))).code == .invalid)
    #expect(try refusal(.createVolume(path, .extents(.max))).code == .invalid)
    #expect(try refusal(.createVolume(VolumePath("vg2/a"), .extents(1))).code == .notFound)
    #expect(try refusal(.createThinVolume(path, from: VolumeName("lun1"), bytes: 1)).code == .notFound)
    #expect(try refusal(.snapshot(path, of: VolumeName("lun1"), nil)).code == .invalid)
    #expect(
      try words(.snapshot(path, of: VolumeName("lun1"), .extents(2))).first?.contains(
        "--extents 2 --name lun2 vg1/lun1") == true)
  }

  @Test func growingIsUndoneAndShrinkingIsAskedFor() throws {
    let path = try VolumePath("vg1/lun1")
    let grow = try steps(.extendVolume(path, .extents(5)))
    #expect(
      grow[0].undo.map(\.display).first?.hasSuffix("lvreduce --yes --force --extents 3 vg1/lun1") == true)
    #expect(try words(.extendVolume(path, .bytes(12 << 20))) == [])
    #expect(try refusal(.extendVolume(path, .extents(2))).code == .invalid)
    #expect(try refusal(.extendVolume(path, .extents(63))).problem.contains("needs 60 extents"))
    #expect(
      try refusal(.reduceVolume(path, .extents(1), force: false)).problem.contains("lose 8388608 bytes"))
    #expect(
      try words(.reduceVolume(path, .extents(1), force: true)) == [
        "lvreduce --yes --force --extents 1 vg1/lun1"
      ])
    let open = try state { $0.pools?.pools[0].volumes[0].isOpen = true }
    for change in [
      .reduceVolume(path, .extents(1), force: true), .removeVolume(path),
      .renameVolume(path, to: try VolumeName("x")),
    ] as [VolumeChange] {
      #expect(try refusal(change, open).code == .inUse)
    }
    #expect(try words(.renameVolume(VolumePath("vg1/gone"), to: VolumeName("lun1"))) == [])
    #expect(try words(.removeVolume(VolumePath("vg1/gone"))) == [])
  }

  @Test func poolsAreMadeOnFreeDevicesOnly() throws {
    let devices = [try DevicePath("/dev/vdc")]
    let create = VolumeChange.createPool(try PoolName("vg2"), devices, extentSize: 1 << 20)
    #expect(
      try words(create) == ["pvcreate /dev/vdc", "vgcreate --physicalextentsize 1048576b vg2 /dev/vdc"])
    #expect(try refusal(create, signatures: ["xfs"]).problem.contains("xfs"))
    #expect(try refusal(.createPool(PoolName("vg2"), devices, extentSize: 3 << 20)).code == .invalid)
    #expect(try refusal(.createPool(PoolName("vg2"), [], extentSize: nil)).code == .invalid)
    #expect(try refusal(.createPool(PoolName("vg1"), devices, extentSize: nil)).code == .exists)
    #expect(try words(.createPool(PoolName("vg1"), [DevicePath("/dev/drbd0")], extentSize: nil)) == [])
    // A run that was killed after pvcreate goes on with what is there.
    #expect(try words(.extendPool(PoolName("vg1"), DevicePath("/dev/vdb"))) == ["vgextend vg1 /dev/vdb"])
    #expect(try refusal(.removePool(PoolName("vg1"))).problem.contains("1 volumes, such as lun1"))
    #expect(try refusal(.reducePool(PoolName("vg1"), DevicePath("/dev/drbd0"))).problem.contains("4 extents"))
    let below = try state {
      $0.files = [
        FoundResource(resource: try ResourceFileTests.resource(), file: "/etc/drbd.d/vg1.res", foreign: [])
      ]
    }
    #expect(
      try refusal(.createPool(PoolName("vg2"), [DevicePath("/dev/vda")], extentSize: nil), below).remedy
        == "use /dev/drbd0, which is replicated")
  }

  @Test func theFilterKeepsWhatIsInUseAndIsWrittenOnce() throws {
    let unfiltered = try state { $0.unfiltered = [try ResourceName("vg1"): [try DevicePath("/dev/vda")]] }
    let plain = FilterFile(
      text: "local {\n}", inForce: "global_filter=[\"a|.*|\"]", usesDevicesFile: false)
    let step = try #require(try steps(.applyFilter, unfiltered, filter: plain).first)
    guard case .replaceFile(let path, let contents, _) = step.operation else {
      Issue.record("\(step)")
      return
    }
    #expect(path.display == "/etc/lvm/lvmlocal.conf")
    let part = """
      # written by quartet: it keeps LVM off the disks below DRBD
      devices {
      \tglobal_filter = [ "a|^/dev/drbd|", "a|^/dev/vdb$|", "r|.*|" ]
      }
      # end of quartet's part

      """
    #expect(contents.display == "local {\n}\n" + part)
    #expect(DeviceFilter.text(contents.display, with: part) == contents.display)
    #expect(DeviceFilter.without(contents.display) == "local {\n}\n")
    #expect(try steps(.applyFilter, filter: plain) == [])
    var own = plain
    own.inForce = "global_filter=[\"a|^/dev/v|\",\"r|.*|\"]"
    let refused = try #require(throws: Failure.self) { _ = try steps(.applyFilter, unfiltered, filter: own) }
    #expect(refused.code == .exists)
    // LVM passes over filters while it has a devices file, so that this is put out of use as well.
    var listed = plain
    listed.usesDevicesFile = true
    guard case .replaceFile(_, let text, _) = try steps(.applyFilter, unfiltered, filter: listed)[0].operation
    else {
      Issue.record("no file is written")
      return
    }
    #expect(text.display.contains("devices {\n\tuse_devicesfile = 0\n\tglobal_filter = [ \"a|^/dev/drbd|\""))
    #expect(DeviceFilter.without(text.display) == "local {\n}\n")
  }

  @Test func answersOfLVMAreTold() throws {
    func code(_ seq: Int) throws -> Failure.Code? {
      let line = try #require(try Recorded.lines("LVM/lvm-on-drbd").first { $0.seq == seq })
      switch LVM.verdict("x", CommandResult(status: line.exit ?? 0, errors: line.stderr ?? "")) {
      case .done: return nil
      case .busy(let failure), .failed(let failure): return failure.code
      }
    }
    #expect(try code(14) == nil)
    #expect(try [10, 67].map { try code($0) } == [.refused, .refused])
    #expect(try [57, 58, 59, 61].map { try code($0) } == [.exists, .refused, .notFound, .notFound])
    #expect(try [24, 65, 72, 73, 74].map { try code($0) } == [.inUse, .inUse, .inUse, .inUse, .inUse])
  }

  @Test func answersOfDRBDAreTold() throws {
    func code(_ name: String, _ seq: Int) throws -> Failure.Code? {
      let line = try #require(try Recorded.lines(name).first { $0.seq == seq })
      let result = CommandResult(
        status: line.exit ?? 0, output: Array((line.stdout ?? "").utf8), errors: line.stderr ?? "")
      switch DRBD.verdict("x", result) {
      case .done: return nil
      case .busy(let failure), .failed(let failure): return failure.code
      }
    }
    let expected: [(Int, Failure.Code?)] = [
      (17, .notFound), (18, .notFound), (21, nil), (41, .refused), (42, .refused), (114, .refused),
      (118, .inUse),
      (122, .exists),
    ]
    for (seq, wanted) in expected { #expect(try code("DRBD/lifecycle", seq) == wanted, "\(seq)") }
    #expect(try code("DRBD/failures", 256) == .refused)
    #expect(try code("DRBD/disk-failure-and-hazards", 172) == .inUse)
    // LVM has the disk below.
    #expect(try code("LVM/lvm-on-drbd", 34) == .inUse)
  }
}
