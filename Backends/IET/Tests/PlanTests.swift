import HostInterface
import IETBackend
import IETSimulator
import Quartet
import SystemPackage
import TargetCore
import Testing

/// The operations of each change as a dry run prints them, and those that would undo them.
@Suite struct PlanTests {
  static let name = "iqn.2011-12.com.example:disk1"

  /// A machine that exports a target with something of everything, to which an initiator is logged in.
  private func world() async throws -> SimulatedWorld {
    let world = SimulatedWorld()
    for path in ["/srv/disk0", "/srv/disk1", "/srv/with blank"] {
      world.host.addFile(FilePath(path), size: 1 << 20)
    }
    world.host.addBlockDevice("/dev/vg1/lun1", size: 1 << 30)
    try await world.ietadm("--op", "new", "--tid=4", "--params", "Name=\(Self.name)")
    try await world.ietadm("--op", "new", "--tid=4", "--lun=0", "--params", "Path=/srv/disk0,IOMode=wb")
    for account in ["IncomingUser=jack,Password=secret-of-jack", "OutgoingUser=disk,Password=secret-of-disk"]
    {
      try await world.ietadm("--op", "new", "--tid=4", "--user", "--params", account)
    }
    let account = InitiatorAccount(user: "jack", secret: "secret-of-jack")
    try world.iet.logIn("iqn.2011-12.com.example:ini1", to: Self.name, account: account, on: world.host)
    return world
  }

  private func changes() throws -> [(String, [Change])] {
    let (name, new) = (try TargetName(Self.name), try TargetName("iqn.2011-12.com.example:new"))
    func unit(_ lun: Int, _ path: String?, _ set: (inout LogicalUnit) -> Void = { _ in }) throws
      -> LogicalUnit
    {
      var unit = LogicalUnit(lun: try LUN(lun), backing: try path.map { try Backing(path: $0) } ?? .none)
      set(&unit)
      return Reconciler(capabilities: try BackendDescriptor.iet.make([:]).capabilities).completed(
        unit, of: name)
    }
    func account(_ user: String) throws -> CHAPAccount {
      try CHAPAccount(user: CHAPUser(user), secret: Secret("secret-of-\(user)-2".utf8))
    }
    let empty = try unit(3, nil) { ($0.store, $0.attributes) = ("nullio", ["Sectors": "2048"]) }
    return [
      ("create", [.createTarget(new, id: nil)]), ("create with a number", [.createTarget(new, id: 7)]),
      (
        "create, and let in",
        [
          .createTarget(new, id: nil), .allow(new, try Initiator("10.0.0.0/8")),
          .allow(new, try Initiator("fe80::1")),
        ]
      ),
      ("delete by force", [.deleteTarget(name, force: true)]), ("disable", [.disableTarget(name)]),
      ("file", [.addUnit(name, try unit(1, "/srv/disk1"))]),
      (
        "file with a blank, read-only",
        [.addUnit(name, try unit(2, "/srv/with blank") { $0.readOnly = true })]
      ),
      ("device", [.addUnit(name, try unit(2, "/dev/vg1/lun1") { ($0.scsiID, $0.serial) = ("a", "b") })]),
      ("file with a cache", [.addUnit(name, try unit(1, "/srv/disk1") { $0.cache = .back })]),
      ("nothing behind it", [.addUnit(name, empty)]),
      ("replace by force", [.replaceUnit(name, try unit(0, "/srv/disk1"), force: true)]),
      ("remove by force", [.removeUnit(name, try LUN(0), force: true)]),
      ("parameter", [.setParameter(name, .defaultTime2Wait, "5")]),
      ("digests", [.setParameter(name, .headerDigest, "CRC32C,None")]),
      ("attribute", [.setAttribute(name, "Wthreads", "16")]),
      ("allow a name", [.deny(name, .all), .allow(name, try Initiator("iqn.2011-12.com.example:ini1"))]),
      ("deny all", [.deny(name, .all)]),
      ("another account", [.setAccount(name, .incoming, try account("jill"), rewrite: false)]),
      (
        "another secret of the only account",
        [.setAccount(name, .incoming, try account("jack"), rewrite: true)]
      ),
      ("another outgoing account", [.setAccount(name, .outgoing, try account("other"), rewrite: false)]),
      ("an account of discovery", [.setAccount(nil, .incoming, try account("seeker"), rewrite: false)]),
      ("clear an account", [.clearAccount(name, .incoming, try CHAPUser("jack"))]),
      ("clear the outgoing account", [.clearAccount(name, .outgoing, try CHAPUser("disk"))]),
      (
        "one portal instead of all",
        [.removePortal(name, try Portal("0.0.0.0")), .addPortal(name, try Portal("192.0.2.1"))]
      ),
      ("close a session", [.closeSession(name, id: "282574492336640")]),
    ]
  }

  @Test func printsWhatItDoes() async throws {
    let world = try await world()
    let iet = try Implementation(.iet, on: world.host)
    var text = ""
    for (title, changes) in try changes() {
      var options = PerformOptions()
      options.dryRun = true
      let plan = try await iet.perform(changes, options: options).plan
      text += "== \(title)\n"
      for step in plan.steps {
        text += step.operation.display + "\n"
        for undo in step.undo { text += "  undo: \(undo.display)\n" }
      }
    }
    text += "== start\n"
    for step in iet.backend.startSteps() { text += step.operation.display + "\n" }
    #expect(!text.contains("secret-of"))
    try expectGolden("plans.txt", text)
  }

  /// A request that names nothing stops all targets, or makes one without a name.
  @Test func everyRequestNamesWhatItIsAbout() async throws {
    let world = try await world()
    let iet = try Implementation(.iet, on: world.host)
    for (title, changes) in try changes() {
      var options = PerformOptions()
      options.dryRun = true
      for step in try await iet.perform(changes, options: options).plan.steps {
        for operation in [step.operation] + step.undo {
          guard case .run(let command) = operation, command.argv.first == "ietadm" else { continue }
          let words = command.argv.map(\.display)
          #expect(
            words.contains { $0.hasPrefix("--tid=") && $0 != "--tid=0" } || words.contains("--user"),
            "\(title)")
          #expect(!(words[2] == "new" && !words.contains("--params")), "\(title)")
          #expect(command.limit <= .seconds(10), "\(title)")
        }
      }
    }
  }
}
