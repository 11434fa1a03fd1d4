import HostInterface
import Synchronization
import SystemPackage

/// A host that answers from a transcript.
///
/// Actions (commands, exchanges, writes, directories, links, modules) must come in the transcript's order; one that
/// differs is a failure that tells both. What is only looked at (files, lists, status, waits) may come in any
/// order: it is answered by what stands between the last action and the next, each entry in turn, else by the
/// latest before. Locks are free, and sleeps end at once.
public final class ReplayHost: Host {
  private struct Place: Sendable {
    /// The index of the entry behind the last action.
    var next: Int
    var looked: Set<Int> = []
  }

  private let entries: [TranscriptEntry]
  private let disguise: Disguise
  private let place: Mutex<Place>

  /// Plays a transcript.
  ///
  /// - Parameters:
  ///   - transcript: What was recorded.
  ///   - first: The `seq` of the entry to begin with; those before it are what the machine was like.
  ///   - secrets: Bytes that stand as stars in the transcript.
  ///   - names: Placeholders such as `$SOCKET`, by the path that each stands for here.
  public init(
    _ transcript: Transcript, from first: Int = 0, masking secrets: [[UInt8]] = [],
    naming names: [String: String] = [:]
  ) {
    entries = transcript.entries
    disguise = Disguise(secrets: secrets, names: names)
    place = Mutex(Place(next: transcript.entries.firstIndex { $0.seq ?? .max >= first } ?? 0))
  }

  /// The actions that have not been asked for yet.
  public var remaining: [TranscriptEntry] {
    let next = place.withLock { $0.next }
    return entries[next...].filter(\.isAction)
  }

  /// Takes the next action, which must be this one; answers what it answered.
  private func act(_ asked: TranscriptEntry) throws -> TranscriptEntry {
    let recorded = try place.withLock { place in
      guard let index = entries[place.next...].firstIndex(where: \.isAction) else {
        throw Failure(.invalid, "transcript", "has ended, and then was asked: \(asked.summary)")
      }
      let recorded = entries[index]
      guard asked.isSameRequest(as: recorded) else {
        throw Failure(
          .invalid, "transcript entry \(recorded.seq ?? index + 1)",
          "asked: \(asked.summary); recorded: \(recorded.summary)")
      }
      place = Place(next: index + 1)
      return recorded
    }
    if let failure = recorded.recordedFailure(disguise) { throw failure }
    return recorded
  }

  /// What answers a look: the first entry of the kind in this place that has not answered yet, else the latest.
  private func look(_ matches: (TranscriptEntry) -> Bool) -> TranscriptEntry? {
    place.withLock { place in
      let end = entries[place.next...].firstIndex(where: \.isAction) ?? entries.endIndex
      let here = (place.next..<end).filter { matches(entries[$0]) }
      if let index = here.first(where: { !place.looked.contains($0) }) ?? here.last {
        place.looked.insert(index)
        return entries[index]
      }
      return entries[..<place.next].last(where: matches)
    }
  }

  private func look(_ op: String, _ path: FilePath, or other: String? = nil) throws -> TranscriptEntry {
    guard let entry = look({ ($0.op == op || $0.op == other) && $0.isAbout(hidden(path)) }) else {
      throw Failure(.invalid, "\(path)", "the transcript has no \(op) of it at this place or before")
    }
    if let failure = entry.recordedFailure(disguise) { throw failure }
    return entry
  }

  private func hidden(_ path: FilePath) -> String { disguise.hide(path.string) }

  private func entry(_ op: String, _ path: FilePath, data: [UInt8]? = nil) -> TranscriptEntry {
    var entry = TranscriptEntry(op, path: hidden(path))
    entry.data = data.map { entry.encoded([disguise.hide($0)])[0] }
    return entry
  }
}

extension ReplayHost {
  /// What the file held, as it was read or replaced last.
  public func read(_ path: FilePath) throws -> [UInt8] {
    let entry = try look("read", path, or: "replace")
    let text = if case .text(let text)? = entry.result { text } else { entry.data }
    guard let bytes = text.flatMap(entry.decoded) else { throw garbled(entry) }
    return disguise.reveal(bytes)
  }

  /// The next action, a write of these bytes.
  public func write(_ bytes: [UInt8], to path: FilePath) throws {
    _ = try act(entry("write", path, data: bytes))
  }

  /// The next action, a write of these bytes to this file.
  public func write(_ bytes: [UInt8], to path: FilePath, limit: Duration) async throws {
    try write(bytes, to: path)
  }

  /// The next action, a replacement of this file, or a write of the same bytes.
  public func replace(_ path: FilePath, with bytes: [UInt8], mode: UInt16) throws {
    var entry = entry("replace", path, data: bytes)
    entry.mode = String(mode, radix: 8)
    _ = try act(entry)
  }

  /// What was at the path, as it was looked at, read, listed, made or removed last.
  public func status(_ path: FilePath) throws -> FileStatus? {
    let entry = try latestStatus(path)
    if entry.op == "status", let failure = entry.recordedFailure(disguise) { throw failure }
    guard let status = entry.impliedStatus, let kind = FileStatus.Kind(rawValue: status.kind) else {
      return nil
    }
    return FileStatus(kind: kind, size: status.size, identity: status.identity)
  }

