import HostInterface
import ReplicatedVolume
import Simulation
import SystemPackage
import Testing
import VolumeSimulator

/// One document that describes the whole of the article, applied on both nodes.
@Suite struct StackTests {
  private let target = StackScene.target

  @Test func eachNodeDoesItsPart() async throws {
    let scene = StackScene()
    let nancy = await scene.apply(on: "nancy")
    #expect(nancy.status == 0, "\(nancy)")
    #expect(
      nancy.output == """
        + set up resource vg1
        + keep LVM off the disks below DRBD
        = left out: pool vg1: vg1 is not primary here, and mike is not connected
        = left out: target \(target): lun 1 is on /dev/vg1/lun1, and vg1 is not primary here, and mike is not connected

        """, "\(nancy)")
    let mike = await scene.apply(StackScene.document(), "--promote", on: "mike")
    #expect(
      mike.output == """
        + set up resource vg1
        + keep LVM off the disks below DRBD
        + begin the first sync of resource vg1 from this node
        + create pool vg1
        + create volume vg1/lun1 of 12582912 bytes
        + create target \(target)
        + add lun 1 of \(target) (/dev/vg1/lun1)
        + allow all to log in to \(target)

        """, "\(mike)")
    for (node, reason) in [("mike", nil), ("nancy", "vg1 is primary on mike")] {
      let before = scene.pair.summary
      let again = await scene.apply(on: node)
      #expect(again.status == 0 && again.errors.contains("nothing to do"), "\(again)")
      #expect(reason.map { again.output.contains("pool vg1: \($0)") } ?? again.output.isEmpty, "\(again)")
      #expect(scene.pair.summary == before)
      let diff = await scene.quartet("diff", "-i", "lio", "/etc/state.yaml", on: node)
      #expect(diff.status == 0, "\(diff)")
    }
    #expect(scene.pair.damage == [])
  }

  @Test func theStackMovesWithItsRole() async throws {
    let scene = await StackScene.built()
    for words in [["target", "delete", "-i", "lio", target], ["volume", "demote", "vg1"]] {
      let done = await CommandOutcome(of: words, on: scene.pair.host("mike"))
      #expect(done.status == 0, "\(done)")
    }
    let promoted = await scene.quartet("volume", "promote", "vg1", on: "nancy")
    #expect(promoted.status == 0, "\(promoted)")
    let nancy = await scene.apply(on: "nancy")
    #expect(nancy.status == 0 && nancy.output.contains("+ create target"), "\(nancy)")
    #expect(!nancy.output.contains("create volume"), "\(nancy)")
    let mike = await scene.apply(on: "mike")
    #expect(mike.output.contains("= left out: pool vg1: vg1 is primary on nancy"), "\(mike)")
    // Nobody promotes what is primary elsewhere.
    let refused = await scene.apply(StackScene.document(), "--promote", on: "mike")
    #expect(refused.status == 0 && refused.errors.contains("nothing to do"), "\(refused)")
    #expect(scene.pair.damage == [])
  }

  @Test func aTargetThatOutlivedItsRoleIsTold() async throws {
    let scene = await StackScene.built()
    // Behind Quartet's back, as a cluster without fencing would.
    _ = await scene.quartet("volume", "demote", "vg1", on: "mike")
    let mike = await scene.apply(StackScene.document(), "--prune", on: "mike")
    #expect(mike.status == 0, "\(mike)")
    #expect(
      mike.errors.contains("target \(target) is still there, though lun 1 is on /dev/vg1/lun1"), "\(mike)")
    #expect(await scene.exported(by: "mike").contains(target))
  }

  @Test func aVolumeGrowsWithItsLogicalUnit() async throws {
    let scene = await StackScene.built()
    let grown = await scene.apply(StackScene.document(size: "24M"), on: "mike")
    #expect(grown.status == 0, "\(grown)")
    #expect(grown.output.contains("+ extend volume vg1/lun1 to 25165824 bytes"), "\(grown)")
    #expect(grown.output.contains("~ resize lun 1 of \(target)"), "\(grown)")
    let again = await scene.apply(StackScene.document(size: "24M"), on: "mike")
    #expect(again.errors.contains("nothing to do"), "\(again)")
    let before = scene.pair.summary
    let shrunk = await scene.apply(StackScene.document(size: "12M"), on: "mike")
    #expect(shrunk.status == 1 && shrunk.errors.contains("quartet pool reduce-volume vg1/lun1"), "\(shrunk)")
    #expect(scene.pair.summary == before)
  }

  /// A run that was killed between the volume and its logical unit is finished by the next one.
  @Test func aLogicalUnitThatStayedBehindGrows() async throws {
    let scene = await StackScene.built(StackScene.document(implementation: "tgt"))
    try await VolumeDriver(on: scene.pair.host("mike")).perform([
      .extendVolume(VolumePath("vg1/lun1"), .bytes(24 << 20))
    ])
    let document = StackScene.document(size: "24M", implementation: "tgt")
    let grown = await scene.apply(document, on: "mike")
    #expect(grown.output == "~ resize lun 1 of \(target)\n", "\(grown)")
    let again = await scene.apply(document, on: "mike")
    #expect(again.status == 0 && again.errors.contains("nothing to do"), "\(again)")
  }

  @Test func theFirstSyncIsSkippedWhereTheFileSaysSo() async throws {
    let document = StackScene.document(resource: "skipFirstSync: true")
    let scene = StackScene()
    scene.pair.syncsAtOnce = false
    _ = await scene.apply(document, on: "nancy")
    let mike = await scene.apply(document, "--promote", on: "mike")
    #expect(mike.output.contains("+ skip the first sync of resource vg1"), "\(mike)")
    #expect(mike.output.contains("+ make this node primary for resource vg1"), "\(mike)")
    #expect(scene.pair.summary.contains { $0.contains("vg1/0") && $0.hasSuffix(", 0 out of sync") })
  }

  @Test func aNodeThatIsNotSeenIsNotOverruled() async throws {
    let scene = StackScene()
    let alone = await scene.apply(StackScene.document(), "--promote", on: "mike")
    #expect(alone.status == 1 && alone.errors.contains("is not connected to nancy"), "\(alone)")
    #expect(alone.errors.contains("done before it, and kept: set up resource vg1"), "\(alone)")
    // It goes on once the other node has its part.
    _ = await scene.apply(on: "nancy")
    let mike = await scene.apply(StackScene.document(), "--promote", on: "mike")
    #expect(mike.status == 0 && mike.output.contains("+ create target"), "\(mike)")
  }

  @Test(arguments: [
    (StackScene.document(volume: "disk: /dev/vdb"), "would move volume 0 from /dev/vda to /dev/vdb"),
    (StackScene.document(pool: "extentSize: 8M"), "has extents of 4194304 bytes"),
    (StackScene.document(volumes: "- {name: lun1x, size: 4M, thinPool: lun1}"), "no thin pool"),
    (StackScene.document(size: "4M"), "shrinks nothing"),
  ])
  func whatWouldLoseDataIsRefusedBeforehand(document: String, says text: String) async throws {
    let scene = await StackScene.built()
    let before = scene.pair.summary
    let refused = await scene.apply(document, on: "mike")
    #expect([1, 3, 5].contains(refused.status) && refused.errors.contains(text), "\(refused)")
    #expect(scene.pair.summary == before)
  }

  @Test func aFileOfSomebodyElseStays() async throws {
    let scene = StackScene()
    let text =
      "resource vg1 {\n  device /dev/drbd0 minor 0;\n  disk /dev/vdb;\n  meta-disk internal;\n"
      + "  on mike { address ipv4 10.0.0.1:7788; }\n  on nancy { address ipv4 10.0.0.2:7788; }\n}\n"
    scene.pair.host("mike").addFile("/etc/drbd.d/vg1.res", text: text)
    let before = scene.pair.summary
    let refused = await scene.apply(on: "mike")
    #expect(refused.status != 0, "\(refused)")
    #expect(scene.pair.summary == before)
  }

  @Test func aDryRunSaysWhatItCannotPlan() async throws {
    let scene = StackScene()
    _ = await scene.apply(on: "nancy")
    let before = scene.pair.summary
    let dry = await scene.apply(StackScene.document(), "--promote", "--dry-run", on: "mike")
    #expect(dry.status == 0, "\(dry)")
    #expect(dry.output.contains("drbdadm create-md vg1/0"), "\(dry)")
    for line in ["keep LVM off", "create pool vg1", "create volume vg1/lun1", "create target \(target)"] {
      #expect(dry.output.contains("#   \(line)"), "\(line): \(dry)")
    }
    #expect(scene.pair.summary == before)
    let diff = await scene.quartet("diff", "-i", "lio", "/etc/state.yaml", on: "mike")
    #expect(diff.status == 2 && diff.output.contains("+ set up resource vg1"), "\(diff)")
  }

  @Test func whatIsExportedIsWhatIs() async throws {
    let scene = await StackScene.built(
      StackScene.document(
        resource: "net: {verify-alg: crc32c}",
        volumes: "- {name: tp, size: 16M, type: thin-pool}\n      - {name: t1, size: 32M, thinPool: tp}"))
    for node in scene.pair.names {
      let text = await scene.quartet("export", "-i", "lio", on: node)
      #expect(text.output.contains("- name: vg1"), "\(text)")
      let before = scene.pair.summary
      let again = await scene.apply(text.output, on: node)
      #expect(again.status == 0 && again.errors.contains("nothing to do"), "\(text.output)\(again)")
      #expect(scene.pair.summary == before)
    }
  }
}
