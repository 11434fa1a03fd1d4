import FoundationEssentials
import HostInterface
import LinuxHost
import ReplicatedVolume
import SystemPackage
import Testing
import VirtualMachine

/// The article's stack on two nodes, with real DRBD and real LVM, driven by the command alone.
@Suite(
  .serialized, .timeLimit(.minutes(20)),
  .enabled(if: Guest.isWanted, "no virtual machines: this is one, or QUARTET_VM=0 is set"))
struct ReplicationTests {
  private static let target = "iqn.2011-12.com.example:disk1"

  @Test func aVolumeMovesAndSurvivesItsNodes() async throws {
    let pair = try await Pair.start()
    let (mike, nancy) = (pair.mike, pair.nancy)

    // Both nodes describe it with the same words; only new disks are taken without a question.
    for node in [mike, nancy] { try await node.quartet(pair.creation) }
    try await mike.quartet(["volume", "create", "vg1"] + pair.creation.dropFirst(3), says: "nothing to do")
    try await pair.awaitConnection()
    try await nancy.quartet("volume", "promote", "vg1", fails: 1, says: "no data that are up to date")
    try await mike.quartet("volume", "sync", "vg1")
    try await mike.quartet("volume", "status", "vg1", "--watch")
    #expect(try await mike.status().isWhole)
    let usable = try MetadataSize(disk: UInt64(Pair.diskSize)).usable
    #expect(try await mike.status().volumes.first?.size == usable)

    // Without a filter LVM would find the pool on the disk as well.
    try await mike.quartet("pool", "create", "vg1", "/dev/drbd0", fails: 1, says: "LVM looks at as well")
    for node in [mike, nancy] { try await node.quartet("pool", "filter", "--apply") }
    try await mike.quartet("pool", "create", "vg1", "/dev/drbd0")
    try await mike.quartet("pool", "create-volume", "vg1/lun1", "--size", "12M")
    let extents = try await mike.quartet("pool", "map", "vg1", "--json")
    #expect(extents.contains(#""extents" : \#(Pool.extents(onDevice: usable, of: 4 << 20)),"#), "\(extents)")
    let first = try await mike.write("vg1/lun1", megabytes: 8, at: 0)

    for node in [mike, nancy] { try await node.quartet("start", "-i", "lio") }
    // The target holds the volume, so that it cannot be taken away below it.
    try await mike.quartet(
      "target", "create", "-i", "lio", Self.target, "--lun", "1=/dev/vg1/lun1", "--allow", "all")
    try await mike.quartet("volume", "demote", "vg1", fails: 6, says: "vg1/lun1 is open")
    try await nancy.quartet("volume", "promote", "vg1", fails: 1, says: "is primary on mike")
    try await mike.quartet("target", "delete", "-i", "lio", Self.target)

    // Switch-over by hand.
    try await mike.quartet("volume", "demote", "vg1")
    try await nancy.quartet("volume", "promote", "vg1")
    #expect(try await nancy.sum("vg1/lun1", megabytes: 8, at: 0) == first)
    try await nancy.quartet(
      "target", "create", "-i", "lio", Self.target, "--lun", "1=/dev/vg1/lun1", "--allow", "all")

    // The primary dies; the other one takes over, and goes on writing.
    nancy.guest.cutPower()
    try await mike.awaitState { $0.peers.first?.connection != .connected }
    try await mike.quartet("volume", "promote", "vg1")
    #expect(try await mike.sum("vg1/lun1", megabytes: 8, at: 0) == first)
    let second = try await mike.write("vg1/lun1", megabytes: 2, at: 9)

    // The dead node is back: only what differs is copied.
    let before = try await mike.sent()
    let back = try await pair.restartNancy()
    try await back.quartet("volume", "up", "vg1")
    try await mike.awaitState { $0.isWhole }
    let sent = try await mike.sent() - before
    #expect(sent >= 2 << 20 && sent < 8 << 20, "\(sent) bytes")
    try await mike.quartet("volume", "demote", "vg1")
    try await back.quartet("volume", "promote", "vg1")
    #expect(try await back.sum("vg1/lun1", megabytes: 2, at: 9) == second)
    try await back.quartet("volume", "demote", "vg1")
    for guest in [mike.guest, back.guest] { try await guest.shutDown() }
  }

  @Test func aSplitBrainIsToldAndEndedByChoosingAVictim() async throws {
    let pair = try await Pair.start()
    let (mike, nancy) = (pair.mike, pair.nancy)
    for node in [mike, nancy] { try await node.quartet(pair.creation) }
    try await pair.awaitConnection()
    try await mike.quartet("volume", "skip-sync", "vg1")
    #expect(try await mike.status().isWhole)
    try await mike.quartet("volume", "resolve", "vg1", "--victim", "mike", says: "nothing to do")

    // Both are primary while they do not see one another, and both write.
    try await mike.quartet("volume", "disconnect", "vg1")
    for (node, place) in [(mike, 1), (nancy, 3)] {
      try await node.quartet("volume", "promote", "vg1")
      _ = try await node.write("drbd0", megabytes: 1, at: place)
    }
    for node in [mike, nancy] { try await node.quartet("volume", "disconnect", "vg1") }
    try await nancy.quartet("volume", "connect", "vg1")
    // It stands alone again as soon as the other one is met.
    _ = try await mike.run([mike.program, "volume", "connect", "vg1"])
    for node in [mike, nancy] { try await node.awaitState { $0.peers.first?.connection == .standAlone } }
    for node in [mike, nancy] { try await node.quartet("volume", "status", says: "split brain") }

    try await nancy.quartet("volume", "resolve", "vg1", "--victim", "nancy", fails: 6, says: "demote vg1")
    try await nancy.quartet(
      "volume", "resolve", "vg1", "--victim", "nobody", fails: 4, says: "none of resource")
    try await nancy.quartet("volume", "demote", "vg1")
    try await nancy.quartet("volume", "resolve", "vg1", "--victim", "nancy")
    try await mike.quartet("volume", "resolve", "vg1", "--victim", "nancy")
    try await mike.awaitState { $0.isWhole }
    let status = try await mike.quartet("volume", "status")
    #expect(!status.contains("split brain"))
    let kept = try await mike.sum("drbd0", megabytes: 8, at: 0)
    try await mike.quartet("volume", "demote", "vg1")
    try await nancy.quartet("volume", "promote", "vg1")
    #expect(try await nancy.sum("drbd0", megabytes: 8, at: 0) == kept)
    for guest in [mike.guest, nancy.guest] { try await guest.shutDown() }
  }
}
