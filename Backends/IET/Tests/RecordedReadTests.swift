import FoundationEssentials
import HostInterface
import IETBackend
import Simulation
import Synchronization
import SystemPackage
import TargetBackendTesting
import TargetCore
import Testing

/// What `read` makes of every listing in the recordings.
@Suite struct RecordedReadTests {
  /// A line of a recording.
  private struct Step: Decodable {
    var seq: Int
    var op: String
    var argv: [String]?
    var exit: Int32?
    var stdout: String?
    var path: String?
    var result: String?
  }

  /// A machine that shows what the recording showed last, and answers ietadm as it answered last.
  private final class Playback: Sendable {
    struct Shown {
      var lists: [String: String] = [:]
      var answers: [[String]: CommandResult] = [:]
    }
    let shown = Mutex(Shown())
    let host = SimulatedHost()

    init() {
      host.addFile("/proc/net/iet/volume")
      host.install(program: "cat") { invocation in
        let text = self.shown.withLock { shown in
          invocation.argv.dropFirst().map { shown.lists[$0] ?? "" }.joined()
        }
        return .ended(CommandResult(status: 0, output: Array(text.utf8)))
      }
      host.install(program: "ietadm") { invocation in
        // What was not asked of the real one has no answer: no accounts, and no such target.
        let other = CommandResult(status: invocation.argv.contains("--user") ? 0 : 255)
        return .ended(self.shown.withLock { $0.answers[invocation.argv] } ?? other)
      }
    }
  }

  /// The recording of access lists has no listing.
  @Test(arguments: Fixtures.recordings.filter { $0 != "access" })
  func readsWhatWasRecorded(_ name: String) async throws {
    let playback = Playback()
    let backend = try BackendDescriptor.iet.make([:])
    var text = ""
    for line in try Fixtures.text(name + ".jsonl").split(separator: "\n") {
      let step = try JSONDecoder().decode(Step.self, from: Data(line.utf8))
      guard Self.take(step, playback) else { continue }
      let detail = ReadDetail(parameters: .all, shared: true)
      text += "== \(step.seq)\n" + (try await backend.read(playback.host, detail: detail)).rendering
    }
    try expectGolden(name + ".txt", text)
  }

  /// Takes what a step shows; says whether it shows anything that is read.
  private static func take(_ step: Step, _ playback: Playback) -> Bool {
    playback.shown.withLock { shown in
      if step.op == "read", let path = step.path, let result = step.result {
        if path.hasSuffix("/volume") {
          shown.lists = [path: result]
          shown.answers = shown.answers.filter { result.contains("tid:1 ") || $0.key.contains("--user") }
        } else {
          shown.lists[path] = result
        }
        return true
      }
      guard step.op == "exec", let argv = step.argv, argv.starts(with: ["ietadm", "--op", "show"]) else {
        return false
      }
      // The recordings of settings have no listing.
      if shown.lists.isEmpty {
        shown.lists["/proc/net/iet/volume"] = "tid:1 name:iqn.2026-11.com.example:t1\n"
      }
      guard step.exit == 0 else { return false }
      shown.answers[argv] = CommandResult(status: 0, output: Array((step.stdout ?? "").utf8))
      return true
    }
  }
}
