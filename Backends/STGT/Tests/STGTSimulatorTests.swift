import FoundationEssentials
import Glibc
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
    let path = FilePath((entry.path ?? "").replacing("$DIR", with: "/dir"))
    let argv = (entry.argv ?? []).map { $0.replacing("$DIR", with: "/dir") }
    switch entry.op {
    case "exec":
      let result = try await run(argv)
      let output = String(decoding: result.output, as: UTF8.self)
      let wanted = (entry.stdout ?? "").replacing("$DIR", with: "/dir")
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
