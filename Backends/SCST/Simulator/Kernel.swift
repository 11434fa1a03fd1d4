import HostInterface
import SystemPackage

/// SCST's state: its tree in sysfs, and what the tree does not show.
struct Kernel: Sendable {
  /// Loaded modules, as the kernel writes their names.
  var modules: Set<String> = []
  var tree = SysfsTree()
  /// Whether iscsi-scstd runs.
  var daemonRuns = false
  /// What the last command that went through the queue ended with: 0 or a negative error number.
  var lastResult: Int32 = 0
  /// How many exports a device ever had; their numbers are not used again.
  var exportCounts: [String: Int] = [:]
  var nextCopyManagerUnit = 0
  var nextTargetID = 1
  var nextSession = 1
  var sessions: [Session] = []
  /// Devices whose backing is frozen, with a command under way.
  var frozen: Set<String> = []
  /// Commands that wait for a frozen device.
  var blocked: [Waiting] = []
  /// Targets whose second OutgoingUser made the daemon lose the first.
  var brokenTargets: Set<String> = []
  /// Initiators with a slash in their name, which no directory can list.
  var unlistable: Set<String> = []
  /// The same at the last comparison with a recording.
  var comparedUnlistable: Set<String> = []
  var faults = Faults()
  /// What stands at a path outside of this tree.
  var look: @Sendable (FilePath) -> Backing? = { _ in nil }

  /// A file or device that a virtual device is to be made of.
  struct Backing: Sendable {
    var kind: FileStatus.Kind
    var size: UInt64
    var identity: String
    var isReadOnly: Bool
    var isHeld: Bool
    /// Whether parts of it can be given up.
    var discards: Bool
  }

  /// A write that is being carried out.
  struct Command: Sendable {
    var path: String
    var text: String
  }

  /// A command that waits, with what it took out of the tree already.
  struct Waiting: Sendable {
    var command: Command
    var hidden: [String: SysfsTree.Entry]
  }

  /// How a write ended.
  enum Outcome: Sendable, Hashable {
    /// So many bytes were taken.
    case taken(Int)
    /// It waits inside the kernel.
    case waits
  }

  // MARK: Calls

  /// What stands at a path; the last name is not followed where it is a link.
  func entry(_ path: String) -> SysfsTree.Entry? {
    let path = tree.resolved(path, followingLast: false)
    return isVisible(path) ? tree[path] : nil
  }

  /// No name of a path is longer than a file system takes, whatever stands in the tree.
  private func checkNames(_ path: String) throws(Errno) {
    if path.utf8.count > 255, path.split(separator: "/").contains(where: { $0.utf8.count > 255 }) {
      throw .fileNameTooLong
    }
  }

  /// Whether the module that makes an entry is loaded.
  func isVisible(_ path: String) -> Bool {
    guard modules.contains("scst") else { return false }
    let parts = path.split(separator: "/")
    guard parts.count > 1 else { return true }
    switch (parts[0], parts[1]) {
    case ("targets", "iscsi"): return modules.contains("iscsi_scst")
    case ("handlers", "dev_disk"): return modules.contains("scst_disk")
    case ("handlers", "vcdrom"): return modules.contains("scst_vdisk")
    case ("handlers", let name) where name.hasPrefix("vdisk_"): return modules.contains("scst_vdisk")
    default: return true
    }
  }

  func list(_ path: String) throws(Errno) -> [String] {
    try checkNames(path)
    let path = tree.resolved(path, followingLast: true)
    guard let entry = entry(path) else { throw .noSuchFileOrDirectory }
    guard entry == .directory else { throw .notDirectory }
    if unlistable.contains(where: { $0.hasPrefix(path + "\n") }) { throw .ioError }
    return tree.names(in: path).filter { isVisible(path.isEmpty ? $0 : path + "/" + $0) }
  }

  mutating func read(_ path: String) throws(Errno) -> String {
    try checkNames(path)
    let path = tree.resolved(path, followingLast: true)
    switch entry(path) {
    case nil, .link: throw .noSuchFileOrDirectory
    case .directory: throw .isDirectory
    case .broken(_, let number): throw number
    case .file(_, nil): throw .permissionDenied
    case .file(_, let content?):
      if path == "last_sysfs_mgmt_res" { return try readResult() }
      if isQueuedRead(path), faults.refusesOneRead() { throw .resourceTemporarilyUnavailable }
      return content
    }
  }

  private mutating func readResult() throws(Errno) -> String {
    if !blocked.isEmpty || faults.isAtWork() { throw .resourceTemporarilyUnavailable }
    return "\(lastResult)\n"
  }

  private func isQueuedRead(_ path: String) -> Bool {
    path.hasSuffix("/filename") || path.hasSuffix("_cmd_count") || path.hasSuffix("_kb")
  }

