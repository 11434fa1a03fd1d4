import HostInterface
import Quartet
import TargetCore
import Testing

extension InitiatorTests {
  /// Disks: what is on them, and what an initiator sees when they change.
  struct DiskTests {
    private let lun: LUN

    init() throws { lun = try LUN(1) }

    @Test(arguments: Exported.Kind.allCases)
    func aFileSystemIsKept(kind: Exported.Kind) async throws {
      let exported = try await Exported(kind)
      let initiator = exported.initiator
      try await exported.apply([exported.unit(1)])
      #expect(try await initiator.discover() == ["\(exported.name)"])
      try await exported.logIn()
      try await shell("mkfs.ext4 -q $1", initiator.disk(lun))
      let first = try await Mounted(initiator.disk(lun))
      let sum = try await first.write("first", mebibytes: 4)
      try await first.end()
      try await initiator.logOut()

      try await exported.logIn()
      let second = try await Mounted(initiator.disk(lun))
      #expect(try await second.sum(of: "first") == sum)

      // Grown while it is mounted.
      try await exported.backing("lun1", mebibytes: 24)
      try await exported.perform(.resizeUnit(exported.name, lun))
      try await initiator.rescan()
      #expect(try await shell("blockdev --getsize64 $1", second.disk) == "\(24 << 20)")
      try await shell("resize2fs $1", second.disk)
      let late = try await second.write("late", mebibytes: 14)

      // Out of service while it is mounted: what was not written waits.
      try await exported.perform(.disableTarget(exported.name))
      #expect(try await !exported.target().enabled)
      if kind == .lio {
        try await eventually("the session is lost") { try initiator.state() != "LOGGED_IN" }
      }
      let waiting = Task { try await second.write("waiting", mebibytes: 2) }
      try await exported.perform(.enableTarget(exported.name))
      let sums = [sum, late, try await waiting.value]
      try await second.end()
      try await initiator.logOut()

      try await exported.logIn()
      let third = try await Mounted(initiator.disk(lun))
      for (name, sum) in zip(["first", "late", "waiting"], sums) {
        #expect(try await third.sum(of: name) == sum, "\(name)")
      }
      try await third.end()
      try await exported.end()
    }

    @Test(arguments: Exported.Kind.allCases)
    func aReplacedUnitIsAnotherDiskAndARemovedOneIsGone(kind: Exported.Kind) async throws {
      let exported = try await Exported(kind)
      let initiator = exported.initiator
      try await exported.apply([exported.unit(1) { $0.serial = "first" }, exported.unit(2)])
      try await exported.logIn()
      let disk = try await initiator.disk(lun)
      let neighbour = try await initiator.disk(LUN(2))
      #expect(try await serial(of: disk).contains("first"))

      var other = LogicalUnit(
        lun: lun, backing: try Backing(path: try await exported.backing("other", mebibytes: 8)))
      other.serial = "second"
      try await shell("head -c 1M /dev/urandom | dd of=/run/disks/other conv=notrunc status=none")
      try await exported.perform(.replaceUnit(exported.name, other, force: true))
      try await eventually("the session stands") { try initiator.state() == "LOGGED_IN" }
      try await initiator.rescan()
      #expect(try await initiator.disk(lun) == disk)
      #expect(try await serial(of: disk).contains("second"))
      #expect(try await shell("blockdev --getsize64 $1", disk) == "\(8 << 20)")
      #expect(try await start(of: disk) == shell("head -c 1M /run/disks/other | sha256sum"))

      try await exported.perform(.removeUnit(exported.name, lun, force: true))
      #expect(try await status("dd if=$1 bs=4096 count=1 iflag=direct of=/dev/null", disk) == 1)
      _ = try await start(of: neighbour)
      #expect(try await exported.target().units.keys.sorted() == [LUN(2)])
      try await exported.end()
    }

    @Test(arguments: Exported.Kind.allCases)
    func aTargetIsTakenFromItsInitiatorAndGivenBack(kind: Exported.Kind) async throws {
      let exported = try await Exported(kind)
      let initiator = exported.initiator
      try await exported.apply([exported.unit(1)])
      try await exported.logIn()
      try await shell("mkfs.ext4 -q $1", initiator.disk(lun))
      let mounted = try await Mounted(initiator.disk(lun))
      let failure = await #expect(throws: Failure.self) {
        try await exported.perform(.deleteTarget(exported.name, force: false))
      }
      #expect(failure?.code == .inUse)
      try await exported.perform(.deleteTarget(exported.name, force: true))
      #expect(try await exported.implementation.read().targets.isEmpty)
      try await eventually("the session is lost") { try initiator.state() != "LOGGED_IN" }

      // What is written meanwhile waits until the same disk is back, as when a target moves to another node.
      let waiting = Task { try await mounted.write("waiting", mebibytes: 2) }
      try await exported.apply([exported.unit(1)])
      try await eventually("the session is back") { try initiator.state() == "LOGGED_IN" }
      let sum = try await waiting.value
      try await mounted.end()
      try await initiator.logOut()
      try await exported.logIn()
      let again = try await Mounted(initiator.disk(lun))
      #expect(try await again.sum(of: "waiting") == sum)
      try await again.end()
      try await exported.end()
    }

    /// The serial number as the initiator's kernel read it, from VPD page 0x80.
    private func serial(of disk: String) async throws -> String {
      try await shell("tr -d '\\000' < /sys/block/$(basename $1)/device/vpd_pg80", disk)
    }

    /// The sum of the first MiB, as the target sends it now.
    private func start(of disk: String) async throws -> String {
      try await shell(
        "dd if=$1 bs=1M count=1 iflag=direct of=/run/start status=none; sha256sum < /run/start", disk)
    }
  }
}
