import HostInterface
import Quartet
import SCSTBackend
import SCSTSimulator
import Simulation
import Synchronization
import SystemPackage
import TargetBackendTesting
import TargetCore

/// A simulated machine with SCST.
struct SCSTMachine {
  let scst: SimulatedSCST
  let host: SimulatedHost

  init(_ scst: SimulatedSCST = SimulatedSCST()) {
    self.scst = scst
    host = SimulatedHost(services: [scst])
    host.addDirectory("/sys/devices/system/node/node0")
    host.addDirectory("/sys/devices/system/node/node1")
    host.install(program: "mkdir")
  }

  func implementation(settings: [String: String] = [:]) throws -> Implementation {
    try Implementation(.scst, settings: settings, on: host)
  }
}

extension ConformanceWorld {
  /// SCST on a machine of its own.
  static func simulatedSCST() -> ConformanceWorld {
    let machine = SCSTMachine()
    let (scst, host) = (machine.scst, machine.host)
    let count = Mutex(0)
    var world = ConformanceWorld(
      .scst, on: host,
      reset: {
        scst.reset()
        // Whether the driver serves at all is nobody's target, and stays as it is.
        try host.write(Array("1\n".utf8), to: "/sys/kernel/scst_tgt/targets/iscsi/enabled")
      },
      makeBacking: { bytes in
        let number = count.withLock { count in
          count += 1
          return count
        }
        let path = "/srv/disk\(number)"
        host.addFile(FilePath(path), size: bytes)
        return path
      },
      resizeBacking: { path, bytes in host.resize(FilePath(path), to: bytes) })
    world.kill = { scst.killDaemon() }
    world.logIn = { initiator, target in
      try scst.logIn("\(initiator)", to: "\(target)", account: scst.accounts(of: "\(target)").first)
    }
    world.portals = ["127.0.0.1:3260", "[::1]:3260"].compactMap { try? Portal($0) }
    world.targetAttributes = [
      "NopInInterval": ["5", "7"], "MaxSessions": ["3", "4"], "addr_method": ["FLAT", "LUN"],
      "comment": ["one", "two words"], "io_grouping_type": ["never", "4"],
    ]
    world.unitAttributes = [
      "rotational": ["0", "1"], "naa_id": ["0x5001405000000001", "0x6001405000000000000000000000abcd"],
      "threads_num": ["2", "3"], "numa_node_id": ["0", "-1"], "nv_cache": ["1", "0"],
      "vend_specific_id": ["a b", "c"], "expl_alua": ["1", "0"],
    ]
    return world
  }
}