  /// One open(2) and one write(2).
  mutating func write(_ bytes: [UInt8], to path: String) throws(Errno) -> Outcome {
    try checkNames(path)
    let path = tree.resolved(path, followingLast: true)
    switch entry(path) {
    case nil, .link: throw .noSuchFileOrDirectory
    case .directory: throw .isDirectory
    case .file(let mode, _), .broken(let mode, _):
      guard mode & 0o200 != 0 else { throw .permissionDenied }
    }
    // What has no bytes never reaches the file; of more than a page, sysfs hands over a page.
    guard !bytes.isEmpty else { return .taken(0) }
    let taken = bytes.prefix(4096)
    let command = Command(
      path: path, text: String(decoding: taken.prefix { $0 != 0 }, as: UTF8.self))
    if waits(command) {
      blocked.append(Waiting(command: command, hidden: begin(command)))
      return .waits
    }
    try execute(command)
    return .taken(taken.count)
  }

  /// Lets the commands that waited for frozen devices go on.
  mutating func thaw() {
    frozen = []
    let waiting = blocked
    blocked = []
    for waiting in waiting {
      for (path, entry) in waiting.hidden.sorted(by: { $0.key < $1.key }) { tree.put(path, entry) }
      try? execute(waiting.command)
    }
    for session in sessions where session.isClosing { end(session) }
  }

  /// Carries out a command that goes through the queue: its result is for all to read.
  mutating func queued(_ work: (inout Kernel) throws(Errno) -> Void) throws(Errno) {
    if let refusal = faults.takeRefusal() {
      lastResult = -refusal.rawValue
      throw refusal
    }
    do throws(Errno) {
      try work(&self)
      lastResult = 0
    } catch {
      lastResult = -error.rawValue
      if faults.putsOff() { throw .resourceTemporarilyUnavailable }
      throw error
    }
    if faults.putsOff() { throw .resourceTemporarilyUnavailable }
    if faults.interruptsOne() { throw .interrupted }
  }

  private mutating func execute(_ command: Command) throws(Errno) {
    let parts = command.path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    let text = command.text
    switch (parts[0], parts.count) {
    case ("handlers", 3) where parts[2] == "mgmt":
      try queued { kernel throws(Errno) in try kernel.manageDevices(text, handler: parts[1]) }
    case ("devices", 3): try setDeviceAttribute(parts[2], of: parts[1], to: text)
    case ("targets", 3) where parts[2] == "mgmt":
      try queued { kernel throws(Errno) in try kernel.manageTargets(text) }
    case ("handlers", 3) where parts[2] == "trace_level": try Self.checkTrace(text)
    case ("targets", 3) where parts[1] == "iscsi": try setDriverAttribute(parts[2], to: text)
    case ("targets", 3) where parts[2] == "allow_not_connected_copy":
      let value = text.withoutNewline
      guard value == "0" || value == "1" else { throw .invalidArgument }
      tree.set(command.path, DeviceTable.content(value, isKey: value == "1"))
    case ("targets", 4...): try executeOnTarget(parts, text)
    case ("device_groups", _): try executeOnDeviceGroups(parts, text)
    case (_, 1): try setRootAttribute(parts[0], to: text)
    default: throw .invalidArgument
    }
  }

  private mutating func executeOnTarget(_ parts: [String], _ text: String) throws(Errno) {
    let target = parts.prefix(3).joined(separator: "/")
    let below = parts.dropFirst(3).joined(separator: "/")
    switch (parts[3], parts.count) {
    case (_, 4): try setTargetAttribute(parts[3], of: target, to: text)
    case ("luns", 5):
      try queued { kernel throws(Errno) in try kernel.manageUnits(text, in: target + "/luns") }
    case ("ini_groups", 5):
      try queued { kernel throws(Errno) in try kernel.manageGroups(text, of: target) }
    case ("ini_groups", 7) where parts[5] == "luns":
      let group = target + "/ini_groups/" + parts[4]
      try queued { kernel throws(Errno) in try kernel.manageUnits(text, in: group + "/luns") }
    case ("ini_groups", 7) where parts[5] == "initiators":
      try queued { kernel throws(Errno) in
        try kernel.manageInitiators(text, of: target, group: parts[4])
      }
    case ("ini_groups", 6): try setGroupAttribute(parts[5], at: target + "/" + below, to: text)
    case ("sessions", 6): try writeSessionFile(parts[5], session: target + "/sessions/" + parts[4])
    default: throw .invalidArgument
    }
  }
}

/// What a test lets go wrong.
struct Faults: Sendable {
  /// How often the result is still open after each command, where every command answers EAGAIN.
  var pollsAfterEAGAIN: Int?
  var pollsLeft = 0
  /// Whether the next command is carried out and answers EINTR.
  var interruptsNext = false
  /// What the next command that goes through the queue is refused with.
  var refusal: Errno?
  /// How long the next write takes.
  var delay: Duration?
  /// How many reads of what goes through the queue answer EAGAIN.
  var readsToRefuse = 0

  mutating func isAtWork() -> Bool {
    guard pollsLeft > 0 else { return false }
    pollsLeft -= 1
    return true
  }

  mutating func putsOff() -> Bool {
    guard let polls = pollsAfterEAGAIN else { return false }
    pollsLeft = polls
    return true
  }

  mutating func interruptsOne() -> Bool {
    defer { interruptsNext = false }
    return interruptsNext
  }

  mutating func takeRefusal() -> Errno? {
    defer { refusal = nil }
    return refusal
  }

  mutating func refusesOneRead() -> Bool {
    guard readsToRefuse > 0 else { return false }
    readsToRefuse -= 1
    return true
  }
}
