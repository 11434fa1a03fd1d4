import HostInterface
import ReplicatedVolume
import SystemPackage
import Testing
import VirtualMachine

/// What would lose data, and what a killed run leaves, with real DRBD and real LVM.
@Suite(
  .serialized, .timeLimit(.minutes(20)),
  .enabled(if: Guest.isWanted, "no virtual machines: this is one, or QUARTET_VM=0 is set"))
struct HazardTests {
  /// One node whose peer is never there.
  private func startOne() async throws -> Node {
    let node = try await Node.start("mike", ScratchDisk(serial: "mike", size: 40 << 20), nil)
    try await node.shell("busybox ip address add 10.77.0.1/24 dev lo")
    return node
  }

  private let creation = [
    "volume", "create", "vg1", "--node", "mike=10.77.0.1:7788=/dev/vda", "--node",
    "nancy=10.77.0.2:7788=/dev/vda",
  ]

  @Test func aDiskThatHoldsSomethingIsNotTaken() async throws {
    let node = try await startOne()
    try await node.shell(
      "modprobe ext4; mkfs.ext4 -q /dev/vda; mkdir /run/mounted; mount /dev/vda /run/mounted")
    try await node.quartet(creation, fails: 6, says: "mounted at /run/mounted")
    try await node.quartet(creation + ["--wipe"], fails: 6, says: "mounted at /run/mounted")
    try await node.shell("umount /run/mounted")
    try await node.quartet(creation, fails: 6, says: "which has something on it: ext4")
    try await node.shell("ls /etc/drbd.d | grep -q vg1 && exit 1; blkid -p /dev/vda | grep -q ext4")
    try await node.quartet(creation + ["--wipe"])
    #expect(try await node.status().volumes.map(\.disk) == ["Inconsistent"])
    try await node.guest.shutDown()
  }

  /// LVM without a filter, and with a file of devices, in which it enters the disk below DRBD by itself.
  @Test func aStaleCopyBelowDRBDIsNotUsed() async throws {
    let node = try await startOne()
    try await node.quartet(creation)
    try await node.quartet("volume", "sync", "vg1")
    try await node.shell("printf 'devices {\\n\\tuse_devicesfile = 1\\n}\\n' > /etc/lvm/lvmlocal.conf")
    try await node.quartet("pool", "create", "vg1", "/dev/drbd0", fails: 1, says: "LVM looks at as well")
    // Somebody makes the pool with LVM alone: its file has DRBD's device now, and no filter is regarded.
    try await node.shell(
      """
      export DM_DISABLE_UDEV=1
      lvm vgcreate vg1 /dev/drbd0 && lvm lvcreate --yes --size 12M --name lun1 vg1
      lvm vgchange --activate n vg1
      grep -q IDNAME=/dev/drbd0 /etc/lvm/devices/system.devices
      """)
    try await node.quartet("pool", "filter", says: "use_devicesfile = 0")
    try await node.quartet("volume", "demote", "vg1")
    try await node.shell("grep -q IDNAME=/dev/vda /etc/lvm/devices/system.devices")
    try await node.quartet("volume", "promote", "vg1", fails: 1, says: "LVM looks at as well")
    try await node.quartet("volume", "down", "vg1")
    try await node.quartet("pool", "activate", "vg1", fails: 1, says: "LVM looks at as well")

    // Activated by hand, it is not exported, and keeps DRBD from its disk.
    try await node.shell("DM_DISABLE_UDEV=1 lvm vgchange --activate y vg1")
    try await node.quartet("start", "-i", "tgt")
    try await node.quartet(
      "target", "create", "-i", "tgt", RemoteInitiator.target, "--lun", "1=/dev/vg1/lun1", fails: 1,
      says: "below resource vg1")
    try await node.quartet("volume", "up", "vg1", fails: 6, says: "its disk is in use")
    try await node.shell("DM_DISABLE_UDEV=1 lvm vgchange --activate n vg1")

    try await node.quartet("pool", "filter", "--apply")
    try await node.quartet("pool", "filter", says: "LVM looks at no disk below DRBD")
    try await node.quartet("pool", "filter", "--apply", says: "nothing to do")
    let list = try await node.quartet("pool", "list")
    #expect(!list.contains("vg1"), "\(list)")
    try await node.quartet("volume", "up", "vg1")
    try await node.quartet("volume", "promote", "vg1")
    try await node.quartet("pool", "list", says: "/dev/drbd0")
    try await node.quartet(
      "target", "create", "-i", "tgt", RemoteInitiator.target, "--lun", "1=/dev/vg1/lun1")
    try await node.guest.shutDown()
  }

