import HostInterface
import Quartet
import TargetCore
import Testing

extension InitiatorTests {
  /// What only LIO has, or only LIO tells.
  struct LIOTests {
    private let other = "iqn.1993-08.org.debian:01:other"

    @Test func anInitiatorSeesWhatIsItsOwn() async throws {
      let exported = try await Exported(.lio)
      let initiator = exported.initiator
      let others = [try Initiator(other)]
      let units = [
        try await exported.unit(1), try await exported.unit(2) { $0.initiators = others },
        try await exported.unit(3) { $0.readOnly = true },
      ]
      try await exported.apply(units) { $0.initiators?.append(contentsOf: others) }
      try await exported.logIn()
      let writable = try await initiator.disk(LUN(1))
      let readOnly = try await initiator.disk(LUN(3))
      try await initiator.rescan()
      #expect(try initiator.diskIfSeen(LUN(2)) == nil)
      #expect(try await shell("blockdev --getro $1 $2", writable, readOnly) == "0\n1")
      try await shell("dd if=/dev/urandom of=$1 bs=4096 count=1 oflag=direct status=none", writable)
      // Past the initiator's kernel, which knows that it is protected; 7 is what sg_raw(8) says of DATA PROTECT.
      let command = "sg_raw -s 512 -i /dev/zero /dev/$(ls /sys/block/${1#/dev/}/device/scsi_generic)"
      let write = "2a 00 00 00 00 00 00 00 01 00 >/dev/null 2>&1"
      #expect(try await status("\(command) \(write)", readOnly) == 7)
      #expect(try await status("\(command) \(write)", writable) == 0)

      var shown = LogicalUnit(lun: try LUN(2), backing: units[1].backing)
      shown.initiators = others + [try Initiator(Exported.initiator)]
      try await exported.perform(.setUnit(exported.name, shown))
      try await initiator.rescan()
      _ = try await initiator.disk(LUN(2))
      try await exported.end()
    }

    @Test func sessionsAreListedAndClosed() async throws {
      let exported = try await Exported(.lio)
      let initiator = exported.initiator
      try await exported.apply([exported.unit(1)])
      try await exported.logIn()
      let session = try #require(try await exported.target().sessions.first)
      #expect(session.initiator == Exported.initiator)
      #expect(session.connections.map(\.address) == [IPAddress("127.0.0.1")])
      try await exported.perform(.closeSession(exported.name, id: session.id))
      var later: Session?
      try await eventually("it comes back as another") {
        later = try await exported.target().sessions.first
        return later != nil && later?.id != session.id
      }
      #expect(later?.initiator == Exported.initiator)
      try await initiator.logOut()
      #expect(try await exported.target().sessions.isEmpty)
      try await exported.end()
    }

    @Test func sessionsOfWhoeverComesAreListedAndClosed() async throws {
      let exported = try await Exported(.lio)
      let initiator = exported.initiator
      try await exported.apply([exported.unit(1)]) { $0.initiators = [.all] }
      try await exported.logIn()
      let disk = try await initiator.disk(LUN(1))
      // Everyone may write.
      try await shell("dd if=/dev/urandom of=$1 bs=4096 count=1 oflag=direct status=none", disk)
      #expect(try await exported.target().sessions.map(\.initiator) == [Exported.initiator])
      try await exported.perform(.deny(exported.name, .all))
      try await eventually("it is thrown out") { try await exported.target().sessions.isEmpty }
      #expect(try initiator.state() != "LOGGED_IN")
      try await exported.end()
    }

    @Test func aPortalOfIPv6IsReached() async throws {
      let exported = try await Exported(.lio)
      try await exported.apply([exported.unit(1)]) { $0.portals = [try Portal("[::1]:3260")] }
      let initiator = try await OpenISCSI(exported.name, at: "[::1]:3260")
      #expect(try await initiator.discover() == ["\(exported.name)"])
      #expect(try await initiator.logIn() == 0)
      _ = try await initiator.disk(LUN(1))
      let sessions = try await exported.target().sessions
      #expect(sessions.flatMap(\.connections).map(\.address) == [IPAddress("::1")])
      try await initiator.logOut()
      try await exported.end()
    }
  }
}
