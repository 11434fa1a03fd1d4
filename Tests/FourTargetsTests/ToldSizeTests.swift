import HostInterface
import IETSimulator
import STGTSimulator
import Simulation
import SystemPackage
import TargetCore
import Testing
import VolumeSimulator

/// Backings that have another size than initiators are told.
@Suite struct ToldSizeTests {
  private static let target = "iqn.2011-12.com.example:disk1"
  private static let document = """
    quartet: 1
    targets:
      - name: \(target)
        initiators: all
        luns:
          - {lun: 1, path: /srv/disk1}
          - {lun: 2, path: /srv/disk2}
          - {lun: 3, path: /dev/vg1/a}

    """

  private func exporting(_ name: String, _ machine: FourTargets = FourTargets()) async -> FourTargets {
    machine.host.addFile("/etc/state.yaml", text: Self.document)
    let applied = await machine.quartet("apply", "-i", name, "/etc/state.yaml")
    #expect(applied.status == 0 && !applied.errors.contains("lun 1"), "\(applied)")
    return machine
  }

  /// The file names no size of a path, so that nothing is done; and it is said as long as it is so.
  @Test(arguments: [("tgt", "67 MB"), ("lio", "67108864 bytes"), ("scst", "67108864 bytes")])
  func anotherSizeIsToldUntilItIsShown(_ name: String, _ told: String) async throws {
    let machine = await exporting(name)
    machine.host.addFile("/srv/disk1", size: 96 << 20)
    machine.host.addBlockDevice("/dev/vg1/a", size: 32 << 20)
    let line = "lun 1 of \(Self.target) has \(told), and /srv/disk1 has 100663296"
    for _ in 0..<2 {
      for (command, status) in [("apply", Int32(0)), ("diff", 0)] {
        let again = await machine.quartet(command, "-i", name, "/etc/state.yaml")
        #expect(again.status == status && again.output.isEmpty, "\(again)")
        #expect(again.errors.contains(line), "\(again)")
        #expect(!again.errors.contains("lun 2"), "\(again)")
        // A block device is asked by LIO itself.
        #expect(again.errors.contains("lun 3 of") == (name != "lio"), "\(again)")
      }
    }
    for lun in ["1", "3"] {
      #expect(await machine.quartet("lun", "resize", "-i", name, Self.target, lun).status == 0)
    }
    let after = await machine.quartet("apply", "-i", name, "/etc/state.yaml")
    #expect(!after.errors.contains("lun"), "\(after)")
    machine.host.addFile("/srv/disk2", size: 16 << 20)
    let shrunk = await machine.quartet("diff", "-i", name, "/etc/state.yaml")
    #expect(shrunk.errors.contains("/srv/disk2 has 16777216; `quartet lun resize -i \(name)"), "\(shrunk)")
    // What the file does not name is not looked at, and what will be made anew has no old size.
    machine.host.addFile("/etc/state.yaml", text: "quartet: 1\ntargets: [{name: \(Self.target)}]\n")
    #expect(await !machine.quartet("diff", "-i", name, "/etc/state.yaml").errors.contains("lun"))
    machine.host.addFile(
      "/etc/state.yaml", text: "quartet: 1\ntargets: [{name: \(Self.target), luns: []}]\n")
    #expect(await !machine.quartet("diff", "-i", name, "/etc/state.yaml").errors.contains("lun 2"))
  }

  /// IET keeps a size, and tells it from 1.4.20 on.
  @Test(arguments: [(IETVersion.release20, true), (.release19, false)])
  func whatCannotBeShownIsToldAsFarAsItIsSeen(_ version: IETVersion, isSeen: Bool) async throws {
    let machine = await exporting("iet", FourTargets(iet: SimulatedIET(version)))
    machine.host.addFile("/srv/disk1", size: 96 << 20)
    let again = await machine.quartet("apply", "-i", "iet", "/etc/state.yaml")
    let line =
      "lun 1 of \(Self.target) has 67108864 bytes, and /srv/disk1 has 100663296; iet takes another size only"
    #expect(again.status == 0 && again.errors.contains(line) == isSeen, "\(again)")
  }

  /// A volume that grows under IET takes nothing else with it.
  @Test(arguments: [IETVersion.release20, .release19])
  func aVolumeGrowsThoughItsLogicalUnitCannot(_ version: IETVersion) async throws {
    let scene = await StackScene.built(StackScene.document(implementation: "iet"), iet: version)
    let document = StackScene.document(size: "24M", implementation: "iet")
    let grown = await scene.apply(document, on: "mike")
    #expect(grown.status == 0 && grown.output == "+ extend volume vg1/lun1 to 25165824 bytes\n", "\(grown)")
    #expect(grown.errors.contains("lun 1 of \(StackScene.target) keeps the size that it has"), "\(grown)")
    let again = await scene.apply(document, on: "mike")
    #expect(again.status == 0 && again.errors.contains("nothing to do"), "\(again)")
    #expect(again.errors.contains("iet takes another size only") == (version == .release20), "\(again)")
    let extended = await scene.quartet("pool", "extend-volume", "vg1/lun1", "--size", "32M", on: "mike")
    #expect(extended.status == 0 && extended.errors.contains("keeps the size that it has"), "\(extended)")
  }

  /// What is behind the last whole block of a file is in no size.
  @Test(arguments: FourTargets.names) func aPartOfABlockIsNoOtherSize(_ name: String) async throws {
    let machine = FourTargets(iet: SimulatedIET(.release20))
    machine.host.addFile("/srv/disk1", size: 64 << 20 + 100)
    _ = await exporting(name, machine)
    let again = await machine.quartet("apply", "-i", name, "/etc/state.yaml")
    #expect(!again.errors.contains("lun 1"), "\(again)")
  }
}
