import FoundationEssentials
import HostInterface
import HostRecording

/// A line of a recording of SCST's sysfs; `Fixtures/SCST/README.md` says what the fields are.
struct RecordedStep: Decodable, Sendable {
  var seq: Int
  var section: String?
  var op: String
  var path: String?
  var data: String?
  var errno: String?
  var ret: Int?
  /// When it began, where several ran side by side.
  var started: Double?
  var result: Content?
  var command: String?
  var note: String?
  var file: String?
  var lastResult: String?
  var polls: [Poll]?
  var tree: Change?

  private enum CodingKeys: String, CodingKey {
    case seq, section, op, path, data, errno, ret, result, command, note, file, tree
    case started
    case lastResult = "last_sysfs_mgmt_res"
    case polls = "polls_of_last_sysfs_mgmt_res"
  }

  /// What a file or a directory held.
  enum Content: Decodable, Sendable, Hashable {
    case text(String)
    case names([String])

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let text = try? container.decode(String.self) {
        self = .text(text)
      } else {
        self = .names(try container.decode([String].self))
      }
    }
  }

  /// One reading of the result: when, and what it gave.
  struct Poll: Decodable, Sendable {
    var answer: String

    init(from decoder: any Decoder) throws {
      var container = try decoder.unkeyedContainer()
      _ = try container.decode(Double.self)
      answer = try container.decode(String.self)
    }
  }

  /// What changed in the tree.
  struct Change: Decodable, Sendable {
    var created: [String: RecordedEntry]?
    var changed: [String: RecordedEntry]?
    var removed: [String]?
    var createdCount: Int?
    var createdRoots: [String]?
    var removedCount: Int?
    var removedRoots: [String]?

    private enum CodingKeys: String, CodingKey {
      case created, changed, removed
      case createdCount = "created_count"
      case createdRoots = "created_roots"
      case removedCount = "removed_count"
      case removedRoots = "removed_roots"
    }
  }

  static func steps(in text: String) throws -> [RecordedStep] {
    try recordedSteps(in: text) { step in
      // No path of a machine has a NUL in it.
      guard ![step.path, step.command].contains(where: { $0?.utf8.contains(0) == true }) else {
        throw Failure(.garbled, "path", "has a NUL")
      }
    }
  }
}

/// An entry of the tree as a recording has it.
struct RecordedEntry: Decodable, Sendable, Hashable {
  var dir: Bool?
  var link: String?
  var mode: String?
  var content: String?
  var errno: String?

  /// The entry as it stands in the tree.
  var asEntry: SysfsTree.Entry {
    let mode = self.mode.flatMap { UInt16($0, radix: 8) } ?? 0o644
    if dir == true { return .directory }
    if let link { return .link(link) }
    return errno.map { .broken(mode: mode, errorNumber(of: $0)) } ?? .file(mode: mode, content)
  }

  /// What a file has that changes by itself is left out.
  func normalized(_ path: String) -> RecordedEntry {
    var entry = self
    if path.hasSuffix("/sid") || path.hasSuffix("/thread_index") { entry.content = "*" }
    return entry
  }
}

/// A whole tree of a recording.
struct RecordedTree: Decodable, Sendable {
  var root: String
  var entries: [String: RecordedEntry]

  static func read(_ text: String) throws -> RecordedTree {
    do {
      return try JSONDecoder().decode(RecordedTree.self, from: Data(text.utf8))
    } catch {
      throw Failure(.garbled, "snapshot", "is no recorded tree", answer: "\(error)")
    }
  }
}

extension Kernel {
  /// What changed in the tree since the last call, as a recording shows it; nil for what is gone.
  ///
  /// Directories end in a slash. What stands in a directory that cannot be listed is gone, too.
  mutating func takeRecordedChanges() -> [String: RecordedEntry?] {
    var touched = tree.takeTouched()
    for name in comparedUnlistable.symmetricDifference(unlistable) {
      touched.formUnion(tree.subtree(String(name.prefix { $0 != "\n" })).keys)
    }
    comparedUnlistable = unlistable
    let hidden = unlistable.map { String($0.prefix { $0 != "\n" }) + "/" }
    var list: [String: RecordedEntry?] = [:]
    for path in touched where !path.isEmpty && isVisible(path) {
      let isShown = !hidden.contains(where: path.hasPrefix)
      let entry = isShown ? tree[path] : nil
      for shown in [path, path + "/"] where !SysfsTree.isVolatile(shown) {
        list[shown] = .some(nil)
        if let entry, (entry == .directory) == shown.hasSuffix("/") {
          list[shown] = RecordedEntry(entry).normalized(path)
        }
      }
    }
    return list
  }

  /// The whole tree, as a recording shows it.
  var recorded: [String: RecordedEntry] {
    var list: [String: RecordedEntry] = [:]
    for (path, entry) in tree.entries where !path.isEmpty && isVisible(path) {
      let shown = entry == .directory ? path + "/" : path
      if !SysfsTree.isVolatile(shown) { list[shown] = RecordedEntry(entry).normalized(path) }
    }
    return list
  }
}

extension RecordedEntry {
  init(_ entry: SysfsTree.Entry) {
    switch entry {
    case .directory: dir = true
    case .link(let destination): link = destination
    case .file(let mode, let content):
      self.mode = String(mode, radix: 8)
      self.content = content
    case .broken(let mode, let number):
      self.mode = String(mode, radix: 8)
      errno = errorName(number)
    }
  }
}

extension SysfsTree {
  /// The directories above an entry, with a slash at their ends.
  static func parents(of path: String) -> [String] {
    var parents: [String] = []
    var end = path.dropLast().lastIndex(of: "/")
    while let slash = end {
      parents.append(String(path[...slash]))
      end = path[..<slash].lastIndex(of: "/")
    }
    return parents
  }

  /// Whether an entry changes by itself, or is there because the initiator of the recording is on the same machine.
  static func isVolatile(_ path: String) -> Bool {
    let name = path.split(separator: "/").last ?? ""
    if path.hasPrefix("sgv/") || path.contains("/latency/") || isLocalDisk(path) { return true }
    return ["trace_cmds", "trace_mcmds", "last_sysfs_mgmt_res", "thread_pid", "active_commands", "commands"]
      .contains(name) || name.hasSuffix("_cmd_count") || name.hasSuffix("_io_count_kb")
  }

  /// Whether an entry is of a local SCSI disk, `devices/H:C:I:L`.
  static func isLocalDisk(_ path: String) -> Bool {
    let parts = path.split(separator: "/")
    guard parts.count > 1, parts[0] == "devices" else { return false }
    let numbers = parts[1].split(separator: ":")
    return numbers.count == 4 && numbers.allSatisfy { $0.allSatisfy(\.isNumber) }
  }
}
