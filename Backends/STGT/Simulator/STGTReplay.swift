import FoundationEssentials
import HostInterface
import HostRecording
import Simulation
import SystemPackage

/// A text with the model's directory where the recording has its own.
private func placed(_ text: String) -> String {
  let parts = text.utf8.split(separator: UInt8(ascii: "$"), omittingEmptySubsequences: false).map {
    String($0) ?? ""
  }
  return parts.dropFirst().reduce(parts.first ?? "") {
    $0 + "/" + $1.replacing("DIR", with: "dir", maxReplacements: 1)
  }
}

/// Plays a recording of a real tgtd into the model, and says where the model answers otherwise.
public struct STGTReplay {
  let tgtd = SimulatedTgtd(
    socket: "/dir/socket", isRunning: false, addresses: ["127.0.0.1", "127.0.0.2", "::1"])
  let host: SimulatedHost
  private var sessions: [String: UInt16] = [:]

  init() {
    host = SimulatedHost(services: [tgtd])
    host.addDirectory("/dir")
    host.addCharacterDevice("/dev/null", number: "1:3")
  }

  /// The steps of a recording that the model answers otherwise.
  ///
  /// - Parameter text: The recording, a JSON object a line.
  /// - Throws: ``HostInterface/Failure`` with code `garbled` for a line that is no step.
  public static func differences(in text: String) async throws -> [ReplayDifference] {
    var replay = STGTReplay()
    var list: [ReplayDifference] = []
    for entry in try recordedSteps(in: text, as: RecordedEntry.self) {
      let problem: String?
      do { problem = try await replay.play(entry) } catch { problem = "it cannot be done: \(error)" }
      if let problem {
        let words = [entry.op, entry.path].compactMap { $0 } + (entry.argv ?? [])
        list.append(
          ReplayDifference(step: entry.seq, description: "\(words.joined(separator: " ")): \(problem)"))
      }
    }
    return list
  }

  private func run(_ argv: [String]) async throws -> CommandResult {
    try await host.run(argv, environment: ["TGT_IPC_SOCKET": "/dir/socket"], input: [], limit: .seconds(5))
  }

  /// Does one step; says how the answer differs from the recorded one.
  private mutating func play(_ entry: RecordedEntry) async throws -> String? {
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

  private func transfer(_ entry: RecordedEntry, read: UInt64 = 0, written: UInt64 = 0) {
    let session = sessions[entry.session ?? ""] ?? 0
    tgtd.transfer(session: session, lun: entry.lun ?? 0, read: read, written: written)
  }

  private mutating func logIn(_ entry: RecordedEntry) -> String? {
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
