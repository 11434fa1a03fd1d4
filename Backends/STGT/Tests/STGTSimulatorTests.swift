import FoundationEssentials
import HostInterface
import STGTSimulator
import Simulation
import SystemPackage
import Testing

private let fixtures = FilePath(#filePath).removingLastComponent().appending("../../../Fixtures/STGT")
  .lexicallyNormalized()

private func lines(_ name: String) throws -> [Substring] {
  try String(contentsOfFile: fixtures.appending(name).string, encoding: .utf8).split(separator: "\n")
}

@Suite struct STGTSimulatorTests {
  static let recordings = [
    "access", "accounts", "errors", "lifecycle", "luns", "parameters", "portals", "sessions",
  ]

  /// The steps that are knowingly simpler, with their reasons.
  private static func simplerSteps(of name: String) throws -> Set<Int> {
    Set(
      try lines("simpler.txt").filter { $0.hasPrefix(name + " ") }.compactMap {
        $0.split(separator: " ").dropFirst().first.flatMap { Int($0) }
      })
  }

  @Test(arguments: recordings)
  func answersAsRecorded(_ name: String) async throws {
    let simpler = try Self.simplerSteps(of: name)
    let differences = try await STGTReplay.differences(
      in: String(contentsOfFile: fixtures.appending(name + ".jsonl").string, encoding: .utf8))
    for difference in differences where !simpler.contains(difference.step) {
      Issue.record("\(name) \(difference.step) \(difference)")
    }
    for step in simpler.subtracting(differences.map(\.step)) {
      Issue.record("\(name) \(step) is no longer simpler")
    }
  }
}

/// What no recording shows.
@Suite struct STGTSimulatorBehaviourTests {
  let tgtd = SimulatedTgtd()
  let host: SimulatedHost

  init() async throws {
    host = SimulatedHost(services: [tgtd])
    host.addFile("/srv/disk1", size: 64 << 20)
    for line in [
      "-m target -o new -t 1 -T iqn.a:disk1", "-m target -o bind -t 1 -I ALL",
      "-m lu -o new -t 1 -l 1 -b /srv/disk1", "-m lu -o new -t 1 -l 2 -b /srv/disk1",
    ] {
      try #require(try await tgtadm(line).status == 0)
    }
  }

  private func tgtadm(_ line: String) async throws -> CommandResult {
    try await host.run(
      ["tgtadm"] + line.split(separator: " ").map(String.init), environment: [:], input: [],
      limit: .seconds(30))
  }

  private func errors(_ line: String) async throws -> String { try await tgtadm(line).errors }

  private func show() async throws -> String {
    String(decoding: try await tgtadm("-m target -o show").output, as: UTF8.self)
  }

  @Test func aBusyUnitStopsItsRemovalAndThatOfItsTarget() async throws {
    tgtd.setCommandsUnderWay(1, target: 1, lun: 1)
    #expect(try await errors("-m lu -o delete -t 1 -l 1") == "tgtadm: this logical unit is still active\n")
    #expect(
      try await errors("-m target -o delete --force -t 1") == "tgtadm: this logical unit is still active\n")
    #expect(try await !show().contains("LUN: 2"))
    tgtd.setCommandsUnderWay(0, target: 1, lun: 1)
    #expect(try await tgtadm("-m target -o delete --force -t 1").status == 0)
    #expect(try await show().isEmpty)
  }

  @Test func anInitiatorComesBackUntilItIsLetInNoMore() async throws {
    let session = try tgtd.logIn(initiator: "iqn.i", address: "10.0.0.1", target: "iqn.a:disk1", again: true)
    #expect(session == 1)
    #expect(try await tgtadm("-m conn -o delete -t 1 --sid 1 --cid 0").status == 0)
    #expect(try await show().contains("I_T nexus: 2"))
    #expect(try await tgtadm("-m target -o update -t 1 --name state --value offline").status == 0)
    #expect(try await tgtadm("-m conn -o delete -t 1 --sid 2 --cid 0").status == 0)
    #expect(try await !show().contains("I_T nexus:"))
  }

  @Test func deathHangsAndNoise() async throws {
    tgtd.disturb(by: .silence)
    #expect(await code { _ = try await tgtadm("-m target -o show") } == .timedOut)
    tgtd.disturb(by: .bytes([0xff, 0xff, 0xff, 0xff, 8, 0, 0, 0]))
    #expect(try await errors("-m target -o show") == "tgtadm: (unknown tgtadm_errno)\n")
    tgtd.disturb(by: .bytes([0, 0, 0, 0, 99, 0, 0, 0]))
    #expect(await code { _ = try await tgtadm("-m target -o show") } == .timedOut)
    tgtd.disturb(by: nil)
    #expect(try await show().contains("iqn.a:disk1"))
    tgtd.die(on: host)
    let request = [UInt8](repeating: 0, count: 120)
    #expect(
      await code {
        _ = try await host.exchange(request, with: tgtd.socketPath, lengthOffset: 4, limit: .seconds(1))
      } == .unavailable)
    _ = try await host.run(["tgtd"], environment: [:], input: [], limit: .seconds(1))
    #expect(try await show().isEmpty)
    let portals = try await tgtadm("-m portal -o show").output
    #expect(String(decoding: portals, as: UTF8.self) == "Portal: [::]:3260,1\nPortal: 0.0.0.0:3260,1\n")
  }

  @Test func malformedRequestsAreClosedOrWaitedFor() async throws {
    var request = [UInt8](repeating: 0, count: 120)
    func reply() throws -> SimulatedReply { try host.converse(with: tgtd.socketPath, request) }
    request[72] = 119
    #expect(try reply() == .bytes([]))
    request[72] = 121
    #expect(try reply() == .silence)
    request.replaceSubrange(72..<76, with: [0x79, 0x20, 0, 0])
    #expect(try reply() == .bytes([]))
    request.removeLast()
    #expect(try reply() == .silence)
    #expect(try await show().contains("iqn.a:disk1"))
  }

  @Test func twoDaemonsHaveTheirOwnSockets() async throws {
    let second = SimulatedTgtd(controlPort: 5, isRunning: false)
    let host = SimulatedHost(services: [SimulatedTgtd(), second])
    func run(_ argv: String...) async throws -> CommandResult {
      try await host.run(argv, environment: [:], input: [], limit: .seconds(1))
    }
    #expect(try await run("tgtadm", "-C", "5", "-m", "target", "-o", "show").status == 107)
    _ = try await run("tgtd", "-C", "5", "--iscsi", "portal=127.0.0.1:3261")
    #expect(second.isRunning)
    #expect(
      try await run("tgtadm", "-C", "5", "-m", "target", "-o", "new", "-t", "1", "-T", "iqn.a:1").status == 0)
    #expect(try await run("tgtadm", "-m", "target", "-o", "show").output.isEmpty)
    #expect(try await !run("tgtadm", "-C", "5", "-m", "target", "-o", "show").output.isEmpty)
  }

  @Test func readsAreNoChanges() {
    func request(_ operation: UInt8) -> HostCall {
      var bytes = [UInt8](repeating: 0, count: 120)
      bytes[4] = operation
      bytes[72] = 120
      return .exchange(tgtd.socketPath, bytes)
    }
    #expect(SimulatedTgtd.isChange(request(0)))
    #expect(!SimulatedTgtd.isChange(request(2)))
    #expect(!SimulatedTgtd.isChange(request(6)))
    #expect(SimulatedTgtd.isChange(.run(["tgtadm", "-m", "target", "-o", "delete", "-t", "1"])))
    #expect(!SimulatedTgtd.isChange(.run(["/usr/sbin/tgtadm", "-m", "target", "-o", "show"])))
    #expect(SimulatedTgtd.isChange(.run(["tgtd"])))
  }

  private func code(_ body: () async throws -> Void) async -> Failure.Code? {
    do {
      try await body()
      return nil
    } catch {
      return (error as? Failure)?.code
    }
  }
}
