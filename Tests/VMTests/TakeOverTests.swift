import HostInterface
import ReplicatedVolume
import SystemPackage
import Testing
import VirtualMachine

/// An initiator writes while the node that serves it dies, and the other node takes over.
@Suite(
  .serialized, .timeLimit(.minutes(20)),
  .enabled(if: Guest.isWanted, "no virtual machines: this is one, or QUARTET_VM=0 is set"))
struct TakeOverTests {
  /// The address that moves with the volume.
  private static let service = "10.77.0.100"

  @Test(arguments: Exported.Kind.allCases)
  func anInitiatorRidesThroughThePowerCutOfTheNodeThatServesIt(kind: Exported.Kind) async throws {
    let pair = try await Pair.start()
    async let third = pair.startThird()
    let (mike, nancy) = (pair.mike, pair.nancy)
    try await pair.onBoth { node in
      try await node.quartet(pair.creation)
      try await node.quartet("pool", "filter", "--apply")
      try await node.quartet("start", "-i", kind.rawValue)
      try await node.shell("echo \"$1\" > /run/state.yaml", document(kind))
    }
    try await pair.awaitConnection()
    try await nancy.quartet("volume", "skip-sync", "vg1")
    try await nancy.quartet("volume", "promote", "vg1")
    try await nancy.quartet("pool", "create", "vg1", "/dev/drbd0")
    try await nancy.quartet("pool", "create-volume", "vg1/lun1", "--size", "12M")
    try await nancy.quartet("apply", "/run/state.yaml")
    try await serve(from: nancy)
    // What is not primary here is not exported, and the failure says where it is.
    try await mike.quartet("apply", "/run/state.yaml", fails: 1, says: "it is on nancy")

    let initiator = try await RemoteInitiator(on: third)
    let disk = try await initiator.logIn(at: Self.service)
    let writing = initiator.write(to: disk)
    try await writing.await(20)
    nancy.guest.cutPower()

    try await mike.awaitState { $0.peers.first?.connection != .connected }
    try await mike.quartet("volume", "promote", "vg1")
    try await mike.quartet("apply", "/run/state.yaml")
    try await serve(from: mike)
    let before = writing.acknowledged
    try await writing.await(before + 20)
    let count = try await writing.end()

    // Read where it is now, past the target: each write that was acknowledged is there.
    let script = "dd if=/dev/vg1/lun1 bs=512 count=\(count) iflag=direct status=none"
    let content = try await mike.run(["sh", "-c", script]).output
    try #require(content.count == count * 512)
    for number in 0..<count {
      let digits = String(decoding: content[(number * 512)..<(number * 512 + 8)], as: UTF8.self)
      #expect(Int(digits) == number, "write \(number) of \(count), \(before) before the take-over")
    }
    for guest in [mike.guest, initiator.node.guest] { try await guest.shutDown() }
  }

  /// What each node exports where it is primary.
  private func document(_ kind: Exported.Kind) -> String {
    """
    quartet: 1
    targets:
      - name: \(RemoteInitiator.target)
        implementation: \(kind)
        initiators: [\(RemoteInitiator.name)]\(kind == .lio ? "\n    portals: [\"0.0.0.0:3260\"]" : "")
        luns: [{lun: 1, volume: vg1/lun1}]
    """
  }

  /// Takes the address, and tells the network.
  private func serve(from node: Node) async throws {
    try await node.shell(
      "busybox ip address add $1/24 dev eth0; busybox arping -q -U -c 2 -I eth0 $1 || true", Self.service)
  }
}
