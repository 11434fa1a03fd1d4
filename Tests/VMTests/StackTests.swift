import HostInterface
import Testing
import VirtualMachine

/// The article in one document, on two nodes with real DRBD, LVM and LIO.
@Suite(
  .serialized, .timeLimit(.minutes(15)),
  .enabled(if: Guest.isWanted, "no virtual machines: this is one, or QUARTET_VM=0 is set"))
struct StackTests {
  private static let target = "iqn.2011-12.com.example:disk1"

  private func document(size: String) -> String {
    """
    quartet: 1
    resources:
      - name: vg1
        protocol: C
        disk: {c-plan-ahead: 0, resync-rate: 100M}
        nodes:
          - {name: mike, address: "10.77.0.1:7788"}
          - {name: nancy, address: "10.77.0.2:7788"}
        volumes:
          - {minor: 0, disk: /dev/vda}
    pools:
      - name: vg1
        devices: [/dev/drbd0]
        volumes:
          - {name: lun1, size: \(size)}
    targets:
      - name: \(Self.target)
        implementation: lio
        portals: ["0.0.0.0:3260"]
        initiators: all
        luns:
          - {lun: 1, volume: vg1/lun1}

    """
  }

  private func apply(
    _ document: String, _ options: String..., on node: Node, says text: String,
    at location: SourceLocation = #_sourceLocation
  ) async throws {
    let written = try await node.run(["sh", "-c", "printf %s \"$1\" > /etc/stack.yaml", "sh", document])
    try #require(written.status == 0)
    try await node.quartet(["apply"] + options + ["/etc/stack.yaml"], says: text, at: location)
  }

  @Test func oneDocumentIsAppliedOnBothNodes() async throws {
    let pair = try await Pair.start()
    let (mike, nancy) = (pair.mike, pair.nancy)
    for node in [mike, nancy] { try await node.quartet("start", "-i", "lio") }
    let first = document(size: "12M")

    try await apply(first, on: nancy, says: "= left out: pool vg1: vg1 is not primary here")
    try await apply(first, "--promote", on: mike, says: "+ create target \(Self.target)")
    try await mike.awaitState { $0.isWhole }
    try await apply(first, "--promote", on: mike, says: "nothing to do")
    try await apply(
      first, on: nancy, says: "target \(Self.target): lun 1 is on /dev/vg1/lun1, and vg1 is primary on mike")
    try await apply(first, on: nancy, says: "nothing to do")
    try await reach("10.77.0.1", from: nancy)
    let data = try await mike.write("vg1/lun1", megabytes: 4, at: 0)

    // A larger volume reaches the initiator online.
    try await apply(document(size: "20M"), on: mike, says: "+ extend volume vg1/lun1")
    try await apply(document(size: "20M"), on: mike, says: "nothing to do")

    // Switch-over.
    try await mike.quartet("target", "delete", "-i", "lio", Self.target)
    try await mike.quartet("volume", "demote", "vg1")
    try await nancy.quartet("volume", "promote", "vg1")
    try await apply(document(size: "20M"), on: nancy, says: "+ create target \(Self.target)")
    try await apply(document(size: "20M"), on: mike, says: "= left out: pool vg1: vg1 is primary on nancy")
    try await reach("10.77.0.2", from: mike)
    #expect(try await nancy.sum("vg1/lun1", megabytes: 4, at: 0) == data)
    for node in [mike, nancy] {
      let text = try await node.quartet("export", "-i", "lio")
      #expect(text.contains("address: \"10.77.0.1:7788\""), "\(text)")
    }
    for guest in [mike.guest, nancy.guest] { try await guest.shutDown() }
  }

  /// An initiator of the other node finds the target with its logical unit.
  private func reach(_ address: String, from node: Node) async throws {
    let found = try await node.run(["iscsi-ls", "-s", "iscsi://\(address)"])
    let text = String(decoding: found.output, as: UTF8.self)
    try #require(found.status == 0 && text.contains(Self.target), "\(text)\(found.errors)")
    #expect(text.contains("Lun:1"), "\(text)")
  }
}
