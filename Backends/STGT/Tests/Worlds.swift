import Glibc
import HostInterface
import LinuxHost
import Quartet
import STGTBackend
import STGTSimulator
import Simulation
import Synchronization
import SystemPackage
import TargetBackendTesting
import TargetCore
import Testing

extension ConformanceWorld {
  /// What both worlds have in common: what tgtd takes and shows.
  fileprivate mutating func describeTgtd() {
    untoldFields = [.vendor, .product, .revision]
    unitValues[.store] = ["rdwr", "aio"]
    targetAttributes = [
      "nop_interval": ["5", "7"], "nop_count": ["3", "4"], "MaxQueueCmd": ["64", "32"],
    ]
    unitAttributes = ["bsoflags": ["direct", "sync"]]
  }

  /// The simulated tgtd, on a machine of its own.
  static func simulatedTgtd() -> ConformanceWorld {
    let tgtd = SimulatedTgtd()
    let host = SimulatedHost(services: [tgtd])
    let count = Counter()
    var world = ConformanceWorld(
      .stgt, on: host,
      reset: {
        tgtd.die(on: host)
        tgtd.start(on: host, portals: "portal=127.0.0.1:3260")
      },
      makeBacking: { bytes in
        let path = "/srv/disk\(count.next())"
        host.addFile(FilePath(path), size: bytes)
        return path
      },
      resizeBacking: { path, bytes in host.resize(FilePath(path), to: bytes) })
    world.kill = { tgtd.die(on: host) }
    world.logIn = { initiator, target in
      try tgtd.logIn(
        initiator: "\(initiator)", address: "127.0.0.1", target: "\(target)", again: true)
    }
    world.portals = ["127.0.0.1:3261", "[::1]:3262"].compactMap { try? Portal($0) }
    world.describeTgtd()
    return world
  }

  /// A real tgtd of its own.
  static func realTgtd(_ tgtd: RealTgtd) -> ConformanceWorld {
    let initiators = Mutex<[Guardian]>([])
    let count = Counter()
    var world = ConformanceWorld(
      .stgt, settings: tgtd.settings, on: tgtd.host,
      reset: {
        initiators.withLock { $0 = [] }
        try await tgtd.start()
      },
      makeBacking: { bytes in
        return try tgtd.backing("disk\(count.next())", bytes: bytes)
      },
      resizeBacking: { path, bytes in try #require(truncateFile(FilePath(path), bytes)) })
    world.kill = { tgtd.kill() }
    world.logIn = { initiator, target in
      let guardian = Guardian()
      try guardian.begin(RealInitiator.busy(tgtd.url(target), as: "\(initiator)"))
      initiators.withLock { $0.append(guardian) }
      let implementation = try tgtd.implementation()
      for _ in 0..<500 {
        let sessions = try await implementation.read().targets[target]?.sessions ?? []
        if sessions.contains(where: { $0.initiator == "\(initiator)" }) { return }
        try await tgtd.host.sleep(.milliseconds(10))
      }
      Issue.record("the initiator does not log in")
    }
    world.portals = ["127.0.0.1:\(tgtd.port + 1)", "127.0.0.2:\(tgtd.port + 1)"].compactMap {
      try? Portal($0)
    }
    world.describeTgtd()
    // Starting a tgtd takes longer than most cases.
    world.stride = getenv("THOROUGH") == nil ? 5 : 1
    return world
  }
}

/// Numbers from 1.
private final class Counter: Sendable {
  private let number = Mutex(0)

  func next() -> Int {
    number.withLock { number in
      number += 1
      return number
    }
  }
}
