import HostInterface
import HostRecording
import Simulation
import SystemPackage

/// Plays a recording of the real kernel into the model, and says where the model answers otherwise.
public struct LIOReplay {
  let lio = SimulatedLIO(isReady: false)
  let host: SimulatedHost
  private var sessions: [String: Int] = [:]

  init() {
    host = SimulatedHost(services: [lio])
    host.addDirectory("/srv/lio")
  }

  /// The steps of a recording that the model answers otherwise.
  ///
  /// - Parameters:
  ///   - text: The recording, a JSON object a line.
  ///   - passedOver: The operations, and the ends of paths, that are not played at all.
  /// - Throws: ``HostInterface/Failure`` with code `garbled` for a line that is no step.
  public static func differences(in text: String, passingOver passedOver: Set<String> = []) async throws
    -> [ReplayDifference]
  {
    var replay = LIOReplay()
    var list: [ReplayDifference] = []
    for entry in try recordedSteps(in: text, as: RecordedEntry.self) {
      let path = entry.path ?? ""
      if passedOver.contains(where: { $0 == entry.op || ($0.hasPrefix("/") && path.hasSuffix($0)) }) {
        continue
      }
      let problem: String?
      do { problem = try await replay.play(entry) } catch { problem = "it cannot be done: \(error)" }
      if let problem {
        let words = [entry.op, entry.path, entry.data?.debugDescription] + (entry.argv ?? [])
        list.append(
          ReplayDifference(
            step: entry.seq, description: "\(words.compactMap { $0 }.joined(separator: " ")): \(problem)"))
      }
    }
    return list
  }

  /// Does one step; how the answer differs from the recorded one, or nil.
  private mutating func play(_ entry: RecordedEntry) async throws -> String? {
    let path = FilePath(entry.path ?? "")
    switch entry.op {
    case "mkdir": return compare(entry) { try host.createDirectory(path) }
    case "rmdir": return compare(entry) { try host.removeDirectory(path) }
    case "unlink": return compare(entry) { try host.removeFile(path) }
    case "symlink": return compare(entry) { try host.createLink(path, to: FilePath(entry.target ?? "")) }
    case "write": return compare(entry) { try host.write(Array((entry.data ?? "").utf8), to: path) }
    case "modprobe": return compare(entry) { try host.loadModule(entry.argv?.first ?? "") }
    case "read": return compare(entry, with: { .text(try host.text(path)) })
    case "readlink": return compare(entry, with: { .text(try host.readLink(path).string) })
    case "list": return compare(entry, with: { .names(try names(path)) })
    case "exec":
      let result = try await host.run(entry.argv ?? [], environment: [:], input: [], limit: .seconds(5))
      return result.status == entry.exit ? nil : "exit \(result.status), not \(entry.exit ?? -1)"
    default: return try playOther(entry, path)
    }
  }

  /// The names in a directory, as the recorder shows them.
  private func names(_ path: FilePath) throws -> [String] {
    try host.list(path).map { name in
      let whole = path.appending(name)
      if let destination = try? host.readLink(whole) { return "\(name)@ -> \(destination)" }
      return try host.status(whole)?.kind == .directory ? name + "/" : name
    }
  }

  private func compare(_ entry: RecordedEntry, _ body: () throws -> Void) -> String? {
    do {
      try body()
      return entry.errno.map { "it is done, and should fail with \($0)" }
    } catch {
      return compare(error, entry)
    }
  }

  private func compare(_ entry: RecordedEntry, with body: () throws -> RecordedEntry.Outcome) -> String? {
    do {
      let outcome = try body()
      guard let wanted = entry.result else { return "\(outcome), and should fail with \(entry.errno ?? "?")" }
      return outcome == wanted ? nil : "\(outcome)\nnot \(wanted)"
    } catch {
      return compare(error, entry)
    }
  }

  private func compare(_ error: any Error, _ entry: RecordedEntry) -> String? {
    guard let number = (error as? Failure)?.errno else {
      return entry.errno == nil ? "\(error)" : nil
    }
    return number == entry.number ? nil : "\(number), not \(entry.errno ?? "done")"
  }

  // MARK: What is no call of the code under test

  private mutating func playOther(_ entry: RecordedEntry, _ path: FilePath) throws -> String? {
    switch entry.op {
    case "file":
      if try host.status(path) == nil { host.addFile(path, size: entry.size ?? 0) }
      host.resize(path, to: entry.size ?? 0)
    case "directory": host.addDirectory(path)
    case "remove": host.remove(path)
    case "device":
      let minor = path.lastComponent?.string.last { $0.isNumber }.map(String.init) ?? "0"
      host.addBlockDevice(path, size: entry.size ?? 0, number: "1:\(minor)")
      if let address = entry.scsi {
        host.addDirectory(FilePath("/sys/class/scsi_device/\(address)"))
        host.addDirectory(FilePath("/sys/class/scsi_host/host\(address.prefix { $0 != ":" })"))
      }
    case "mounted":
      // A device of another number, since what holds one never lets go in a simulated machine.
      host.addBlockDevice(path, size: 16 << 20, number: "1:102")
      host.addHolder("mounted at /mnt", of: path)
    case "unmounted": host.addBlockDevice(path, size: 16 << 20, number: "1:2")
    default: return playSession(entry)
    }
    return nil
  }

  private mutating func playSession(_ entry: RecordedEntry) -> String? {
    let session = sessions[entry.session ?? ""] ?? 0
    let lun = entry.lun ?? 0
    switch entry.op {
    case "login": return logIn(entry)
    case "logout", "cut":
      lio.logOut(session)
      sessions[entry.session ?? ""] = nil
    case "open":
      let isOpen = lio.isOpen(session)
      return entry.result == .truth(isOpen) ? nil : "open: \(isOpen)"
    case "blocks":
      let may = lio.mayWrite(session, lun: lun)
      let isDone = entry.direction == "write" ? may == true : may != nil
      return isDone == (entry.status == 0) ? nil : "\(entry.direction ?? ""): \(isDone)"
    case "capacity":
      let size = lio.capacity(session, lun: lun)
      return (size ?? 0) == entry.size ? nil : "\(size ?? 0) bytes, not \(entry.size ?? 0)"
    case "register":
      let isDone = lio.register(
        session, lun: lun, key: UInt64(entry.key ?? "", radix: 16) ?? 0, isKept: entry.aptpl == true, on: host
      )
      return isDone == (entry.status == 0) ? nil : "registered: \(isDone)"
    case "reserve":
      let isDone = lio.reserve(session, lun: lun, type: entry.type ?? 0)
      return isDone == (entry.status == 0) ? nil : "reserved: \(isDone)"
    default: return "unknown step \(entry.op)"
    }
    return nil
  }

  private mutating func logIn(_ entry: RecordedEntry) -> String? {
    let result: String
    do throws(LoginRefusal) {
      // The recorder counts the sessions that it holds.
      sessions[entry.session ?? ""] = try lio.logIn(
        entry.initiator ?? "", to: entry.target ?? "", user: entry.user, secret: entry.secret,
        address: entry.address ?? "127.0.0.1", port: entry.port ?? 3260, isid: sessions.count + 1)
      result = "0000"
    } catch {
      result = error.rawValue
      if error != .refused { sessions[entry.session ?? ""] = 0 }
    }
    return entry.result == .text(result) ? nil : "login \(result), not \(entry.result.map { "\($0)" } ?? "?")"
  }
}
