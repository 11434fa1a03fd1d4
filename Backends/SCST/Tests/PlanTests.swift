import HostInterface
import Quartet
import SCSTBackend
import SCSTSimulator
import Simulation
import SystemPackage
import TargetBackendTesting
import TargetCore
import Testing

/// The operations of each change as a dry run prints them, and those that would undo them.
@Suite struct PlanTests {
  static let name = "iqn.2011-12.com.example:disk1"
  static let guest = "iqn.2011-12.com.example:ini1"
  private static let other = "iqn.2011-12.com.example:ini2"

  /// A machine that exports a target with something of everything, to which an initiator is logged in.
  private func machine() async throws -> SCSTMachine {
    let machine = SCSTMachine()
    for path in ["/srv/disk0", "/srv/disk1", "/srv/disk2"] {
      machine.host.addFile(FilePath(path), size: 1 << 20)
    }
    machine.host.addBlockDevice("/dev/vg1/lun1", size: 1 << 30)
    machine.host.addCharacterDevice("/dev/bsg/1:0:0:0", number: "247:0")
    machine.scst.addLocalDisk("1:0:0:0")
    let scst = try machine.implementation()
    let name = try TargetName(Self.name)
    try await scst.perform([
      .createTarget(name, id: 4), .addUnit(name, try unit(0, "/srv/disk0")),
      .addUnit(name, try unit(5, "/dev/vg1/lun1") { $0.initiators = [try Initiator(Self.guest)] }),
      .setAccount(name, .incoming, try account("jack"), rewrite: false),
      .setAccount(name, .outgoing, try account("disk"), rewrite: false),
      .allow(name, .all), .allow(name, try Initiator(Self.guest)), .enableTarget(name),
    ])
    try machine.scst.logIn(
      Self.guest, to: Self.name, account: machine.scst.accounts(of: Self.name).first)
    return machine
  }

  private func unit(_ lun: Int, _ path: String?, _ set: (inout LogicalUnit) throws -> Void = { _ in }) throws
    -> LogicalUnit
  {
    var unit = LogicalUnit(lun: try LUN(lun), backing: try path.map { try Backing(path: $0) } ?? .none)
    try set(&unit)
    return unit
  }

  private func account(_ user: String) throws -> CHAPAccount {
    try CHAPAccount(user: CHAPUser(user), secret: Secret("secret-of-\(user)".utf8))
  }

  private func changes() throws -> [(String, [Change])] {
    let (name, new) = (try TargetName(Self.name), try TargetName("iqn.2011-12.com.example:new"))
    let full = try unit(1, "/srv/disk1") {
      ($0.blockSize, $0.readOnly, $0.removable, $0.thin, $0.online) = (4096, true, true, true, false)
      ($0.scsiID, $0.serial, $0.vendor, $0.product, $0.revision) = (
        "id", "serial", "Vendor", "A Product", "1.0"
      )
      $0.attributes = ["rotational": "0", "tst": "0", "expl_alua": "1", "threads_num": "4", "device": "d1"]
    }
    return [
      ("create", [.createTarget(new, id: nil)]), ("create with a number", [.createTarget(new, id: 7)]),
      (
        "create in whole",
        [
          .createTarget(new, id: nil), .addUnit(new, try unit(0, "/srv/disk1")),
          .setAccount(new, .incoming, try account("jack"), rewrite: false), .allow(new, .all),
          .enableTarget(new),
        ]
      ),
      ("delete by force", [.deleteTarget(name, force: true)]), ("disable", [.disableTarget(name)]),
      ("file", [.addUnit(name, try unit(1, "/srv/disk1"))]),
      ("file with everything", [.addUnit(name, full)]),
      (
        "file for one initiator",
        [
          .addUnit(name, try unit(1, "/srv/disk1") { $0.initiators = [try Initiator(Self.guest)] })
        ]
      ),
      ("file for nobody", [.addUnit(name, try unit(1, "/srv/disk1") { $0.initiators = [] })]),
      ("file through the cache", [.addUnit(name, try unit(1, "/srv/disk1") { $0.cache = .through })]),
      ("nothing behind it", [.addUnit(name, try unit(2, nil) { $0.attributes["size"] = "1048576" })]),
      ("local disk", [.addUnit(name, try unit(2, "/dev/bsg/1:0:0:0") { $0.deviceType = .passthrough })]),
      ("disc", [.addUnit(name, try unit(2, "/srv/disk1") { $0.deviceType = .cd })]),
      ("replace by force", [.replaceUnit(name, try unit(0, "/srv/disk1"), force: true)]),
      ("remove by force", [.removeUnit(name, try LUN(5), force: true)]),
      ("remove the last one for everyone", [.removeUnit(name, try LUN(0), force: true)]),
      ("resize", [.resizeUnit(name, try LUN(0))]),
      (
        "another identity",
        [
          .setUnit(name, try unit(0, nil) { ($0.backing, $0.serial, $0.online) = (.unread, "new", false) })
        ]
      ),
      (
        "attributes of a unit",
        [
          .setUnit(name, try unit(0, nil) { ($0.backing, $0.attributes) = (.unread, ["threads_num": "2"]) })
        ]
      ),
      (
        "a unit to one initiator",
        [
          .setUnit(
            name, try unit(0, nil) { ($0.backing, $0.initiators) = (.unread, [try Initiator(Self.guest)]) })
        ]
      ),
      (
        "a unit to nobody",
        [
          .setUnit(name, try unit(0, nil) { ($0.backing, $0.initiators) = (.unread, []) })
        ]
      ),
      ("parameter", [.setParameter(name, .maxBurstLength, "262144")]),
      ("digests", [.setParameter(name, .headerDigest, "CRC32C,None")]),
      ("attribute", [.setAttribute(name, "comment", "two words")]),
      ("allow another", [.allow(name, try Initiator(Self.other))]),
      ("deny a name", [.deny(name, try Initiator(Self.guest))]), ("deny all", [.deny(name, .all)]),
      ("another account", [.setAccount(name, .incoming, try account("jill"), rewrite: false)]),
      ("another secret", [.setAccount(name, .incoming, try account("jack"), rewrite: true)]),
      ("another outgoing account", [.setAccount(name, .outgoing, try account("other"), rewrite: false)]),
      ("an account of discovery", [.setAccount(nil, .incoming, try account("seeker"), rewrite: false)]),
      ("an outgoing account of discovery", [.setAccount(nil, .outgoing, try account("me"), rewrite: false)]),
      ("clear an account", [.clearAccount(name, .incoming, try CHAPUser("jack"))]),
      ("clear the outgoing account", [.clearAccount(name, .outgoing, try CHAPUser("disk"))]),
      (
        "one portal instead of all",
        [
          .removePortal(name, try Portal("0.0.0.0")), .removePortal(name, try Portal("[::]")),
          .addPortal(name, try Portal("192.0.2.1")),
        ]
      ),
      ("close a session", [.closeSession(name, id: Self.guest)]),
    ]
  }

