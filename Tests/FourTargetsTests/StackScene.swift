import HostInterface
import IETSimulator
import LIOSimulator
import Quartet
import ReplicatedVolume
import STGTSimulator
import Simulation
import SystemPackage
import TargetCore
import VolumeSimulator

/// The article's two nodes in memory: DRBD, LVM, LIO and tgtd on each, and IET where that is wanted.
struct StackScene {
  static let target = "iqn.2011-12.com.example:disk1"

  let pair: SimulatedPair

  init(iet: IETVersion? = nil) {
    pair = SimulatedPair(disks: ["/dev/vda": 256 << 20, "/dev/vdb": 128 << 20]) { _ in
      [SimulatedLIO(), SimulatedTgtd()] + (iet.map { [SimulatedIET($0)] } ?? [])
    }
    for name in pair.names {
      pair.host(name).addDirectory("/sys/devices/system/node/node0")
      pair.host(name).addDirectory("/var/target/pr")
      pair.host(name).addDirectory("/run/quartet")
      for program in ["mkdir", "sync"] { pair.host(name).install(program: program) }
    }
  }

  /// The article's stack in one document.
  static func document(
    resource: String = "", volume: String = "disk: /dev/vda", pool: String = "", size: String = "12M",
    volumes: String = "", implementation: String = "lio"
  ) -> String {
    """
    quartet: 1
    resources:
      - name: vg1
        protocol: C
        \(resource)
        nodes:
          - {name: mike, address: "192.168.43.111:7788"}
          - {name: nancy, address: "192.168.43.112:7788"}
        volumes:
          - {minor: 0, \(volume)}
    pools:
      - name: vg1
        devices: [/dev/drbd0]
        \(pool)
        volumes:
          - {name: lun1, size: \(size)}
          \(volumes)
    targets:
      - name: \(target)
        implementation: \(implementation)
        initiators: all
        luns:
          - {lun: 1, volume: vg1/lun1}

    """
  }

  /// Runs a command on a node.
  func quartet(_ words: String..., on node: String, host: (any Host)? = nil) async -> CommandOutcome {
    await CommandOutcome(of: words, on: host ?? pair.host(node))
  }

  /// Applies a document on a node.
  func apply(
    _ document: String = document(), _ options: String..., on node: String, host: (any Host)? = nil
  ) async -> CommandOutcome {
    pair.host(node).addFile("/etc/state.yaml", text: document)
    return await CommandOutcome(
      of: ["apply"] + options + ["/etc/state.yaml"], on: host ?? pair.host(node))
  }

  /// Everything that a node exports, as text.
  func exported(by node: String) async -> String {
    await quartet("target", "list", "-i", "lio", "--json", on: node).output
  }

  /// The two nodes with the stack, primary on mike.
  static func built(_ document: String = document(), iet: IETVersion? = nil) async -> StackScene {
    let scene = StackScene(iet: iet)
    _ = await scene.apply(document, on: "nancy")
    _ = await scene.apply(document, "--promote", on: "mike")
    return scene
  }
}
