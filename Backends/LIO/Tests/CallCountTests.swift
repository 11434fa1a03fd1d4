import HostInterface
import HostRecording
import LIOBackend
import LIOSimulator
import Quartet
import Simulation
import SystemPackage
import TargetCore
import Testing

/// What a logical unit costs in system calls: a change that makes it dearer has to say so here.
@Suite struct CallCountTests {
  /// As many as LocalHost makes; what it tells of holders is read once for all units.
  private func calls(_ entry: TranscriptEntry) -> Int {
    switch entry.op {
    case "read", "write": 3
    case "list": 5
    case "holders": 0
    default: 1
    }
  }

  private func apply(_ document: DesiredState, on host: SimulatedHost) async throws -> Int {
    let recording = RecordingHost(host)
    try await Implementation(.lio, on: recording).apply(
      document, reconciling: Reconciler.Options(prune: true))
    return recording.transcript.entries.reduce(0) { $0 + calls($1) }
  }

  /// What so many units cost to be made, and to be removed with their target.
  private func upAndDown(units: Int) async throws -> (up: Int, down: Int) {
    let host = SimulatedHost(services: [SimulatedLIO()])
    host.addDirectory("/var/target/pr")
    _ = try await Implementation(.lio, on: host).start()
    var spec = TargetSpec(name: try TargetName("iqn.2011-12.com.example:counted"))
    spec.initiators = [.all]
    spec.portals = [try Portal("127.0.0.1:3260")]
    spec.units = try (1...units).map { number in
      host.addFile(FilePath("/srv/disk\(number)"), size: 1 << 20)
      return LogicalUnit(lun: try LUN(number), backing: try Backing(path: "/srv/disk\(number)"))
    }
    let up = try await apply(DesiredState(targets: [spec]), on: host)
    return (up, try await apply(DesiredState(), on: host))
  }

  @Test func oneMoreUnitCostsLittleMoreThanTheKernelAsks() async throws {
    let (few, many) = (try await upAndDown(units: 5), try await upAndDown(units: 105))
    let (up, down) = (many.up - few.up, many.down - few.down)
    // The kernel asks for 16 going up; beside them, one looks at the file.
    #expect(up == 17 * 100)
    #expect(Double(many.up) <= 1.25 * Double(33 + 16 * 105), "\(many.up)")
    // It asks for 4 going down; beside them, all is read that undoing would have to write.
    #expect(down <= 186 * 100, "\(down)")
  }
}
