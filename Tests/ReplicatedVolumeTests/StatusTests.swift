import HostInterface
import Testing

@testable import ReplicatedVolume

@Suite struct StatusTests {
  private func lifecycle(_ seq: Int) throws -> ResourceStatus { try Recorded.status("DRBD/lifecycle", seq) }

  @Test func everyListingThatWasRecordedIsRead() throws {
    var count = 0
    for name in ["DRBD/lifecycle", "DRBD/failures", "DRBD/disk-failure-and-hazards"] {
      for line in try Recorded.lines(name) where line.argv?.contains("--now") == true {
        _ = try EventLines.parse(line.stdout ?? "")
        count += 1
      }
    }
    #expect(count > 60)
  }

  @Test func nothingIsConfigured() throws {
    #expect(try EventLines.parse(Recorded.output("DRBD/lifecycle", 3)).isEmpty)
  }

  @Test func aloneAndWaiting() throws {
    let status = try lifecycle(33)
    #expect(status.role == .secondary && status.suspended == nil)
    #expect(status.volumes == [.init(number: 0, minor: 0, disk: .inconsistent, size: 262_100 << 10)])
    let peer = try #require(status.peers.first)
    #expect(peer.connection == .connecting && peer.role == .unknown)
    #expect(peer.volumes.first?.disk == .unknown && peer.volumes.first?.outOfSync == 262_100 << 10)
    #expect(!status.isWhole && !status.isBusy)
  }

  @Test func syncing() throws {
    let source = try lifecycle(73)
    #expect(source.role == .primary && source.isBusy && !source.isWhole)
    let volume = try #require(source.peers.first?.volumes.first)
    #expect(volume.replication == .syncSource && volume.disk == .inconsistent)
    #expect(volume.outOfSync == 259_628 << 10 && volume.sent == 2472 << 10)
    #expect(volume.progress == .init(fraction: 0.016, rate: 1732 << 10, secondsLeft: 130))
    let target = try lifecycle(133)
    #expect(target.volumes.first?.disk == .inconsistent)
    #expect(target.peers.first?.volumes.first?.replication == .syncTarget)
    #expect(target.peers.first?.volumes.first?.progress?.rate == 29_184 << 10)
  }

  @Test func connectedAndWhole() throws {
    let status = try lifecycle(94)
    #expect(status.isWhole && !status.isBusy)
    #expect(status.peers.first?.volumes.first?.progress == nil)
  }

  @Test func aPausedResync() throws {
    let volume = try #require(try lifecycle(216).peers.first?.volumes.first)
    #expect(volume.replication == .pausedSource && volume.paused == "user" && volume.replication.isResync)
  }

  @Test func standingAlone() throws {
    let status = try lifecycle(155)
    #expect(status.role == .primary && status.peers.first?.connection == .standAlone)
    #expect(status.peers.first?.name == "")
    let outdated = try lifecycle(265)
    #expect(outdated.volumes.first?.disk == .outdated)
  }

  @Test func aSplitBrainLeavesBothAloneWithChanges() throws {
    let status = try Recorded.status("DRBD/failures", 223)
    #expect(status.role == .primary && status.peers.first?.connection == .standAlone)
    #expect(status.peers.first?.volumes.first?.outOfSync == 1028 << 10)
  }

  @Test func disklessAndSuspended() throws {
    let status = try lifecycle(350)
    #expect(status.volumes.first?.disk == .diskless && status.role == .primary && !status.isWhole)
    #expect(try Recorded.status("DRBD/disk-failure-and-hazards", 103).suspended == "user")
  }

  @Test func aVerificationHasProgress() throws {
    let volume = try #require(try lifecycle(300).peers.first?.volumes.first)
    #expect(volume.replication == .verifySource && volume.replication.isVerification)
    #expect(volume.progress == .init(fraction: 0.094, rate: 21_716 << 10, secondsLeft: 10))
  }

  @Test func splitBrainIsToldFromTheKernelsLog() throws {
    let log = try Recorded.output("DRBD/failures", 231)
    #expect(SplitBrain.isTold(of: [0], in: log))
    #expect(!SplitBrain.isTold(of: [1], in: log))
    let resolved = log + "[ 99.1] block drbd0: conn( WFBitMapT -> WFSyncUUID )\n"
    #expect(!SplitBrain.isTold(of: [0], in: resolved))
  }

