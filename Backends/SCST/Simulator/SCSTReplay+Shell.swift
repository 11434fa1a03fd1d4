import HostInterface
import Simulation
import Synchronization
import SystemPackage

extension SCSTReplay {
  /// Does what a step outside of sysfs did to the machine; what is not understood does nothing.
  mutating func shell(_ step: RecordedStep) async throws -> String? {
    let command = step.command ?? ""
    for part in command.split(whereSeparator: { ";&|".contains($0) }) {
      var words = part.split(whereSeparator: { " ()".contains($0) }).map(String.init)
      words.removeAll { $0.hasPrefix(">") || $0.hasPrefix("2>") }
      guard let program = words.first else { continue }
      perform(program, Array(words.dropFirst()))
    }
    if command.contains("= iscsi-scstd ]") { scst.killDaemon() }
    if command.contains("SIGALRM") { return interrupt(command) }
    return step.tree == nil ? nil : compareTree(step)
  }

  private mutating func perform(_ program: String, _ words: [String]) {
    switch program {
    case "truncate" where words.count == 3: resize(words[2], to: words[1])
    case "mkdir": for word in words where word.hasPrefix("/") { host.addDirectory(FilePath(word)) }
    case "losetup" where words.count == 2:
      let size = ((try? host.status(FilePath(words[1]))) ?? nil)?.size ?? 0
      host.addBlockDevice(FilePath(words[0]), size: size)
    case "mount" where words.count == 2: host.mount(FilePath(words[0]), at: FilePath(words[1]))
    case "blockdev" where words.first == "--setro" && words.count == 2:
      host.setAccess(.readOnly, to: FilePath(words[1]))
    case "dmsetup": mapDevice(words)
    case "echo":
      if let name = words.first(where: { $0.hasPrefix("InitiatorName=") }) {
        initiator = String(name.dropFirst("InitiatorName=".count))
      }
    case "iscsiadm": runInitiator(words)
    default: if program.hasSuffix("/iscsi-scstd") { scst.startDaemon() }
    }
  }

  private func resize(_ path: String, to size: String) {
    let units: [Character: UInt64] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
    let factor = size.last.flatMap { units[$0] } ?? 1
    let bytes = (UInt64(factor == 1 ? size[...] : size.dropLast()) ?? 0) &* factor
    let path = FilePath(path)
    if (try? host.status(path)) ?? nil == nil {
      host.addFile(path, size: bytes)
    } else {
      host.resize(path, to: bytes)
    }
  }

  private func mapDevice(_ words: [String]) {
    guard words.count > 1, let name = words.last(where: { !$0.hasPrefix("-") }) else { return }
    switch words.first {
    case "create":
      // dmsetup create NAME --table "0 SECTORS linear ..."
      let sectors = words.drop { $0 != "--table" }.dropFirst(2).first.flatMap { UInt64($0) } ?? 0
      host.addBlockDevice(FilePath("/dev/mapper/\(words[1])"), size: sectors &* 512)
    case "suspend": scst.freeze(name)
    case "resume": scst.thaw()
    default: break
    }
  }

  private func runInitiator(_ words: [String]) {
    guard let target = words.drop(while: { $0 != "-T" }).dropFirst().first else { return }
    if words.contains("--login") {
      _ = try? scst.logIn(initiator, to: target, returns: true)
    } else if words.contains("--logout") {
      let sessions = scst.kernel.withLock(\.sessions).filter { $0.initiator == initiator }
      for session in sessions { scst.kernel.withLock { $0.end(session) } }
    }
  }

  /// `write "COMMAND" to PATH, SIGALRM after 2 s`: the write waits, and a signal ends it.
  private func interrupt(_ command: String) -> String? {
    let quoted = command.split(separator: "\"", maxSplits: 2, omittingEmptySubsequences: false)
    guard quoted.count == 3,
      let path = quoted[2].split(whereSeparator: { " ,".contains($0) }).dropFirst().first
    else { return "it is not understood" }
    let outcome = try? scst.outcome(of: Array(quoted[1].utf8), to: FilePath(String(path)), on: host)
    return outcome == .waits ? nil : "the write does not wait"
  }

  /// Compares the whole tree with a snapshot.
  func compare(snapshot text: String) throws -> String? {
    let recorded = try RecordedTree.read(text).entries
    let now = scst.kernel.withLock(\.recorded)
    for (path, entry) in recorded.sorted(by: { $0.key < $1.key })
    where !SysfsTree.isVolatile(path) && !path.hasPrefix("targets/copy_manager/copy_manager_tgt/sessions") {
      guard let found = now[path] else { return "\(path) is missing" }
      if found != entry.normalized(path) { return "\(path) is \(found), not \(entry)" }
    }
    return nil
  }
}
