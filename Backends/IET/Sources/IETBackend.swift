import HostInterface
import SystemPackage
import TargetCore

extension BackendDescriptor {
  /// IET, the iSCSI Enterprise Target: the kernel module iscsi_trgt and its daemon ietd.
  public static let iet = BackendDescriptor(
    name: "iet", summary: "IET: the module iscsi_trgt, by /proc/net/iet and ietadm",
    settings: ["port": "the TCP port that ietd listens on for all targets (ietd -p), 3260 by default"],
    formats: ["ietd.conf": IETConfigurationFile.format]
  ) { settings in
    guard let text = settings["port"] else { return IETBackend(port: Portal.standardPort) }
    guard let port = UInt16(text), port > 0, text.first != "+" else {
      throw Failure(.invalid, "port \(text)", "is no port, 1 to 65535 are allowed")
    }
    return IETBackend(port: port)
  }
}

/// Drives IET 1.4.19 and 1.4.20: reads /proc/net/iet and `ietadm --op show`, and writes by ietadm.
struct IETBackend: TargetBackend {
  /// Where ietd listens.
  let port: UInt16

  var capabilities: Capabilities { .iet }
  // ietd serves one request after the other.
  var concurrency: Int { 1 }
  // ietadm answers 0 to much that it does not do.
  var answersAreProof: Bool { false }
  var lockName: String { "iet" }

  static let volumeFile = "/proc/net/iet/volume"
  static let sessionFile = "/proc/net/iet/session"

  /// A daemon that is silent counts as running: a second one would end everything that the first exports.
  func probe(_ host: any Host) async -> Probe {
    guard host.executable("ietadm") != nil else {
      return Probe(installed: false, running: false, detail: "ietadm is not installed")
    }
    let shown = try? await host.run(Command(["ietadm", "--version"], limit: .seconds(5)))
    let version = shown.map { Self.version(Substring(String(decoding: $0.output, as: UTF8.self))) }
    do {
      guard try host.status(FilePath(Self.volumeFile)) != nil else {
        return Probe(
          installed: true, running: false, version: version, detail: "the module iscsi_trgt is not loaded")
      }
      let result = try await host.run(Ietadm.showUsers(nil))
      let detail = Ietadm.failure(result, of: Ietadm.showUsers(nil))?.description ?? "ietd answers"
      return Probe(
        installed: true, running: result.status != Ietadm.noDaemon, version: version, detail: detail)
    } catch {
      return Probe(installed: true, running: true, version: version, detail: "\(error)")
    }
  }

  /// The version in `ietadm version 1.4.19`.
  static func version(_ text: Substring) -> String {
    let words = text.split(whereSeparator: \.isWhitespace)
    return words.count == 3 && words[1] == "version" ? String(words[2]) : ""
  }

  func startSteps() -> [Step] {
    let options: [Text] = port == Portal.standardPort ? [] : ["-p", "\(port)"]
    return [
      Step(.loadModule(name: "iscsi_trgt"), reason: "load IET's module"),
      Step(.run(Command(["ietd"] + options, limit: .seconds(30))), reason: "start ietd"),
      Step(.run(Ietadm.showUsers(nil)), reason: "wait until ietd answers", patience: .seconds(10)),
    ]
  }

  func steps(for change: Change, in state: LiveState) throws -> [Step] {
    try IETPlanner(port: port, state: state, reason: change.description).steps(for: change)
  }

  func judge(_ operation: Operation, _ answer: Result<Answer, Failure>) -> Verdict {
    guard case .run(let command) = operation else { return Executor.plainJudge(operation, answer) }
    switch (command.argv.first, answer) {
    case ("ietadm", .success(.command(let result))): return Ietadm.verdict(result, of: command)
    case ("grep", .success(.command(let result))): return SessionCheck.verdict(result, of: command)
    // What is wrong it tells on both outputs, and the sentence is on standard output.
    case ("ietd", .success(.command(let result))) where result.status != 0:
      let text = "\(String(decoding: result.output, as: UTF8.self).trimmed) \(result.errors.trimmed)".trimmed
      return .failed(Failure(.unavailable, "ietd", "does not start", answer: text))
    case (_, .failure(var failure)) where failure.code == .timedOut:
      failure.remedy =
        "whether IET did it is not known; see whether the device of a logical unit hangs, which holds up all of IET"
      return .failed(failure)
    default: return Executor.plainJudge(operation, answer)
    }
  }
}