  @Test func printsWhatItDoes() async throws {
    let scst = try await machine().implementation()
    var text = ""
    for (title, changes) in try changes() {
      var options = PerformOptions()
      options.dryRun = true
      text += "== \(title)\n"
      for step in try await scst.perform(changes, options: options).plan.steps {
        text += step.operation.display + "\n" + step.undo.map { "  undo: \($0.display)\n" }.joined()
      }
    }
    text += "== start\n" + scst.backend.startSteps().map { $0.operation.display + "\n" }.joined()
    #expect(!text.contains("secret-of"), "a dry run shows a secret")
    try expectGolden("plans.txt", text)
  }

  /// Each command is waited for longer than SCST waits for I/O, and proves itself by the tree where that shows it.
  @Test func everyCommandIsBoundedAndMostAreProven() async throws {
    let scst = try await machine().implementation()
    for (title, changes) in try changes() {
      var options = PerformOptions()
      options.dryRun = true
      for step in try await scst.perform(changes, options: options).plan.steps {
        for operation in [step.operation] + step.undo {
          guard case .manage(let command) = operation else { continue }
          #expect(command.limit > .seconds(90) && command.limit <= .seconds(120), "\(title)")
          #expect(command.result?.display == "/sys/kernel/scst_tgt/last_sysfs_mgmt_res")
          let words = command.contents.display
          let path = command.path.display
          if path.hasSuffix("/mgmt"), !words.contains("attribute ") {
            #expect(command.proof != nil, "\(title): \(words)")
          }
          #expect(words.utf8.count < 4096)
        }
      }
    }
  }

  /// Everything that a plan does is undone by it: a step that fails at the end leaves the state that was.
  @Test func everyPlanIsUndone() async throws {
    let detail = ReadDetail(parameters: .all, shared: true)
    for (title, changes) in try changes() where !title.contains("session") {
      let machine = try await machine()
      let scst = try machine.implementation()
      let before = try await scst.read(detail)
      var options = PerformOptions()
      options.dryRun = true
      let count = try await scst.perform(changes, options: options).plan.steps.count {
        if case .manage = $0.operation { true } else { false }
      }
      guard count > 1 else { continue }
      // The last command is refused.
      let failing = FaultingHost(machine.host, failing: count, with: .error(.invalidArgument)) { call in
        if case .write = call { true } else { false }
      }
      do {
        try await Implementation(.scst, on: failing).perform(changes)
        Issue.record("\(title) does not fail")
      } catch {}
      let after = try await scst.read(detail)
      // Those who were logged in are not logged in again.
      func text(_ state: LiveState) -> String {
        state.rendering.split(separator: "\n").filter { !$0.contains(" session ") }.joined(separator: "\n")
      }
      #expect(text(after) == text(before), "\(title)")
    }
  }
}