  /// The status recorded at this place, else whatever tells last what is at the path.
  private func latestStatus(_ path: FilePath) throws -> TranscriptEntry {
    let telling: Set = [
      "status", "read", "list", "readlink", "replace", "mkdir", "rmdir", "symlink", "unlink",
    ]
    let isHere = place.withLock { place in
      entries[place.next...].prefix { !$0.isAction }.contains {
        $0.op == "status" && $0.isAbout(hidden(path))
      }
    }
    if isHere, let entry = look({ $0.op == "status" && $0.isAbout(hidden(path)) }) { return entry }
    let next = place.withLock { $0.next }
    let end = entries[next...].firstIndex(where: \.isAction) ?? entries.endIndex
    guard
      let entry = entries[..<end].last(where: { telling.contains($0.op) && $0.isAbout(hidden(path)) })
    else { throw Failure(.invalid, "\(path)", "the transcript does not tell what is there") }
    return entry
  }

  /// The names that the directory had, in the order of their bytes.
  public func list(_ path: FilePath) throws -> [String] {
    let entry = try look("list", path)
    guard case .names(let names)? = entry.result else { throw garbled(entry) }
    return names.map(disguise.reveal).map { name in
      // Some recordings tell a directory by a slash, and a link by `@ -> ` and what it leads to.
      let plain = name.split(separator: "@ -> ", maxSplits: 1).first.map(String.init) ?? name
      return plain.hasSuffix("/") ? String(plain.dropLast()) : plain
    }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// The next action, the making of this directory.
  public func createDirectory(_ path: FilePath) throws { _ = try act(entry("mkdir", path)) }

  /// The next action, the removal of this directory.
  public func removeDirectory(_ path: FilePath) throws { _ = try act(entry("rmdir", path)) }

  /// The next action, the making of this link.
  public func createLink(_ path: FilePath, to destination: FilePath) throws {
    var entry = entry("symlink", path)
    entry.target = hidden(destination)
    _ = try act(entry)
  }

  /// What the link held.
  public func readLink(_ path: FilePath) throws -> FilePath {
    let entry = try look("readlink", path)
    guard case .text(let text)? = entry.result else { throw garbled(entry) }
    return FilePath(disguise.reveal(text))
  }

  /// The next action, the removal of this file.
  public func removeFile(_ path: FilePath) throws { _ = try act(entry("unlink", path)) }

  /// The next action, this command with this input; the environment counts where it was recorded.
  public func run(_ argv: [String], environment: [String: String], input: [UInt8], limit: Duration)
    async throws
    -> CommandResult
  {
    var asked = TranscriptEntry("exec")
    asked.argv = argv.map(disguise.hide)
    asked.environment = environment.mapValues(disguise.hide)
    asked.stdin = input.isEmpty ? nil : asked.encoded([disguise.hide(input)])[0]
    let entry = try act(asked)
    let ended = entry.signal.flatMap(signalNumber).map { 128 + $0 }
    guard let status = entry.exit ?? ended, let output = entry.decoded(entry.stdout ?? "") else {
      throw garbled(entry)
    }
    return CommandResult(
      status: status, output: disguise.reveal(output), errors: disguise.reveal(entry.stderr ?? ""))
  }

  /// Where the program was; in /usr/sbin where the transcript runs it without having looked for it.
  public func executable(_ name: String) -> FilePath? {
    if let entry = look({ $0.op == "which" && $0.argv == [name] }) {
      if case .text(let path)? = entry.result { return FilePath(disguise.reveal(path)) }
      return nil
    }
    // A transcript that did not look for the program may have run it.
    return entries.contains { $0.op == "exec" && $0.argv?.first == name }
      ? FilePath("/usr/sbin/\(name)") : nil
  }

  /// The next action, an exchange of these bytes.
  public func exchange(_ bytes: [UInt8], with path: FilePath, lengthOffset: Int, limit: Duration) async throws
    -> [UInt8]
  {
    var asked = entry("exchange", path)
    asked.request = hexadecimal(disguise.hideMessage(bytes))
    let entry = try act(asked)
    guard let reply = entry.reply.flatMap(HostRecording.bytes(hexadecimal:)) else { throw garbled(entry) }
    return reply
  }

  /// The next action, the loading of this module.
  public func loadModule(_ name: String) throws {
    var entry = TranscriptEntry("modprobe")
    entry.argv = [name]
    _ = try act(entry)
  }

  /// Whether the module was loaded.
  public func isModuleLoaded(_ name: String) throws -> Bool {
    guard let entry = look({ $0.op == "lsmod" && $0.argv == [name] }) else {
      throw Failure(.invalid, "kernel module \(name)", "the transcript does not tell whether it is loaded")
    }
    if let failure = entry.recordedFailure(disguise) { throw failure }
    return entry.exists ?? false
  }

  /// Nothing, or the failure of the wait that was recorded here; a wait that was not recorded ends at once.
  public func waitForPath(_ path: FilePath, exists: Bool, limit: Duration) async throws {
    let entry = look { $0.op == "wait" && $0.exists == exists && $0.isAbout(hidden(path)) }
    if let failure = entry?.recordedFailure(disguise) { throw failure }
  }

  /// Who held the file or device.
  public func holders(of path: FilePath) throws -> [Holder] {
    guard case .names(let names)? = try look("holders", path).result else { return [] }
    return names.map { Holder(disguise.reveal($0)) }
  }

  /// A lock that nobody else holds.
  public func lock(_ name: String, limit: Duration) async throws -> any HostLock { FreeLock() }

  /// Ends at once; a cancelled task ends it with ``HostInterface/Failure/Code/interrupted``.
  public func sleep(_ duration: Duration) async throws {
    if Task.isCancelled { throw Failure(.interrupted, "a wait of \(duration)", "was interrupted") }
  }

  private func garbled(_ entry: TranscriptEntry) -> Failure {
    Failure(.garbled, "transcript entry \(entry.seq ?? 0)", "has no answer to: \(entry.summary)")
  }
}

private struct FreeLock: HostLock {
  func release() {}
}
