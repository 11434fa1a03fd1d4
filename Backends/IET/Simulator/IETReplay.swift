import HostInterface
import HostRecording
import Simulation
import SystemPackage

/// Plays a recording of IET into the model, step by step, and compares every answer.
///
/// Session identifiers differ from run to run: where a recording and the model show sessions at the same place, the
/// recorded identifier stands for the model's from then on.
public struct IETReplay {
  let iet: SimulatedIET
  let host: SimulatedHost
  /// The model's session identifiers by the recorded ones.
  private var sessions: [String: String] = [:]

  /// A machine as the recordings begin on: the module loaded, ietd running, nothing exported.
  public init(_ version: IETVersion = .release19) {
    iet = SimulatedIET(version, addresses: ["127.0.0.1", "10.9.9.1", "::1"])
    host = SimulatedHost(services: [iet])
    for number in 0..<4 { host.addBlockDevice(FilePath("/dev/ram\(number)"), size: 32 << 20) }
    for name in ["slow", "slow2"] { host.addBlockDevice(FilePath("/dev/mapper/\(name)"), size: 32 << 20) }
    for name in ["disk0", "disk1", "odd", "empty", "with blank/d"] {
      host.addFile(
        FilePath("/srv/iet/\(name).img"), size: name == "empty" ? 0 : name == "odd" ? 1_000_001 : 64 << 20)
    }
    host.addDirectory("/srv/iet/dir")
    host.addCharacterDevice("/dev/null", number: "1:3")
  }

  /// The steps of a recording that the model answers otherwise.
  ///
  /// - Parameters:
  ///   - text: The recording, a JSON object a line.
  ///   - version: Which IET answers.
  ///   - unrecorded: What was done before a step and is not in the recording, by the step's number: see ``act(_:)``.
  /// - Throws: ``HostInterface/Failure`` with code `garbled` for a line that is no step.
  public static func differences(
    in text: String, _ version: IETVersion = .release19, unrecorded: [Int: [String]] = [:]
  ) async throws -> [ReplayDifference] {
    var replay = IETReplay(version)
    var list: [ReplayDifference] = []
    for step in try recordedSteps(in: text, as: RecordedStep.self) {
      for action in unrecorded[step.seq] ?? [] {
        if let problem = try await replay.act(action) {
          list.append(ReplayDifference(step: step.seq, description: "before it, \(action): \(problem)"))
        }
      }
      if let problem = await replay.played(step) {
        list.append(ReplayDifference(step: step.seq, description: "\(step.request): \(problem)"))
      }
    }
    return list
  }

  /// Does one step; what cannot be done at all is a difference like any other.
  private mutating func played(_ step: RecordedStep) async -> String? {
    do { return try await play(step) } catch { return "it cannot be done: \(error)" }
  }

  /// Does one step; says how the answer differs from the recorded one.
  private mutating func play(_ step: RecordedStep) async throws -> String? {
    if let seconds = step.note?.split(separator: " s later").first.flatMap({ Int($0) }) {
      host.advance(by: .seconds(seconds))
    }
    let path = FilePath(step.path ?? "")
    switch step.op {
    case "exec": return try await execute(step)
    case "read": return read(path, step)
    case "write":
      try host.replace(path, with: Array((step.data ?? "").utf8), mode: 0o644)
      return nil
    case "unlink":
      try host.removeFile(path)
      return nil
    case "process":
      return iet.isRunning == step.running ? nil : "ietd \(iet.isRunning ? "runs" : "does not run")"
    default: return nil
    }
  }

  private mutating func execute(_ step: RecordedStep) async throws -> String? {
    var argv: [String] = []
    for word in step.argv ?? [] { argv.append(translated(word)) }
    let result: CommandResult
    do {
      result = try await host.run(argv, environment: [:], input: [], limit: .seconds(60))
    } catch let failure as Failure {
      return failure.problem
    }
    let status = step.exit ?? Self.signals[step.signal ?? ""].map { 128 + $0 }
    if result.status != status { return "exit \(result.status), not \(status ?? -1): \(result.errors)" }
    let output = String(decoding: result.output, as: UTF8.self)
    if output != step.stdout ?? "" {
      return "it prints \(output.debugDescription), not \((step.stdout ?? "").debugDescription)"
    }
    return result.errors == step.stderr ?? ""
      ? nil : "it says \(result.errors.debugDescription), not \((step.stderr ?? "").debugDescription)"
  }

