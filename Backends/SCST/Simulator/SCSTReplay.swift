import HostInterface
import Simulation
import Synchronization
import SystemPackage

/// Plays a recording of SCST's sysfs into the model, step by step, and compares every answer.
///
/// What depends on time (whether a command answers EAGAIN, how often its result was still open) is taken from the
/// recording; the steps outside of sysfs are understood as far as the recordings of this project have them.
public struct SCSTReplay {
  let scst: SimulatedSCST
  let host: SimulatedHost
  var baseline: [String: RecordedEntry] = [:]
  /// Where iscsiadm logs in with which name.
  var initiator = ""
  /// How it proves itself there.
  var account = (name: "", secret: "")
  /// Where devices are mounted.
  var mounts: [String: String] = [:]

  /// A machine as the recordings begin on: modules loaded, the daemon running, nothing configured.
  public init() {
    scst = SimulatedSCST(modules: ["scst", "scst_vdisk", "iscsi-scst"])
    host = SimulatedHost(services: [scst])
    // Debian's kernel makes its RAM disks of this size where the recordings were made.
    for number in 0..<16 { host.addBlockDevice(FilePath("/dev/ram\(number)"), size: 32 << 20) }
    host.addCharacterDevice("/dev/null", number: "1:3")
    for (path, entry) in scst.kernel.withLock({ $0.takeRecordedChanges() }) { baseline[path] = entry }
  }

  /// The steps of a recording that the model answers otherwise.
  ///
  /// - Parameters:
  ///   - text: The recording, a JSON object a line.
  ///   - snapshot: Finds the text of a snapshot that the recording names; nil leaves it out.
  /// - Throws: ``Failure`` with code `garbled` for a line that is no step.
  public static func differences(
    in text: String, snapshot: (String) throws -> String? = { _ in nil }
  ) async throws -> [ReplayDifference] {
    var replay = SCSTReplay()
    var list: [ReplayDifference] = []
    for step in try RecordedStep.steps(in: text) {
      let problem: String?
      if step.op == "snapshot" {
        problem = try step.file.flatMap(snapshot).flatMap { try replay.compare(snapshot: $0) }
      } else {
        do { problem = try await replay.play(step) } catch { problem = "it cannot be done: \(error)" }
      }
      if let problem {
        let words = [step.op, step.path, step.data?.debugDescription, step.command].compactMap { $0 }
        list.append(
          ReplayDifference(step: step.seq, description: "\(words.joined(separator: " ")): \(problem)"))
      }
    }
    return list
  }

  /// Does one step; says how the answer differs from the recorded one.
  private mutating func play(_ step: RecordedStep) async throws -> String? {
    switch step.op {
    case "write": return write(step)
    case "read": return read(step)
    case "list": return list(step)
    case "mkdir": return difference(step) { try host.createDirectory(path(step)) }
    case "rmdir": return difference(step) { try host.removeDirectory(path(step)) }
    case "unlink": return difference(step) { try host.removeFile(path(step)) }
    case "shell": return try await shell(step)
    default: return nil
    }
  }

  private func path(_ step: RecordedStep) -> FilePath { FilePath(step.path ?? "") }

  /// Compares the error number of a call.
  private func difference(_ step: RecordedStep, _ body: () throws -> Void) -> String? {
    var got: String?
    do {
      try body()
    } catch let failure as Failure {
      got = failure.errno.map(errorName) ?? "\(failure)"
    } catch {
      got = "\(error)"
    }
    let wanted = step.errno.map { $0.hasPrefix("open:") ? String($0.dropFirst(5)) : $0 }
    return got == wanted ? nil : "\(got ?? "success"), not \(wanted ?? "success")"
  }

  // MARK: Steps

  private mutating func write(_ step: RecordedStep) -> String? {
    if step.note?.contains("[final state of that write]") == true {
      return scst.kernel.withLock { $0.blocked.isEmpty } ? nil : "it still waits"
    }
    prepareAnswer(step)
    var taken: Kernel.Outcome?
    let problem = difference(step) {
      do throws(Errno) {
        taken = try scst.outcome(of: Array((step.data ?? "").utf8), to: path(step), on: host)
      } catch {
        throw Failure.system(error, "", "")
      }
      if taken == .waits { throw Failure(.stillRunning, "", "") }
    }
    if step.errno == "(still blocked)" { return taken == .waits ? nil : "it does not wait" }
    if let problem { return problem }
    if case .taken(let count) = taken, count != step.ret, step.polls == nil {
      return "\(count) bytes are taken, not \(step.ret ?? -1)"
    }
    return compareResult(step) ?? compareTree(step)
  }

  /// Lets the model put a command off as the real kernel did.
  private func prepareAnswer(_ step: RecordedStep) {
    guard step.errno == "EAGAIN" else { return scst.answerLater(polls: nil) }
    scst.answerLater(
      polls: step.polls.map { $0.count { $0.answer == "EAGAIN" } } ?? (step.lastResult == "EAGAIN" ? 1 : 0))
  }

  private func compareResult(_ step: RecordedStep) -> String? {
    for wanted in step.polls?.map(\.answer) ?? step.lastResult.map({ [$0] }) ?? [] {
      let got = text(of: "last_sysfs_mgmt_res").map { $0.trimmed } ?? "EAGAIN"
      if got != wanted { return "the result is \(got), not \(wanted)" }
    }
    return nil
  }

