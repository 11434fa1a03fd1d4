import HostInterface
import Quartet
import TargetCore
import Testing

/// Sessions of a real initiator that reads all the time, and comes back whenever it is thrown out.
@Suite(.enabled(if: RealInitiator.isInstalled, RealInitiator.reason))
struct SessionTests {
  private let initiator = "iqn.1993-08.org.debian:01:busy"

  /// The first session that a condition holds for, waited for at most 10 s.
  private func session(
    of disk: Exported, _ what: String, where holds: (Session) -> Bool = { _ in true }
  ) async throws -> Session {
    for _ in 0..<500 {
      if let found = try await disk.target(statistics: true).sessions.first(where: holds) { return found }
      try await disk.tgtd.host.sleep(.milliseconds(20))
    }
    throw Failure(.timedOut, "session", what)
  }

  private func logIn(to disk: Exported, lun: Int = 1) throws -> Guardian {
    let guardian = Guardian()
    try guardian.begin(RealInitiator.busy(disk.url(lun: lun), as: initiator))
    return guardian
  }

  @Test func isListedWithItsInitiatorAndItsCounters() async throws {
    let disk = try await Exported.disk()
    let guardian = try logIn(to: disk)
    defer { guardian.end() }
    let session = try await session(of: disk, "does not read") { $0.statistics["readBytes", default: 0] > 0 }
    #expect(session.initiator == initiator)
    #expect(session.connections.map(\.address) == [IPAddress("127.0.0.1")])
    #expect(session.statistics["readCommands", default: 0] > 0 && session.statistics["writeCommands"] == 0)
  }

  @Test func isClosedAndTheInitiatorComesBackAsAnother() async throws {
    let disk = try await Exported.disk()
    let guardian = try logIn(to: disk)
    defer { guardian.end() }
    let first = try await session(of: disk, "does not log in")
    try await disk.perform(.closeSession(disk.name, id: first.id))
    let second = try await session(of: disk, "does not come back") { $0.id != first.id }
    #expect(second.initiator == initiator)
  }

  @Test func staysOutOnceItIsDeniedAndClosed() async throws {
    let disk = try await Exported.disk()
    let guardian = try logIn(to: disk)
    defer { guardian.end() }
    let first = try await session(of: disk, "does not log in")
    try await disk.perform(.deny(disk.name, .all), .closeSession(disk.name, id: first.id))
    #expect(try await disk.target().sessions.isEmpty)
  }

  @Test func aTargetInUseIsDeletedByForce() async throws {
    let disk = try await Exported.disk()
    let guardian = try logIn(to: disk)
    defer { guardian.end() }
    _ = try await session(of: disk, "does not log in")
    let failure = await #expect(throws: Failure.self) {
      try await disk.perform(.deleteTarget(disk.name, force: false))
    }
    #expect(failure?.code == .inUse)
    try await disk.perform(.deleteTarget(disk.name, force: true))
    #expect(try await disk.tgtd.implementation().read().targets.isEmpty)
  }

  @Test func aLogicalUnitInUseIsRemovedAndReplacedByForce() async throws {
    let disk = try await Exported.disk()
    try await disk.addUnit(2)
    let guardian = try logIn(to: disk, lun: 2)
    defer { guardian.end() }
    _ = try await session(of: disk, "does not log in")
    var other = LogicalUnit(
      lun: try LUN(2), backing: try Backing(path: disk.tgtd.backing("other", bytes: 1 << 20)))
    other.serial = "another"
    try await disk.perform(.replaceUnit(disk.name, other, force: true))
    #expect(try await disk.target().units[other.lun]?.serial == "another")
    _ = try await session(of: disk, "does not come back")
    try await disk.perform(.removeUnit(disk.name, other.lun, force: true))
    #expect(try await disk.target().units.keys.sorted() == [LUN(1)])
  }

  /// Nobody is thrown out by what concerns others.
  @Test func changesBesideItLeaveItAlone() async throws {
    let disk = try await Exported.disk()
    let guardian = try logIn(to: disk)
    defer { guardian.end() }
    let before = try await session(of: disk, "does not read") { $0.statistics["readBytes", default: 0] > 0 }
    try await disk.addUnit(2)
    let other = try TargetName("iqn.2011-12.com.example:other")
    try await disk.perform(
      .createTarget(other, id: nil), .setParameter(disk.name, .defaultTime2Wait, "5"),
      .allow(disk.name, Initiator("10.0.0.0/8")), .resizeUnit(disk.name, LUN(2)))
    try await disk.perform(.deny(disk.name, .all), .deleteTarget(other, force: false))
    let after = try await session(of: disk, "stops reading") {
      $0.statistics["readBytes", default: 0] > before.statistics["readBytes", default: 0]
    }
    #expect(after.id == before.id)
  }
}
