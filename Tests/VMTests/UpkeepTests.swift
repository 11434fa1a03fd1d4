import HostInterface
import ReplicatedVolume
import Testing
import VirtualMachine

/// What is done to a resource in its life, on two nodes with real DRBD and real LVM, while an initiator uses it.
@Suite(
  .serialized, .timeLimit(.minutes(20)),
  .enabled(if: Guest.isWanted, "no virtual machines: this is one, or QUARTET_VM=0 is set"))
struct UpkeepTests {
  private static let disk = "/dev/mapper/disk0"

  @Test func aVolumeGrowsIsVerifiedAndLosesAndGetsItsDisks() async throws {
    let pair = try await Pair.start()
    let (mike, nancy) = (pair.mike, pair.nancy)
    try await pair.onBoth { node in
      try await node.shell("modprobe dm_mod")
      try await map(16 << 20, on: node)
      try await node.quartet(pair.creation(disk: Self.disk) + ["--set", "net.verify-alg=crc32c"])
      try await node.quartet("pool", "filter", "--apply")
    }
    try await pair.awaitConnection()
    try await mike.quartet("volume", "skip-sync", "vg1")
    try await mike.quartet("volume", "promote", "vg1")
    try await mike.quartet("pool", "create", "vg1", "/dev/drbd0")
    try await mike.quartet("pool", "create-volume", "vg1/lun1", "--size", "8M")
    try await mike.quartet("start", "-i", "lio")
    try await mike.quartet(
      "target", "create", "-i", "lio", RemoteInitiator.target, "--lun", "1=/dev/vg1/lun1", "--allow", "all")
    try await mike.quartet("portal", "add", "-i", "lio", "0.0.0.0:3260", "--target", RemoteInitiator.target)
    let initiator = try await RemoteInitiator(on: nancy)
    let disk = try await initiator.logIn(at: "10.77.0.1")

    try await grow(pair, initiator, disk)
    try await verify(pair)
    try await loseAndGet(pair)
    for guest in [mike.guest, nancy.guest] { try await guest.shutDown() }
  }

  /// Gives the disk of a node a size, as a storage below it would while it is in use.
  private func map(_ size: UInt64, on node: Node) async throws {
    try await node.shell(
      """
      export DM_DISABLE_UDEV=1
      if [ -e /dev/mapper/disk0 ]; then
        dmsetup load disk0 --table "0 $1 linear /dev/vda 0"
        dmsetup resume disk0
      else
        dmsetup create disk0 --table "0 $1 linear /dev/vda 0"
      fi
      """, "\(size / 512)")
  }

  /// The disks grow, then the resource, the pool, the volume, and what the initiator sees.
  private func grow(_ pair: Pair, _ initiator: RemoteInitiator, _ disk: String) async throws {
    let (mike, nancy) = (pair.mike, pair.nancy)
    let name = String(disk.dropFirst("/dev/".count))
    let first = try await nancy.write(name, megabytes: 2, at: 0)
    #expect(try await mike.status().volumes.first?.size == MetadataSize(disk: 16 << 20).usable)
    // The smallest node decides.
    try await map(24 << 20, on: mike)
    try await mike.quartet("volume", "resize", "vg1", fails: 9, says: "enlarge the one of nancy first")
    #expect(try await mike.status().volumes.first?.size == MetadataSize(disk: 16 << 20).usable)
    try await map(24 << 20, on: nancy)
    try await resizeWithALateAnswer(pair)
    let usable = try MetadataSize(disk: 24 << 20).usable
    #expect(try await mike.status().volumes.first?.size == usable)
    let map = try await mike.quartet("pool", "map", "vg1", "--json")
    #expect(map.contains(#""extents" : \#(Pool.extents(onDevice: usable, of: 4 << 20)),"#), "\(map)")
    try await mike.awaitState { $0.isWhole }
    try await mike.quartet("volume", "resize", "vg1", says: "nothing to do")

    #expect(try await nancy.shell("blockdev --getsize64 $1", disk) == "\(8 << 20)")
    try await mike.quartet(
      "pool", "extend-volume", "vg1/lun1", "--size", "16M", says: "resize lun 1 of \(RemoteInitiator.target)")
    try await initiator.rescan()
    #expect(try await nancy.shell("blockdev --getsize64 $1", disk) == "\(16 << 20)")
    let last = try await nancy.write(name, megabytes: 2, at: 13)
    #expect(try await mike.sum("vg1/lun1", megabytes: 2, at: 0) == first)
    #expect(try await mike.sum("vg1/lun1", megabytes: 2, at: 13) == last)
  }

