import HostInterface
import IETBackend
import IETSimulator
import Simulation
import Synchronization
import SystemPackage
import TargetBackendTesting
import TargetCore

/// A machine with an IET that exports nothing.
struct SimulatedWorld {
  let iet: SimulatedIET
  let host: SimulatedHost

  init(
    _ version: IETVersion = .release19, isLoaded: Bool = true, isRunning: Bool = true,
    addresses: [String] = ["127.0.0.1", "192.0.2.1"]
  ) {
    iet = SimulatedIET(version, isLoaded: isLoaded, isRunning: isRunning, addresses: addresses)
    host = SimulatedHost(services: [iet])
  }

  /// Runs ietadm, as somebody else does it.
  @discardableResult
  func ietadm(_ words: String...) async throws -> CommandResult {
    try await host.run(["ietadm"] + words, environment: [:], input: [], limit: .seconds(10))
  }

  func text(_ path: FilePath) -> String? { try? host.text(path) }
}

extension ConformanceWorld {
  /// A simulated machine with an IET of its own.
  static func simulatedIET(_ version: IETVersion = .release19) throws -> ConformanceWorld {
    let simulated = SimulatedWorld(version)
    let count = Mutex(0)
    var world = ConformanceWorld(
      .iet, on: simulated.host,
      reset: {
        simulated.iet.logOut()
        simulated.iet.die()
        for name in ["initiators.allow", "initiators.deny", "targets.allow"] {
          simulated.host.remove(FilePath("/etc/iet").appending(name))
        }
        _ = try await simulated.host.run(["ietd"], environment: [:], input: [], limit: .seconds(10))
      },
      makeBacking: { bytes in
        let number = count.withLock { count in
          count += 1
          return count
        }
        let path = "/srv/disk\(number)"
        simulated.host.addFile(FilePath(path), size: bytes)
        return path
      },
      resizeBacking: { path, bytes in simulated.host.resize(FilePath(path), to: bytes) })
    world.kill = { simulated.iet.die() }
    world.logIn = { initiator, target in
      try simulated.iet.logIn(initiator.description, to: target.description, on: simulated.host)
    }
    world.portals = [try Portal("192.0.2.1"), try Portal("127.0.0.1")]
    world.targetAttributes = ["Wthreads": ["4", "16"], "NOPInterval": ["30", "20"]]
    world.untoldFields = [.scsiID, .serial]
    if version != .release20 { world.unitValues[.blockSize] = ["512", "512"] }
    return world
  }
}