  /// `quartet` is killed before and after each thing that it asks of drbdadm(8), and once together with that.
  @Test func aRunThatWasKilledIsFinishedByTheNextOne() async throws {
    let node = try await startOne()
    try await node.shell(
      """
      cat > /usr/local/sbin/drbdadm <<'END'
      #!/bin/sh
      # Kills who called it, as /run/kill says: WHEN VERB.
      read -r when verb < /run/kill || exec /usr/sbin/drbdadm "$@"
      case " $* " in *" $verb "*) ;; *) exec /usr/sbin/drbdadm "$@" ;; esac
      [ $when = after ] && /usr/sbin/drbdadm "$@"
      kill -9 $PPID
      END
      chmod +x /usr/local/sbin/drbdadm
      """)
    for moment in ["before create-md", "after create-md", "before up", "after up"] {
      try await node.shell("echo \"$1\" > /run/kill", moment)
      let killed = try await node.run([node.program] + creation)
      #expect(killed.status == 128 + 9, "\(moment): \(killed)")
      try await node.shell(": > /run/kill")
      try await node.quartet(creation)
      #expect(try await node.status().volumes.map(\.disk) == ["Inconsistent"], "\(moment)")
      try await node.quartet(creation, says: "nothing to do")
      // The same from its end: what was half removed is removed.
      try await node.shell("echo after down > /run/kill")
      let half = try await node.run([node.program, "volume", "remove", "vg1", "--wipe"])
      #expect(half.status == 128 + 9, "\(moment): \(half)")
      try await node.shell(": > /run/kill")
      try await node.quartet("volume", "remove", "vg1", "--wipe")
      try await node.shell(
        "ls /etc/drbd.d | grep -q vg1 && exit 1; wipefs /dev/vda | grep -q . && exit 1 || exit 0")
    }
    try await node.guest.shutDown()
  }

  @Test func aFirstSyncGoesOnWhenThePeerIsBack() async throws {
    let pair = try await Pair.start()
    let (mike, nancy) = (pair.mike, pair.nancy)
    // So slow that it cannot end by itself before the power is cut.
    let creation = pair.creation.map { $0.replacing("=100M", with: "=2M") }
    try await pair.onBoth { node in
      try await node.quartet(creation)
      try await node.quartet("pool", "filter", "--apply")
    }
    try await pair.awaitConnection()
    let noise = try await mike.shell(
      "dd if=/dev/urandom of=/run/noise bs=1M count=4 status=none; sha256sum < /run/noise")
    try await mike.quartet("volume", "sync", "vg1")
    try await mike.quartet("volume", "status", "vg1", says: "SyncSource")
    nancy.guest.cutPower()
    try await mike.awaitState { $0.peers.first?.connection != .connected }
    // The data are here, and are used meanwhile.
    try await mike.quartet("volume", "sync", "vg1", says: "nothing to do")
    try await mike.shell("dd if=/run/noise of=/dev/drbd0 bs=1M oflag=direct status=none")
    #expect(try await mike.status().volumes.map(\.disk) == ["UpToDate"])

    let back = try await pair.restartNancy()
    try await back.quartet("volume", "up", "vg1")
    try await back.quartet("volume", "sync", "vg1", fails: 1, says: "is not new")
    try await back.quartet("volume", "promote", "vg1", fails: 1, says: "is primary on mike")
    try await pair.awaitConnection(mike, back)
    try await mike.shell("drbdadm disk-options --resync-rate=100M vg1")
    try await mike.awaitState { $0.isWhole }
    try await mike.quartet("volume", "demote", "vg1")
    try await back.quartet("volume", "promote", "vg1")
    #expect(try await back.sum("drbd0", megabytes: 4, at: 0) == noise)
    for guest in [mike.guest, back.guest] { try await guest.shutDown() }
  }
}
