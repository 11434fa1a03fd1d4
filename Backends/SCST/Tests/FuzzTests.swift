import HostInterface
import Quartet
import Simulation
import SystemPackage
import TargetBackendTesting
import TargetCore
import Testing

@testable import SCSTBackend
@testable import SCSTSimulator

/// Trees, texts and transcripts that were good once, changed in a few places: nothing that SCST, its daemon or anyone
/// writes may end the program.
@Suite struct FuzzTests {
  /// A machine with something of everything.
  private static func machine() async throws -> SCSTMachine {
    let machine = SCSTMachine()
    machine.host.addFile("/srv/disk0", size: 1 << 20)
    machine.host.addFile("/srv/disk1", size: 1 << 20)
    machine.scst.addLocalDisk("1:0:0:0")
    let name = try TargetName("iqn.2011-12.com.example:disk1")
    func account(_ user: String) throws -> CHAPAccount {
      try CHAPAccount(user: CHAPUser(user), secret: Secret("secret-of-\(user)".utf8))
    }
    func unit(_ lun: Int) throws -> LogicalUnit {
      LogicalUnit(lun: try LUN(lun), backing: .path("/srv/disk\(lun)"))
    }
    var hidden = try unit(1)
    hidden.initiators = []
    try await machine.implementation().perform([
      .createTarget(name, id: 4), .addUnit(name, try unit(0)), .addUnit(name, hidden),
      .setAccount(name, .incoming, try account("jack"), rewrite: false),
      .setAccount(name, .outgoing, try account("disk"), rewrite: false), .allow(name, .all),
      .allow(name, try Initiator("iqn.2011-12.com.example:ini1")), .addPortal(name, try Portal("192.0.2.1")),
      .enableTarget(name),
    ])
    try machine.scst.logIn(
      "iqn.2011-12.com.example:ini1", to: "\(name)", portal: "192.0.2.1",
      account: machine.scst.accounts(of: "\(name)").first)
    for command in ["create dg1", "create dg2"] {
      try machine.host.write(Array(command.utf8), to: "/sys/kernel/scst_tgt/device_groups/mgmt")
    }
    return machine
  }

  /// Changes a few entries of a tree; a kernel's names have no slash and no NUL in them.
  private static func mutated(
    _ tree: SysfsTree, _ paths: [String], _ generator: inout SeededGenerator
  ) -> SysfsTree {
    var tree = tree
    func name(_ text: String) -> String {
      let name = Fuzz.mutated(text, &generator).unicodeScalars.filter { $0 != "/" && $0 != "\0" }
      let text = String(String.UnicodeScalarView(name))
      return text.isEmpty || text == "." || text == ".." ? "x" : text
    }
    for _ in 0..<Int.random(in: 1...4, using: &generator) {
      guard let path = paths.randomElement(using: &generator), let entry = tree[path] else { continue }
      let parts = path.split(separator: "/").map(String.init)
      let folder = parts.dropLast().joined(separator: "/")
      switch (Int.random(in: 0..<6, using: &generator), entry) {
      case (0, _): tree.remove(path)
      case (1, _):
        tree.remove(path)
        tree.put(path, .broken(mode: 0o644, .init(rawValue: Int32.random(in: 1...130, using: &generator))))
      case (2, _):
        // Under another name, with all that is in it.
        let below = tree.subtree(path)
        tree.remove(path)
        let new = (folder.isEmpty ? "" : folder + "/") + name(parts.last ?? "")
        for (old, entry) in below.sorted(by: { $0.key < $1.key }) {
          tree.put(new + old.dropFirst(path.count), entry)
        }
      case (_, .file(let mode, let content?)):
        tree.put(path, .file(mode: mode, Fuzz.mutated(content, &generator)))
      case (_, .link(let destination)):
        tree.put(path, .link(Fuzz.mutated(destination, &generator).filter { $0 != "\0" }))
      default: tree.put(path, .directory)
      }
    }
    return tree
  }

