import Glibc
import HostInterface
import LIOBackend
import LIOSimulator
import Quartet
import Simulation
import Synchronization
import SystemPackage
import TargetBackendTesting
import TargetCore
import Testing

/// The cases whose names have the text of the variable CASE in them; all without it.
private let cases = Conformance.cases.filter { rule in
  guard let wanted = getenv("CASE").map({ String(cString: $0) }) else { return true }
  return rule.name.contains(wanted)
}

@Suite struct SimulatedLIOConformanceTests {
  @Test(arguments: cases)
  func conforms(_ rule: ConformanceCase) async throws {
    if case .skipped(let reason) = try await rule.run(.simulatedLIO()) { try Test.cancel("\(reason)") }
  }
}

extension ConformanceWorld {
  /// The simulated kernel, on a machine of its own.
  static func simulatedLIO() -> ConformanceWorld {
    let lio = SimulatedLIO()
    let host = SimulatedHost(services: [lio])
    // Where the kernel keeps persistent reservations; that it is made has a test of its own.
    host.addDirectory("/var/target/pr")
    let count = Mutex(0)
    var world = ConformanceWorld(
      .lio, on: host, reset: { lio.reset() },
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
    world.save = { lio.save() }
    world.logIn = { initiator, target in
      let account = lio.account(of: "\(target)", for: "\(initiator)")
      try lio.logIn("\(initiator)", to: "\(target)", user: account?.user, secret: account?.secret)
    }
    world.portals = ["127.0.0.1:3260", "[::1]:3262"].compactMap { try? Portal($0) }
    world.targetAttributes = ["login_timeout": ["20", "25"], "default_cmdsn_depth": ["32", "16"]]
    world.unitAttributes = ["is_nonrot": ["1", "0"], "max_unmap_lba_count": ["4096", "2048"]]
    return world
  }
}