  private static let signals: [String: Int32] = ["SIGSEGV": 11, "SIGPIPE": 13]

  private mutating func read(_ path: FilePath, _ step: RecordedStep) -> String? {
    let text: String
    do {
      text = try host.text(path)
    } catch let failure as Failure {
      let name = failure.errno == .noSuchFileOrDirectory ? "ENOENT" : "\(failure)"
      return name == step.errno ? nil : "\(name), not \(step.errno ?? "a text")"
    } catch {
      return "\(error)"
    }
    guard let wanted = step.result else { return "it can be read, which gives \(step.errno ?? "nothing")" }
    pair(Self.sessions(in: wanted), Self.sessions(in: text))
    return text == translated(wanted)
      ? nil : "it holds \(text.debugDescription), not \(wanted.debugDescription)"
  }

  // MARK: Session identifiers

  private static func sessions(in text: String) -> [String] {
    text.split(whereSeparator: \.isWhitespace).filter { $0.hasPrefix("sid:") }.map { String($0.dropFirst(4)) }
  }

  private mutating func pair(_ recorded: [String], _ shown: [String]) {
    guard recorded.count == shown.count else { return }
    for (old, new) in zip(recorded, shown) where sessions[old] == nil { sessions[old] = new }
  }

  /// A text of the recording with the model's identifiers; one that was never shown stands for the newest session.
  private mutating func translated(_ text: String) -> String {
    if text.hasPrefix("--sid="), text.utf8.count > 16, sessions[String(text.dropFirst(6))] == nil,
      let list = try? host.text(ProcDirectory.session),
      let new = Self.sessions(in: list).first(where: { !sessions.values.contains($0) })
    {
      sessions[String(text.dropFirst(6))] = new
    }
    var text = text
    for (old, new) in sessions where text.contains(old) { text = text.replacing(old, with: new) }
    return text
  }

  // MARK: What was done and not recorded

  /// Does what a recording does not have.
  ///
  /// - `run WORDS`: a command, which must succeed; a word may have `%20` for a blank.
  /// - `targets COUNT NAME`: so many targets, `NNN` in the name for the number.
  /// - `kill`: ietd is killed. `logout`: all initiators log out.
  /// - `file PATH TEXT`: a file, `%20` and `%0A` in it.
  /// - `account INTERFACE [USER SECRET]`: what open-iscsi proves itself with there.
  /// - `hold PATH`: a file system is mounted from a device. `wait SECONDS`: so much time passes.
  /// - `suspend PATH TARGET LUN`: a device hangs, and a command waits for it. `resume`: all devices answer again.
  public mutating func act(_ action: String) async throws -> String? {
    let words = action.split(separator: " ").map { word in
      String(word).replacing("%20", with: " ").replacing("%0A", with: "\n")
    }
    switch (words.first, words.count) {
    case ("run", 2...):
      let result = try await host.run(
        Array(words.dropFirst()), environment: [:], input: [], limit: .seconds(60))
      return result.status == 0 ? nil : "exit \(result.status): \(result.errors)"
    case ("targets", 3):
      for number in 1...(Int(words[1]) ?? 1) {
        let digits = String(String(1000 + number).dropFirst())
        let argv = [
          "ietadm", "--op", "new", "--tid=\(number)", "--params",
          "Name=" + words[2].replacing("NNN", with: digits),
        ]
        _ = try await host.run(argv, environment: [:], input: [], limit: .seconds(60))
      }
    case ("kill", 1): iet.die()
    case ("logout", 1): iet.logOut()
    case ("hold", 2): host.addHolder("mounted", of: FilePath(words[1]))
    case ("wait", 2): host.advance(by: .seconds(Int(words[1]) ?? 0))
    case ("file", 3): host.addFile(FilePath(words[1]), text: words[2])
    case ("account", 2): iet.setAccount(nil, of: words[1])
    case ("account", 4): iet.setAccount(InitiatorAccount(user: words[2], secret: words[3]), of: words[1])
    case ("suspend", 4): iet.suspend(words[1], target: words[2], lun: UInt32(words[3]) ?? 0)
    case ("resume", 1): iet.resume()
    default: return "this is no action"
    }
    return nil
  }
}