  /// What is read is whole, can be written as scst.conf, and can be planned on.
  @Test func treesNeverTrap() async throws {
    var generator = SeededGenerator.chosen
    let machine = try await Self.machine()
    let backend = try BackendDescriptor.scst.make([:])
    let format = try #require(BackendDescriptor.scst.formats["scst.conf"])
    let good = machine.scst.kernel.withLock { $0.tree }
    let paths = good.entries.keys.filter { path in
      !path.isEmpty && !path.contains("copy_manager") && !path.contains("/latency") && !path.hasSuffix("mgmt")
    }.sorted()
    var (read, refused) = (0, 0)
    for _ in 0..<SeededGenerator.rounds(120) {
      let tree = Self.mutated(good, paths, &generator)
      machine.scst.kernel.withLock { $0.tree = tree }
      do {
        let state = try await backend.read(
          machine.host, detail: ReadDetail(parameters: .all, shared: true, statistics: .all))
        read += 1
        for (name, target) in state.targets {
          #expect(name == target.name && target.units.allSatisfy { $0.key == $0.value.lun })
          _ = try? Planner(backend: backend).plan([.deleteTarget(name, force: true)], from: state)
          for lun in target.units.keys {
            _ = try? Planner(backend: backend).plan([.removeUnit(name, lun, force: true)], from: state)
          }
        }
        _ = try? format.read(format.write(state))
      } catch let failure as Failure {
        #expect(!failure.description.contains("secret-of"))
        refused += 1
      }
    }
    // A fuzzer that never gets through, or never breaks anything, tests nothing.
    #expect(read > 60 && refused > 0)
  }

  @Test func answersOfCommandsNeverTrap() throws {
    var generator = SeededGenerator.chosen
    let backend = SCSTBackend(port: 3260)
    for _ in 0..<SeededGenerator.rounds(3000) {
      let command = ManagementWrite(
        path: Text(Fuzz.mutated("/sys/kernel/scst_tgt/targets/iscsi/mgmt", &generator)),
        contents: Text(Fuzz.mutated("add_target_attribute iqn.x IncomingUser joe\n", &generator)),
        result: Text(SCSTPaths.result), proof: nil, limit: .seconds(1))
      let number = Errno(rawValue: Int32.random(in: 1...140, using: &generator))
      let failure = Failure.system(number, Fuzz.mutated("iqn.x", &generator), "is refused")
      guard case .done = backend.judge(.manage(command), .failure(failure)) else { continue }
      // Only what cannot be there twice, or is gone, is as good as done.
      #expect([.exists, .notFound].contains(failure.code))
    }
  }

  @Test func patternsAndNumbersNeverTrap() {
    var generator = SeededGenerator.chosen
    for _ in 0..<SeededGenerator.rounds(3000) {
      for text in ["192.0.2.*", "*:*", "[fe80::1]", "none"] {
        if let pattern = PortalPattern(asFound: Fuzz.mutated(text, &generator)) {
          #expect(PortalPattern(asFound: pattern.text) == pattern)
        }
      }
      _ = UInt32(asFound: Fuzz.mutated("0x1234", &generator))
      let device = Fuzz.mutated("disk1", &generator)
      _ = SCSTIdentity.own(
        of: device, .fileio, setupID: .max, version: Fuzz.mutated("3.11.0-pre", &generator))
    }
  }

  /// Anybody's transcript can be replayed.
  @Test func transcriptsEndInDifferencesOrAFailure() async throws {
    var generator = SeededGenerator.chosen
    let lines = try Fixtures.text("unrecorded.jsonl").split(separator: "\n").map(String.init)
    var (played, refused) = (0, 0)
    for _ in 0..<SeededGenerator.rounds(40) {
      let start = Int.random(in: 0..<lines.count - 8, using: &generator)
      var some = Array(lines[..<4] + lines[start..<start + 8])
      let index = Int.random(in: 0..<some.count, using: &generator)
      some[index] = Fuzz.mutated(some[index], &generator)
      do {
        _ = try await SCSTReplay.differences(in: some.joined(separator: "\n"))
        played += 1
      } catch is Failure { refused += 1 }
    }
    #expect(played > 0 && refused > 0)
  }
}