  /// Resizes while nancy cannot answer, since her disk stands still, until the command waits for her.
  private func resizeWithALateAnswer(_ pair: Pair) async throws {
    let (mike, nancy) = (pair.mike, pair.nancy)
    let old = try await mike.shell("cat /sys/block/drbd0/size")
    try await nancy.shell("DM_DISABLE_UDEV=1 dmsetup suspend disk0")
    async let resized = mike.shell("$1 volume resize vg1 --verbose >/run/resize 2>&1", mike.program)
    try await mike.shell(
      """
      for i in $(seq 600); do
        if grep -q drbd0/size /run/resize; then exit 0; fi
        sleep 0.1
      done
      exit 1
      """)
    #expect(try await mike.shell("cat /sys/block/drbd0/size") == old)
    try await nancy.shell("DM_DISABLE_UDEV=1 dmsetup resume disk0")
    _ = try await resized
  }

  /// What was written behind DRBD's back is found, told, and mended when the nodes meet again.
  private func verify(_ pair: Pair) async throws {
    let (mike, nancy) = (pair.mike, pair.nancy)
    try await mike.quartet("volume", "verify", "vg1")
    try await mike.quartet("volume", "status", "vg1", "--watch")
    #expect(try await mike.status().outOfSync == 0)
    try await nancy.shell(
      "dd if=/dev/urandom of=$1 bs=4096 seek=1000 count=3 oflag=direct status=none", Self.disk)
    try await mike.quartet("volume", "verify", "vg1")
    try await mike.quartet("volume", "status", "vg1", "--watch", says: "12 KiB")
    #expect(try await mike.status().outOfSync == 3 * 4096)
    #expect(
      try await mike.sum("mapper/disk0", megabytes: 23, at: 0)
        != nancy.sum("mapper/disk0", megabytes: 23, at: 0))
    let before = try await mike.sent()
    try await nancy.quartet("volume", "disconnect", "vg1")
    try await nancy.quartet("volume", "connect", "vg1")
    try await mike.awaitState { $0.isWhole && $0.outOfSync == 0 }
    #expect(try await mike.sent() - before == 3 * 4096)
    #expect(
      try await mike.sum("mapper/disk0", megabytes: 23, at: 0)
        == nancy.sum("mapper/disk0", megabytes: 23, at: 0))
  }

  /// A copy is thrown away and fetched, a disk is taken away and given back, and a node goes and comes.
  private func loseAndGet(_ pair: Pair) async throws {
    let (mike, nancy) = (pair.mike, pair.nancy)
    try await mike.quartet("volume", "invalidate", "vg1", fails: 6, says: "is primary on this node")
    let before = try await mike.sent()
    try await nancy.quartet("volume", "invalidate", "vg1")
    try await mike.awaitState { $0.isWhole && $0.outOfSync == 0 }
    #expect(try await mike.sent() - before == MetadataSize(disk: 24 << 20).usable)

    let sum = try await mike.sum("vg1/lun1", megabytes: 16, at: 0)
    try await nancy.quartet("volume", "detach", "vg1")
    #expect(try await nancy.status().volumes.first?.disk == "Diskless")
    try await mike.quartet("volume", "detach", "vg1", fails: 1, says: "has the only copy")
    try await nancy.quartet("volume", "attach", "vg1")
    try await mike.awaitState { $0.isWhole }
    // Read from the other node's disk.
    try await mike.quartet("volume", "detach", "vg1")
    #expect(try await mike.sum("vg1/lun1", megabytes: 16, at: 0) == sum)
    try await mike.quartet("volume", "attach", "vg1")
    try await mike.awaitState { $0.isWhole }

    try await mike.quartet("volume", "down", "vg1", fails: 6, says: "is primary on this node")
    try await nancy.quartet("volume", "down", "vg1")
    try await nancy.quartet("volume", "down", "vg1", says: "nothing to do")
    try await nancy.quartet("volume", "status", says: "down")
    let written = try await mike.write("vg1/lun1", megabytes: 1, at: 8)
    try await nancy.quartet("volume", "up", "vg1")
    try await mike.awaitState { $0.isWhole }
    #expect(try await mike.sum("vg1/lun1", megabytes: 1, at: 8) == written)
    #expect(
      try await mike.sum("mapper/disk0", megabytes: 23, at: 0)
        == nancy.sum("mapper/disk0", megabytes: 23, at: 0))
  }
}
