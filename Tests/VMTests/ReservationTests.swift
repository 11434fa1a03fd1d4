import HostInterface
import LinuxHost
import Quartet
import TargetCore
import Testing

extension InitiatorTests {
  /// Persistent reservations of LIO, made by sg_persist(8) with APTPL: the kernel keeps them in a file.
  struct ReservationTests {
    private let lun: LUN
    private let other = "iqn.1993-08.org.debian:01:other"

    init() throws { lun = try LUN(1) }

    /// A restart and a move are the same to the initiator: its session is lost and found again.
    ///
    /// Not a logout: open-iscsi's next session has another ISID, which makes it another owner (SPC-4, I_T nexus).
    @Test func theyComeBackWithTheTargetAndMoveWithTheirFile() async throws {
      let exported = try await Exported(.lio)
      let initiator = exported.initiator
      try await make(exported)
      try await exported.logIn()
      let disk = try await initiator.disk(lun)
      // Key abc1, then type 5: only registrants may write.
      try await shell("sg_persist -o -n -I -Z -S abc1 $1 && sg_persist -o -n -R -K abc1 -T 5 $1", disk)
      let told = try #require(try await exported.target().units[lun]?.reservation)
      #expect(told.contains(Exported.initiator) && told.contains("Registrants Only"), "\(told)")

      try await takeAway(exported)
      try await giveBack(exported)
      #expect(try await keys(disk) == ["0xabc1"])
      #expect(try await exported.target().units[lun]?.reservation == told)
      try await shell("dd if=/dev/zero of=$1 bs=4096 count=1 oflag=direct status=none", disk)
      let stranger = try await OpenISCSI(exported.name, at: exported.kind.portal, as: other)
      #expect(try await stranger.logIn() == 0)
      // The kernel makes EBADE of RESERVATION CONFLICT.
      let refusal = try await shell(
        "dd if=/dev/zero of=$1 bs=4096 count=1 oflag=direct 2>&1 || true", stranger.disk(lun))
      #expect(refusal.contains("Invalid exchange"), "\(refusal)")
      try await stranger.logOut()

      let root = try LocalHost().text("/sys/kernel/config/target/dbroot").trimmed
      try await takeAway(exported)
      try await shell("mv $1/pr /run/carried && mkdir $1/pr", root)
      try await giveBack(exported)
      #expect(try await keys(disk) == [])
      try await takeAway(exported)
      try await shell("cp /run/carried/* $1/pr", root)
      try await giveBack(exported)
      #expect(try await keys(disk) == ["0xabc1"])
      #expect(try await exported.target().units[lun]?.reservation == told)
      try await shell("sg_persist -o -n -C -K abc1 $1", disk)
      #expect(try await exported.target().units[lun]?.reservation == nil)
      try await exported.end()
    }

    private func make(_ exported: Exported) async throws {
      try await exported.apply([exported.unit(1)]) { $0.initiators?.append(try Initiator(other)) }
    }

    private func takeAway(_ exported: Exported) async throws {
      try await exported.perform(.deleteTarget(exported.name, force: true))
      try await eventually("the session is lost") { try exported.initiator.state() != "LOGGED_IN" }
    }

    private func giveBack(_ exported: Exported) async throws {
      try await make(exported)
      try await eventually("the session is back") { try exported.initiator.state() == "LOGGED_IN" }
    }

    /// The keys that are registered.
    private func keys(_ disk: String) async throws -> [String] {
      try await shell("sg_persist -i -n -k $1 | sed -n 's/^ *\\(0x[0-9a-f]*\\)$/\\1/p'", disk)
        .split(separator: "\n").map(String.init)
    }
  }
}
