import HostInterface
import LinuxHost
import Quartet
import StateFile
import TargetCore
import Testing

extension InitiatorTests {
  /// `quartet migrate` under an initiator that has a file system mounted.
  struct MigrationTests {
    private let lun: LUN
    private let account: CHAPAccount
    private let proof = [
      "node.session.auth.authmethod": "CHAP", "node.session.auth.username": "jack",
      "node.session.auth.password": "jacks-secret-1",
    ]

    init() throws {
      lun = try LUN(1)
      account = try CHAPAccount(user: CHAPUser("jack"), secret: Secret("jacks-secret-1".utf8))
    }

    /// The disk stays the same one, where it was, and what is written meanwhile waits.
    @Test(arguments: [(Exported.Kind.tgt, Exported.Kind.lio), (.lio, .tgt)])
    func aMountedDiskMovesToAnotherImplementation(from: Exported.Kind, to: Exported.Kind) async throws {
      let destination = try await Exported(to)
      let source = try await Exported(from)
      let initiator = source.initiator
      try await source.apply([source.unit(1) { $0.serial = "moving-disk" }]) {
        $0.chap = CHAPSpec(incoming: [account])
      }
      try await source.logIn(proof)
      let disk = try await initiator.disk(lun)
      try await shell("mkfs.ext4 -q $1", disk)
      let mounted = try await Mounted(disk)
      let before = try await mounted.write("before", mebibytes: 4)
      let first = try await names(of: disk)

      // tgt does not tell secrets: they come from where they are known.
      var spec = TargetSpec(name: source.name)
      spec.chap = CHAPSpec(incoming: [account])
      var options = Migration.Options()
      options.supplement = DesiredState(targets: [spec])
      let refusal = await #expect(throws: Failure.self) {
        try await migrate(source, destination, options)
      }
      #expect(refusal?.code == .refused)
      #expect(try initiator.state() == "LOGGED_IN")

      options.acceptsLosses = true
      let writing = Task { try await mounted.write("meanwhile", mebibytes: 4) }
      let report = try await migrate(source, destination, options)
      try await eventually("the session is back") { try initiator.state() == "LOGGED_IN" }
      let meanwhile = try await writing.value
      #expect(try await source.implementation.read().targets.isEmpty)
      #expect(try await destination.target().units.keys.sorted() == [lun])
      // Journals are written so that they are durable by themselves (FUA), which the disk said it takes.
      let late = try await mounted.write("late", mebibytes: 1)
      try await mounted.end()
      try await initiator.logOut()

      let wrong = ["node.session.auth.password": "another-secret"]
      #expect(try await initiator.logIn(wrong) == OpenISCSI.refused)
      try await source.logIn(proof)
      let again = try await Mounted(initiator.disk(lun))
      for (name, sum) in [("before", before), ("meanwhile", meanwhile), ("late", late)] {
        #expect(try await again.sum(of: name) == sum, "\(name)")
      }
      let (now, isTold) = (try await names(of: again.disk), report.losses.contains { $0.contains("WWID") })
      #expect(now.serial == first.serial)
      #expect((now.wwid == first.wwid) == !isTold, "\(first), then \(now): \(report.losses)")
      try await again.end()
      try await initiator.logOut()
      try await destination.end()
      // Its portals have moved: other tests start one with its own.
      try await shell("tgtadm --lld iscsi --mode system --op delete")
      try await eventually("tgtd ends") { try await status("pgrep -x tgtd") != 0 }
    }

    private func migrate(
      _ source: Exported, _ destination: Exported, _ options: Migration.Options
    ) async throws -> Migration.Report {
      try await Migration(from: source.implementation, to: destination.implementation, options: options).run()
    }

    /// What udev makes names of: the serial number, and the best designator.
    private func names(of disk: String) async throws -> (serial: String, wwid: String) {
      let device = "/sys/block/$(basename $1)/device"
      return (
        try await shell("tail -c +5 \(device)/vpd_pg80 | tr -d '\\000 '", disk),
        try await shell("cat \(device)/wwid", disk)
      )
    }
  }
}
