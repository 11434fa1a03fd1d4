import FoundationEssentials
import HostInterface
import STGTSimulator
import Simulation
import SystemPackage
import Testing

/// One line of a recording in Fixtures/STGT.
private struct Entry: Decodable {
  var seq: Int
  var op: String
  var argv: [String]?
  var exit: Int32?
  var stdout: String?
  var stderr: String?
  var path: String?
  var size: UInt64?
  var access: String?
  var session: String?
  var initiator: String?
  var address: String?
  var target: String?
  var alias: String?
  var cid: UInt32?
  var result: String?
  var lun: UInt64?
  var bytes: UInt64?
  var on: Bool?
}

private let fixtures = FilePath(#filePath).removingLastComponent().appending("../../../Fixtures/STGT")
  .lexicallyNormalized()

private func lines(_ name: String) throws -> [Substring] {
  try String(contentsOfFile: fixtures.appending(name).string, encoding: .utf8).split(separator: "\n")
}

/// A text with the model's directory where the recording has its own.
private func placed(_ text: String) -> String {
  let parts = text.utf8.split(separator: UInt8(ascii: "$"), omittingEmptySubsequences: false).map {
    String($0) ?? ""
  }
  return parts.dropFirst().reduce(parts.first ?? "") {
    $0 + "/" + $1.replacing("DIR", with: "dir", maxReplacements: 1)
  }
}

/// Plays one recording into the model.
private struct Player {
  let name: String
  let tgtd = SimulatedTgtd(
    socket: "/dir/socket", isRunning: false, addresses: ["127.0.0.1", "127.0.0.2", "::1"])
  let host: SimulatedHost
  var sessions: [String: UInt16] = [:]

  init(_ name: String) {
    self.name = name
    host = SimulatedHost(services: [tgtd])
    host.addDirectory("/dir")
    host.addCharacterDevice("/dev/null", number: "1:3")
  }

  func run(_ argv: [String]) async throws -> CommandResult {
    try await host.run(argv, environment: ["TGT_IPC_SOCKET": "/dir/socket"], input: [], limit: .seconds(5))
  }

  /// Does one step; says how the answer differs from the recorded one.
  mutating func play(_ entry: Entry) async throws -> String? {
    let path = FilePath(placed(entry.path ?? ""))
    let argv = (entry.argv ?? []).map(placed)
    switch entry.op {
    case "exec":
      let result = try await run(argv)
      let output = String(decoding: result.output, as: UTF8.self)
      let wanted = placed(entry.stdout ?? "")
      if result.status != entry.exit {
        return "exit \(result.status), not \(entry.exit ?? -1): \(result.errors)"
      }
      if output != wanted { return "output:\n\(output)not:\n\(wanted)" }
      return result.errors == entry.stderr ? nil : "errors: \(result.errors)not: \(entry.stderr ?? "")"
    case "start": return try await run(argv).status == 0 ? nil : "tgtd does not start"
    case "kill": tgtd.die(on: host)
    case "died": return tgtd.isRunning ? "tgtd still runs" : nil
    case "file":
      host.addFile(path, size: entry.size ?? 0)
      if entry.access == "readOnly" { host.setAccess(.readOnly, to: path) }
    case "directory": host.addDirectory(path)
    case "device": host.addBlockDevice(path, size: entry.size ?? 0)
    case "remove": host.remove(path)
    case "login": return logIn(entry)
    case "logout": tgtd.logOut(session: sessions[entry.session ?? ""] ?? 0)
    case "read": transfer(entry, read: entry.bytes ?? 0)
    case "write": transfer(entry, written: entry.bytes ?? 0)
    case "prevent":
      transfer(entry)
      tgtd.setRemovalPrevented(entry.on == true, target: 1, lun: entry.lun ?? 0)
    default: return "unknown step \(entry.op)"
    }
    return nil
  }

  private func transfer(_ entry: Entry, read: UInt64 = 0, written: UInt64 = 0) {
    let session = sessions[entry.session ?? ""] ?? 0
    tgtd.transfer(session: session, lun: entry.lun ?? 0, read: read, written: written)
  }

  private mutating func logIn(_ entry: Entry) -> String? {
    let result: String
    do throws(LoginRefusal) {
      sessions[entry.session ?? ""] = try tgtd.logIn(
        initiator: entry.initiator ?? "", address: entry.address ?? "", target: entry.target ?? "",
        alias: entry.alias, connection: entry.cid ?? 0)
      result = "0000"
    } catch {
      switch error {
      case .connectionClosed: result = "closed"
      case .targetNotFound: result = "0203"
      case .targetError: result = "0300"
      case .redirected: result = "0101"
      }
    }
    return result == entry.result ? nil : "login \(result), not \(entry.result ?? "")"
  }
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
    var player = Player(name)
    for line in try lines(name + ".jsonl") {
      let entry = try JSONDecoder().decode(Entry.self, from: Data(line.utf8))
      let difference = try await player.play(entry)
      if simpler.contains(entry.seq) {
        #expect(difference != nil, "\(name) \(entry.seq) is no longer simpler")
      } else if let difference {
        Issue.record("\(name) \(entry.seq) \((entry.argv ?? []).joined(separator: " ")): \(difference)")
      }
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
