import HostInterface
import Quartet
import TargetCore
import Testing
import VirtualMachine

/// Targets that Quartet made, as the kernel's own initiator sees them. All of it runs in one guest.
@Suite(.serialized, .enabled(if: Guest.isHere, "needs a kernel of its own; VMTests run it in a guest"))
struct InitiatorTests {
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
}

/// A mounted file system.
private struct Mounted {
  let disk: String

  init(_ disk: String) async throws {
    self.disk = disk
    try await shell("mount $1 /run/mounted", disk)
  }

  /// Writes a file of noise to the disk, and tells its sum.
  func write(_ name: String, mebibytes: Int) async throws -> String {
    try await shell(
      """
      dd if=/dev/urandom of=/run/noise bs=1M count=\(mebibytes) status=none
      dd if=/run/noise of=/run/mounted/\(name) bs=1M conv=fsync status=none
      sha256sum < /run/noise
      """)
  }

  /// The sum of a file; read from the disk when another session wrote it.
  func sum(of name: String) async throws -> String {
    try await shell("sha256sum < /run/mounted/\(name)")
  }

  func end() async throws { try await shell("umount /run/mounted") }
}