  private func text(of name: String) -> String? {
    try? host.text(SimulatedSCST.root.appending(name))
  }

  private func read(_ step: RecordedStep) -> String? {
    scst.refuseReads(step.errno == "EAGAIN" && step.path?.hasSuffix("last_sysfs_mgmt_res") == false ? 1 : 0)
    var got = ""
    if let problem = difference(step, { got = try host.text(path(step)) }) { return problem }
    guard step.errno == nil, case .text(let wanted)? = step.result else { return nil }
    let name = SimulatedSCST.name(of: path(step))
    if SysfsTree.isVolatile(name), name != "last_sysfs_mgmt_res" { return nil }
    if name.hasSuffix("/sid") || name.hasSuffix("/thread_index") { return nil }
    return got == wanted ? nil : "it reads \(got.debugDescription), not \(wanted.debugDescription)"
  }

  private func list(_ step: RecordedStep) -> String? {
    var got: [String] = []
    let directory = path(step)
    if let problem = difference(step, { got = try host.list(directory) }) { return problem }
    guard case .names(let wanted)? = step.result else { return nil }
    let shown = got.map { name in
      let entry = scst.kernel.withLock { $0.entry(SimulatedSCST.name(of: directory.appending(name))) }
      return switch entry {
      case .directory: name + "/"
      case .link(let destination): "\(name)@ -> \(destination)"
      default: name
      }
    }
    let base = SimulatedSCST.name(of: directory) + "/"
    func relevant(_ names: [String]) -> Set<String> {
      Set(names.filter { !SysfsTree.isLocalDisk(base + $0.trimmed) })
    }
    return describe(relevant(wanted), relevant(shown))
  }

  private func describe(_ wanted: Set<String>, _ got: Set<String>) -> String? {
    guard wanted != got else { return nil }
    return "missing \(wanted.subtracting(got).sorted()), too many \(got.subtracting(wanted).sorted())"
  }

  // MARK: The tree

  /// What changed in the tree since the last call.
  private mutating func takeChanges() -> (
    created: [String: RecordedEntry], changed: [String: RecordedEntry], removed: Set<String>
  ) {
    var (created, changed, removed) = ([String: RecordedEntry](), [String: RecordedEntry](), Set<String>())
    for (path, now) in scst.kernel.withLock({ $0.takeRecordedChanges() }) {
      let old = baseline[path]
      baseline[path] = now
      switch (old, now) {
      case (nil, let now?): created[path] = now
      case (_?, nil): removed.insert(path)
      case (let old?, let now?) where old != now: changed[path] = now
      default: break
      }
    }
    return (created, changed, removed)
  }

  /// Compares what changed in the tree since the last comparison.
  mutating func compareTree(_ step: RecordedStep) -> String? {
    // Where commands ran side by side, the tree was not looked at after each.
    guard step.tree != nil || (step.started == nil && step.polls == nil) else { return nil }
    let (created, changed, removed) = takeChanges()
    let wanted = step.tree ?? RecordedStep.Change()
    if let problem = compare(wanted.changed, changed, "changed") { return problem }
    if let count = wanted.createdCount {
      let disks = (wanted.createdRoots ?? []).filter(SysfsTree.isLocalDisk)
      if let problem = compare(Set(created.keys), count, wanted.createdRoots ?? [], disks.count, "created") {
        return problem
      }
    } else if let problem = compare(wanted.created, created, "created") {
      return problem
    }
    if let count = wanted.removedCount {
      let disks = (wanted.removedRoots ?? []).filter(SysfsTree.isLocalDisk)
      return compare(removed, count, wanted.removedRoots ?? [], disks.count, "removed")
    }
    let gone = Set((wanted.removed ?? []).filter { !SysfsTree.isVolatile($0) })
    return describe(gone, removed).map { "removed: \($0)" }
  }

  private func compare(_ wanted: [String: RecordedEntry]?, _ got: [String: RecordedEntry], _ what: String)
    -> String?
  {
    var list: [String: RecordedEntry] = [:]
    for (path, entry) in wanted ?? [:] where !SysfsTree.isVolatile(path) {
      list[path] = entry.normalized(path)
    }
    // What may differ does not count as changed.
    func isOpen(_ entry: RecordedEntry) -> Bool { what == "changed" && entry.content == "*" }
    list = list.filter { !isOpen($0.value) }
    let got = got.filter { !isOpen($0.value) }
    if let problem = describe(Set(list.keys), Set(got.keys)) { return "\(what): \(problem)" }
    for (path, entry) in list.sorted(by: { $0.key < $1.key }) where got[path] != entry {
      return "\(what): \(path) is \(got[path] as Any), not \(entry)"
    }
    return nil
  }

  private func compare(_ paths: Set<String>, _ count: Int, _ roots: [String], _ disks: Int, _ what: String)
    -> String?
  {
    let roots = roots.filter { !SysfsTree.isLocalDisk($0) }
    let tops = paths.filter { path in
      !paths.contains { $0 != path && $0.hasSuffix("/") && path.hasPrefix($0) }
    }
    if let problem = describe(Set(roots), tops) { return "\(what): \(problem)" }
    // A local disk has ten entries.
    let wanted = count - disks * 10
    return paths.count == wanted ? nil : "\(what): \(paths.count) entries, not \(wanted)"
  }
}
