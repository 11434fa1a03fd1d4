import HostInterface
import Quartet
import SCSTBackend
import SCSTSimulator
import TargetBackendTesting
import TargetCore
import Testing

/// What `read` makes of the recorded trees of the real SCST.
@Suite struct ReadTests {
  @Test(arguments: Fixtures.snapshots)
  func readsWhatWasRecorded(_ name: String) async throws {
    let machine = SCSTMachine()
    try machine.scst.show(snapshot: Fixtures.text("snapshot-\(name).json"))
    let detail = ReadDetail(parameters: .all, shared: true, statistics: .all)
    let state = try await BackendDescriptor.scst.make([:]).read(machine.host, detail: detail)
    try expectGolden("read-\(name).txt", state.rendering)
    let format = try #require(BackendDescriptor.scst.formats["scst.conf"])
    try expectGolden("scst-\(name).conf", format.write(state))
  }

  /// What is not asked for is not read, and what is read is the same.
  @Test func aShortReadIsPartOfTheLongOne() async throws {
    let machine = SCSTMachine()
    try machine.scst.show(snapshot: Fixtures.text("snapshot-2-session.json"))
    let backend = try BackendDescriptor.scst.make([:])
    let long = try await backend.read(machine.host, detail: ReadDetail(parameters: .all, shared: true))
    let short = try await backend.read(machine.host, detail: ReadDetail())
    #expect(short.targets.keys.sorted() == long.targets.keys.sorted())
    for (name, target) in short.targets {
      let other = try #require(long.targets[name])
      #expect(target.initiators == other.initiators && target.enabled == other.enabled)
      #expect(target.parameters.isEmpty && !other.parameters.isEmpty)
      for (lun, unit) in target.units {
        #expect(other.units[lun].map { unit.differences(from: $0) } == [])
        #expect(unit.attributes.isEmpty)
      }
    }
  }
}