  /// The document is put together by the source of drbd-utils 9.22 (drbdsetup.c), since no kernel at hand has DRBD 9.
  @Test func nineTellsTheSameAsJSON() throws {
    let status = try #require(try StatusJSON.parse(Array(Self.nine.utf8)).first)
    #expect(status.name.description == "vg1" && status.role == .primary && status.suspended == "quorum")
    #expect(status.volumes == [.init(number: 0, minor: 7, disk: .upToDate, size: 262_100 << 10)])
    let peer = try #require(status.peers.first)
    #expect(
      peer.name == "nancy" && peer.node == 1 && peer.connection == .connected && peer.role == .secondary)
    let volume = try #require(peer.volumes.first)
    #expect(
      volume.replication == .syncSource && volume.disk == .inconsistent && volume.outOfSync == 1024 << 10)
    #expect(volume.progress == .init(fraction: 0.995, rate: 2 << 20, secondsLeft: 12))
  }

  @Test func nineTellsTheSameAsEvents() throws {
    let text = """
      exists resource name:vg1 role:Primary suspended:no force-io-failures:no write-ordering:flush may_promote:no promotion_score:10101
      exists device name:vg1 volume:0 minor:7 backing_dev:/dev/sda disk:UpToDate client:no open:yes quorum:yes size:5 read:1 written:1 al-writes:4 bm-writes:5 upper-pending:6 lower-pending:7 al-suspended:no blocked:no
      exists connection name:vg1 peer-node-id:1 conn-name:nancy connection:Connected role:Secondary congested:no ap-in-flight:10 rs-in-flight:20
      exists peer-device name:vg1 peer-node-id:1 conn-name:nancy volume:0 replication:SyncSource peer-disk:Inconsistent peer-client:no resync-suspended:no done:50.25 received:5 sent:10 out-of-sync:3 pending:30 unacked:40
      exists path name:vg1 peer-node-id:1 conn-name:nancy local:ipv4:1.2.3.4:7789 peer:ipv4:5.6.7.8:7790 established:yes
      exists -
      """
    let status = try #require(try EventLines.parse(text).first)
    #expect(status.peers.first?.name == "nancy")
    #expect(status.peers.first?.volumes.first?.progress?.fraction == 0.5025)
  }

  @Test(arguments: [
    "exists resource name:vg1 role:King suspended:no",
    "exists device name:vg1 volume:0 minor:0 disk:UpToDate",
    "exists resource name:../x role:Primary", "exists resource role:Primary",
  ])
  func linesThatAreNotUnderstoodAreRefused(_ line: String) {
    let failure = #expect(throws: Failure.self) { try EventLines.parse(line) }
    #expect(failure?.code == .garbled || failure?.code == .invalid)
  }

  @Test func truncatedAnswersNeverTrap() throws {
    let events = try Recorded.output("DRBD/lifecycle", 73)
    let json = Self.nine
    for length in stride(from: 0, to: json.utf8.count, by: 7) {
      _ = try? StatusJSON.parse(Array(json.utf8.prefix(length)))
    }
    for length in stride(from: 0, to: events.utf8.count, by: 3) {
      _ = try? EventLines.parse(String(events.prefix(length)))
    }
    let proc = try #require(try Recorded.lines("DRBD/lifecycle").first { $0.seq == 70 }?.result)
    for length in stride(from: 0, to: proc.utf8.count, by: 3) {
      _ = ProcDRBD.progress(String(proc.prefix(length)))
    }
  }

  private static let nine = """
    [
    {
      "name": "vg1", "node-id": 0, "role": "Primary", "suspended": true, "suspended-user": false,
      "suspended-no-data": false, "suspended-fencing": false, "suspended-quorum": true,
      "force-io-failures": false, "write-ordering": "flush",
      "devices": [
        { "volume": 0, "minor": 7, "disk-state": "UpToDate", "client": false, "open": true, "quorum": true,
          "size": 262100, "read": 1, "written": 2, "al-writes": 3, "bm-writes": 4, "upper-pending": 0,
          "lower-pending": 0 } ],
      "connections": [
        { "peer-node-id": 1, "name": "nancy", "connection-state": "Connected", "congested": false,
          "peer-role": "Secondary", "tls": false, "ap-in-flight": 0, "rs-in-flight": 0, "paths": [],
          "peer_devices": [
            { "volume": 0, "replication-state": "SyncSource", "peer-disk-state": "Inconsistent",
              "peer-client": false, "resync-suspended": "no", "received": 0, "sent": 2472,
              "out-of-sync": 1024, "pending": 0, "unacked": 0, "has-sync-details": true,
              "has-online-verify-details": false, "percent-in-sync": 99.61, "rs-total": 524200,
              "rs-dt-start-ms": 1, "rs-paused-ms": 0, "rs-dt0-ms": 1, "rs-db0-sectors": 1, "rs-dt1-ms": 1,
              "rs-db1-sectors": 1, "rs-failed": 0, "rs-same-csum": 0, "want": 0.00, "db0/dt0 [MiB/s]": 1.00,
              "db1/dt1 [MiB/s]": 2.00, "estimated-seconds-to-finish": 12, "db/dt [MiB/s]": 1.50,
              "percent-resync-done": 99.50 } ]
        } ]
    }
    ]
    """
}
