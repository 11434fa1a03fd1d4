import HostInterface
import STGTSimulator
import Simulation
import TargetBackendTesting
import TargetCore
import Testing

@testable import STGTBackend

/// Replies of tgtd that were good once, changed in a few places: nothing that it answers may end the program.
@Suite struct FuzzTests {
  private static let words = [
    "\n", "    ", "Target 1: ", "LUN: ", "I_T nexus: ", "Connection: ", "18446744073709551615", "-1", ":",
    "99999999999999999999", "Account information:", "ACL information:", "ALL", "\u{0}", "é",
    "Backing store flags: ",
    "Size: 68719 PB", "IP Address: ", "None", "(outgoing)",
  ]

  /// What the model prints of a target with something of everything.
  private static func shown() async throws -> String {
    let host = SimulatedHost(services: [SimulatedTgtd()])
    host.addFile("/srv/disk1", size: 64 << 20)
    for line in [
      "--op new --mode target --tid 1 --targetname iqn.2011-12.com.example:disk1",
      "--op new --mode logicalunit --tid 1 --lun 1 --backing-store /srv/disk1",
      "--op new --mode account --user jack --password secret-of-jack",
      "--op bind --mode account --tid 1 --user jack",
      "--op bind --mode target --tid 1 --initiator-address 192.0.2.0/24",
    ] {
      _ = try await host.run(
        ["tgtadm", "--lld", "iscsi"] + line.split(separator: " ").map(String.init), environment: [:],
        input: [],
        limit: .seconds(5))
    }
    let result = try await host.run(
      ["tgtadm", "--lld", "iscsi", "--op", "show", "--mode", "target"], environment: [:], input: [],
      limit: .seconds(5))
    return String(decoding: result.output, as: UTF8.self)
  }

  @Test func repliesNeverTrap() async throws {
    var generator = SeededGenerator.chosen
    let good = try await Self.shown()
    let backend = try BackendDescriptor.stgt.make([:])
    var (read, refused) = (0, 0)
    for _ in 0..<SeededGenerator.rounds(4000) {
      let bytes = generator.damaged(good, with: Self.words)
      do {
        let state = try ShowText.targets(String(decoding: bytes, as: UTF8.self))
        read += 1
        for (name, target) in state.targets {
          #expect(name == target.name && target.units.allSatisfy { $0.key == $0.value.lun })
          _ = try? Planner(backend: backend).plan([.deleteTarget(name, force: true)], from: state)
        }
      } catch let failure as Failure {
        #expect(failure.code == .garbled)
        refused += 1
      }
      _ = try? ManagementReply.text(of: bytes, to: "socket")
    }
    // A fuzzer that never gets through, or never breaks anything, tests nothing.
    #expect(read > 1000 && refused > 0)
  }
}
