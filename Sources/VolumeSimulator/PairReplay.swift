import HostInterface
import HostRecording
import Simulation
import SystemPackage

/// Plays a recording of two real nodes into a pair, step by step, and compares what each step changed.
///
/// The recorded tools were watched while they copied, so that amounts differ: numbers of KiB that are out of sync,
/// percentages, counters and generations are not compared, nor are the messages of a tool that succeeds. Commands that
/// the model does not have, since nobody asks them, are passed over.
public struct PairReplay {
  private struct Step: Decodable {
    var seq: Int
    var node: String?
    var op: String
    var argv: [String]?
    var path: String?
    var exit: Int32?
    var stdout, stderr, result, content, note: String?
  }

  private let pair: SimulatedPair

  /// The steps that the model answers otherwise than the real nodes did.
  ///
  /// - Parameters:
  ///   - text: The recording, a JSON object a line.
  ///   - pair: The two machines before it.
  ///   - actions: What was done to the machines before a step, by the step's number: it is not in the recording.
  /// - Throws: ``HostInterface/Failure`` with code `garbled` for a line that is no step.
  public static func differences(
    in text: String, on pair: SimulatedPair, actions: [Int: @Sendable (SimulatedPair) async -> Void] = [:]
  ) async throws -> [ReplayDifference] {
    let replay = PairReplay(pair: pair)
    var list: [ReplayDifference] = []
    for step in try recordedSteps(in: text, as: Step.self) {
      await actions[step.seq]?(pair)
      if let problem = await replay.play(step) {
        list.append(ReplayDifference(step: step.seq, description: problem))
      }
    }
    return list
  }

  private static let unknown: Set<String> = [
    "dump", "--version", "sh-dev", "sh-ll-dev", "sh-minor", "dump-md", "get-gi", "show-gi", "show",
    "sh-status",
    "version", "vgcfgbackup", "lvmconfig",
  ]

  private func play(_ step: Step) async -> String? {
    guard let node = step.node, pair.names.contains(node) else { return nil }
    let host = pair.host(node)
    switch step.op {
    case "file":
      // LVM's filter was written to the file that the recorded lvm.conf is.
      for name in pair.names {
        pair.host(name).addFile(FilePath(step.path ?? "/x"), text: step.content ?? "")
      }
      return nil
    case "read" where step.path == "/proc/drbd":
      settle(step.result ?? "", host)
      let text = (try? host.text("/proc/drbd")) ?? ""
      return differ(Self.plain(step.result ?? ""), Self.plain(text), "/proc/drbd of \(node)")
    case "read" where step.path?.hasPrefix("/sys/block/drbd") == true:
      let text = (try? host.text(FilePath(step.path ?? ""))) ?? ""
      return differ([step.result ?? ""], [text], "\(step.path ?? "") of \(node)")
    case "exec": return await execute(step, host)
    default: return nil
    }
  }

  /// Lets what runs in the background end, where the recording shows that it has ended.
  private func settle(_ recorded: String, _ host: SimulatedHost) {
    let isRunning = ["Sync", "Verify", "WFSync"].contains(where: recorded.contains)
    let text = (try? host.text("/proc/drbd")) ?? ""
    guard !isRunning, ["Sync", "Verify"].contains(where: text.contains) else { return }
    for name in Set(text.split(separator: " ").map(String.init) + ["vg1"]) { pair.finishSync(name) }
  }

