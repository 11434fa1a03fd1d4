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
    if command.contains("= iscsi-scstd ]") || command.contains("pidof iscsi-scstd") { scst.killDaemon() }
    if command.contains("SIGALRM") { return interrupt(command) }
    return step.tree == nil ? nil : compareTree(step)
  }

  private mutating func perform(_ program: String, _ words: [String]) {
    switch program {
    case "truncate" where words.count == 3: resize(words[2], to: words[1])
    case "fallocate" where words.count == 3: resize(words[2], to: words[1])
    case "touch": for word in words where status(word) == nil { host.addFile(FilePath(word), size: 0) }
    case "rm": for word in words where word.hasPrefix("/") { host.remove(FilePath(word)) }
    case "mkdir": for word in words where word.hasPrefix("/") { host.addDirectory(FilePath(word)) }
    case "losetup" where words.count == 2:
      if words[0] == "-d" {
        host.remove(FilePath(words[1]))
      } else {
        host.addBlockDevice(FilePath(words[0]), size: status(words[1])?.size ?? 0)
      }
    case "umount":
      for word in words { unmount(word) }
    case "mount" where words.count == 2:
      host.mount(FilePath(words[0]), at: FilePath(words[1]))
      mounts[words[0]] = words[1]
    case "blockdev" where ["--setro", "--setrw"].contains(words.first) && words.count == 2:
      host.setAccess(words[0] == "--setro" ? .readOnly : .full, to: FilePath(words[1]))
    case "modprobe", "insmod", "rmmod": module(program, words.last ?? "")
    case "pkill", "killall": if words.last == "iscsi-scstd" { scst.killDaemon() }
    case "dmsetup": mapDevice(words)
    case "echo":
      if let name = words.first(where: { $0.hasPrefix("InitiatorName=") }) {
        initiator = String(name.dropFirst("InitiatorName=".count))
      }
    case "iscsiadm": runInitiator(words)
    default: if program.split(separator: "/").last == "iscsi-scstd" { scst.startDaemon() }
    }
  }

  private func status(_ path: String) -> FileStatus? { (try? host.status(FilePath(path))) ?? nil }

  /// Frees a device that was mounted, which is then another one to the model.
  private mutating func unmount(_ word: String) {
    guard let device = mounts.first(where: { $0.key == word || $0.value == word })?.key else { return }
    mounts[device] = nil
    guard let size = status(device)?.size else { return }
    host.remove(FilePath(device))
    host.addBlockDevice(FilePath(device), size: size)
  }

  private func module(_ program: String, _ path: String) {
    var name = path.split(separator: "/").last.map(String.init) ?? ""
    if name.hasSuffix(".ko") { name = String(name.dropLast(3)) }
    if program == "rmmod" { scst.unload(module: name) } else { try? host.loadModule(name) }
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
    case "remove": host.remove(FilePath("/dev/mapper/\(name)"))
    default: break
    }
  }

  private mutating func runInitiator(_ words: [String]) {
    func option(_ names: String...) -> String? {
      words.drop { !names.contains($0) }.dropFirst().first
    }
    func has(_ names: String...) -> Bool { words.contains(where: names.contains) }
    let target = option("-T", "--targetname")
    if let name = option("-n", "--name"), let value = option("-v", "--value") {
      if name == "node.session.auth.username" { account.name = value }
      if name == "node.session.auth.password" { account.secret = value }
    } else if let target, has("--login", "-l") {
      _ = try? scst.logIn(
        initiator, to: target, account: account.name.isEmpty ? nil : account, returns: true)
    } else if has("--logout", "-u") {
      let sessions = scst.kernel.withLock(\.sessions).filter { session in
        session.initiator == initiator && (target.map { session.target.hasSuffix("/" + $0) } ?? true)
      }
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