  private func execute(_ step: Step, _ host: SimulatedHost) async -> String? {
    var argv = step.argv ?? []
    let words = argv.joined(separator: " ")
    let lvm = ["pv", "vg", "lv"].contains { argv.first?.hasPrefix($0) == true } && argv.first != "lvmdevices"
    if lvm { argv.insert("lvm", at: 0) }
    guard let program = argv.first, ["drbdadm", "drbdsetup", "lvm"].contains(program) else {
      return await act(step, host)
    }
    if !Self.unknown.isDisjoint(with: argv) { return nil }
    if argv.contains("-d"), !argv.contains("adjust") { return nil }
    let told = step.stdout ?? ""
    if told.contains("Connected"), argv.contains("events2") || argv.contains("cstate") { settle(told, host) }
    guard
      let answer = try? await host.run(argv, environment: [:], input: [], limit: .seconds(60))
    else { return "\(words): no answer" }
    if answer.status != step.exit {
      return "\(words): status \(answer.status), recorded \(step.exit ?? -1): \(answer.errors)"
    }
    if answer.status != 0 {
      return differ(Self.message(step.stderr ?? ""), Self.message(answer.errors), words)
    }
    let output = String(decoding: answer.output, as: UTF8.self)
    if argv.contains("events2") || argv.contains("dump-xml") || argv.contains("role")
      || argv.contains("cstate")
      || argv.contains("dstate")
    {
      return differ(Self.plain(step.stdout ?? ""), Self.plain(output), words)
    }
    if program == "lvm", argv.contains("json"), !argv.contains(where: { $0.contains("_all") }) {
      return differ(Self.rows(step.stdout ?? ""), Self.rows(output), words)
    }
    if program == "lvm", !argv.contains("-o"),
      ["lvcreate", "lvremove", "lvextend", "lvreduce", "lvrename", "vgchange", "vgcreate", "pvcreate"]
        .contains(argv[1])
    {
      return differ([step.stdout ?? ""], [output], words)
    }
    return nil
  }

  /// What dd(1) and others did to the devices.
  private func act(_ step: Step, _ host: SimulatedHost) async -> String? {
    let argv = step.argv ?? []
    guard argv.first == "dd", let target = argv.first(where: { $0.hasPrefix("of=/dev/drbd") }), step.exit == 0
    else {
      return nil
    }
    func number(_ key: String) -> UInt64 {
      argv.first { $0.hasPrefix(key) }.flatMap { UInt64($0.dropFirst(key.count).prefix { $0.isNumber }) } ?? 1
    }
    let unit: UInt64 = argv.contains { $0 == "bs=1M" } ? 1024 : 4
    let kib = unit * (argv.contains { $0.hasPrefix("count=") } ? number("count=") : 1)
    return pair.write(String(target.dropFirst(3)), on: step.node ?? "", kib: kib) == nil ? "dd: refused" : nil
  }

  private func differ(_ recorded: [String], _ answered: [String], _ words: String) -> String? {
    recorded == answered ? nil : "\(words): \(answered), recorded \(recorded)"
  }

  /// The words of a listing without what changes from one moment to the next.
  private static func plain(_ text: String) -> [String] {
    let counted = [
      "read:", "written:", "al-writes:", "bm-writes:", "received:", "sent:", "out-of-sync:", "pending:",
      "unacked:",
      "upper-pending:", "lower-pending:", "al-suspended:", "ns:", "nr:", "dw:", "dr:", "al:", "bm:", "lo:",
      "pe:", "ua:",
      "ap:", "ep:", "wo:", "oos:",
    ]
    return text.split(separator: "\n").filter { line in
      !["sync'ed:", "verified:", "finish:"].contains(where: line.contains)
    }.flatMap { $0.split(separator: " ") }.map(String.init).filter { word in
      !counted.contains(where: word.hasPrefix) && !word.hasPrefix("r--") && !word.hasPrefix("r-p")
        && !word.hasPrefix("s--")
    }
  }

  /// The line of a failure that tells what it is.
  private static func message(_ text: String) -> [String] {
    let lines = text.split(separator: "\n").map { $0.drop { $0 == " " } }
    return lines.filter { !$0.hasPrefix("Command '") && !$0.hasPrefix("WARNING:") && !$0.hasPrefix("pread(") }
      .prefix(1).map(String.init)
  }

  /// The rows of a report, without identities that chance chose and fields that the model does not have.
  private static func rows(_ text: String) -> [String] {
    let fields = [
      "vg_name", "vg_extent_size", "vg_extent_count", "vg_free_count", "vg_size", "vg_free", "pv_count",
      "lv_count",
      "pv_name", "lv_name", "lv_size", "lv_active", "lv_role", "lv_layout", "origin", "pool_lv", "segtype",
      "lv_path",
      "pvseg_start", "pvseg_size",
    ]
    return text.split(separator: "\n").filter { $0.contains("{\"") }.map { line in
      line.split(separator: "\"").map(String.init).indices.compactMap { index -> String? in
        let parts = line.split(separator: "\"", omittingEmptySubsequences: false).map(String.init)
        guard index + 2 < parts.count, fields.contains(parts[index]) else { return nil }
        return "\(parts[index])=\(parts[index + 2])"
      }.joined(separator: " ")
    }
  }
}
