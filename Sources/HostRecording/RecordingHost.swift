import HostInterface
import Synchronization
import SystemPackage

/// A host that passes everything on to another and writes a transcript of it.
///
/// Requests that run side by side stand in the order in which they ended. Locks and sleeps are not recorded.
public final class RecordingHost: Host {
  private struct Recording: Sendable {
    var transcript = Transcript()
    var section: String?
  }

  private let host: any Host
  private let disguise: Disguise
  private let recording = Mutex(Recording())

  /// Records a host.
  ///
  /// - Parameters:
  ///   - host: The host that does the work.
  ///   - secrets: Bytes that stand as stars in the transcript, such as CHAP secrets.
  ///   - names: Placeholders such as `$SOCKET`, by the path that each stands for.
  public init(_ host: any Host, masking secrets: [[UInt8]] = [], naming names: [String: String] = [:]) {
    self.host = host
    disguise = Disguise(secrets: secrets, names: names)
  }

  /// What was recorded so far.
  public var transcript: Transcript { recording.withLock { $0.transcript } }

  /// Puts what follows under a heading.
  public func begin(section: String) { recording.withLock { $0.section = section } }

  /// Records a remark.
  public func note(_ text: String) {
    var entry = TranscriptEntry("note")
    entry.text = disguise.hide(text)
    append(entry)
  }

  private func append(_ entry: TranscriptEntry) {
    recording.withLock { recording in
      var entry = entry
      entry.seq = recording.transcript.entries.count + 1
      entry.section = recording.section
      recording.transcript.entries.append(entry)
    }
  }

  private func entry(_ op: String, _ path: FilePath) -> TranscriptEntry {
    TranscriptEntry(op, path: disguise.hide(path.string))
  }

  /// Does a request and records it with what it answered.
  private func record<Value>(
    _ entry: TranscriptEntry, _ request: () throws -> Value,
    _ answer: (inout TranscriptEntry, Value) -> Void = { _, _ in }
  ) throws -> Value {
    try finish(entry, Result(catching: request), answer)
  }

  private func finish<Value>(
    _ entry: TranscriptEntry, _ result: Result<Value, any Error>,
    _ answer: (inout TranscriptEntry, Value) -> Void
  ) throws -> Value {
    var entry = entry
    switch result {
    case .success(let value): answer(&entry, value)
    case .failure(let failure as Failure): entry.note(failure, disguise)
    case .failure(let error):
      entry.note(Failure(.interrupted, entry.path ?? entry.op, "interrupted", answer: "\(error)"), disguise)
    }
    append(entry)
    return try result.get()
  }
}

extension RecordingHost {
  /// Passes on and records the reading of a file.
  public func read(_ path: FilePath) throws -> [UInt8] {
    try record(entry("read", path), { try host.read(path) }) { entry, bytes in
      entry.result = .text(entry.encoded([disguise.hide(bytes)])[0])
    }
  }

  /// Passes on and records a write.
  public func write(_ bytes: [UInt8], to path: FilePath) throws {
    var entry = entry("write", path)
    entry.data = entry.encoded([disguise.hide(bytes)])[0]
    try record(entry, { try host.write(bytes, to: path) })
  }

  /// Passes on and records a write that may block.
  public func write(_ bytes: [UInt8], to path: FilePath, limit: Duration) async throws {
    var entry = entry("write", path)
    entry.data = entry.encoded([disguise.hide(bytes)])[0]
    let result: Result<Void, any Error>
    do {
      result = .success(try await host.write(bytes, to: path, limit: limit))
    } catch {
      result = .failure(error)
    }
    try finish(entry, result) { _, _ in }
  }

  /// Passes on and records the replacement of a file.
  public func replace(_ path: FilePath, with bytes: [UInt8], mode: UInt16) throws {
    var entry = entry("replace", path)
    entry.data = entry.encoded([disguise.hide(bytes)])[0]
    entry.mode = String(mode, radix: 8)
    try record(entry, { try host.replace(path, with: bytes, mode: mode) })
  }

  /// Passes on and records what is at a path.
  public func status(_ path: FilePath) throws -> FileStatus? {
    try record(entry("status", path), { try host.status(path) }) { entry, status in
      entry.status = status.map {
        TranscriptEntry.Status(kind: $0.kind.rawValue, size: $0.size, identity: $0.identity)
      }
    }
  }

  /// Passes on and records the names in a directory.
  public func list(_ path: FilePath) throws -> [String] {
    try record(entry("list", path), { try host.list(path) }) { $0.result = .names($1.map(disguise.hide)) }
  }

  /// Passes on and records the making of a directory.
  public func createDirectory(_ path: FilePath) throws {
    try record(entry("mkdir", path), { try host.createDirectory(path) })
  }

  /// Passes on and records the removal of a directory.
  public func removeDirectory(_ path: FilePath) throws {
    try record(entry("rmdir", path), { try host.removeDirectory(path) })
  }

  /// Passes on and records the making of a link.
  public func createLink(_ path: FilePath, to destination: FilePath) throws {
    var entry = entry("symlink", path)
    entry.target = disguise.hide(destination.string)
    try record(entry, { try host.createLink(path, to: destination) })
  }

  /// Passes on and records the reading of a link.
  public func readLink(_ path: FilePath) throws -> FilePath {
    try record(entry("readlink", path), { try host.readLink(path) }) {
      $0.result = .text(disguise.hide($1.string))
    }
  }

  /// Passes on and records the removal of a file.
  public func removeFile(_ path: FilePath) throws {
    try record(entry("unlink", path), { try host.removeFile(path) })
  }

  /// Passes on and records a command.
  public func run(_ argv: [String], environment: [String: String], input: [UInt8], limit: Duration)
    async throws
    -> CommandResult
  {
    var entry = TranscriptEntry("exec")
    entry.argv = argv.map(disguise.hide)
    entry.environment = environment.isEmpty ? nil : environment.mapValues(disguise.hide)
    let result: Result<CommandResult, any Error>
    do {
      result = .success(try await host.run(argv, environment: environment, input: input, limit: limit))
    } catch {
      result = .failure(error)
    }
    let output = (try? result.get().output) ?? []
    let texts = entry.encoded([output, input].map(disguise.hide))
    (entry.stdout, entry.stdin) = (texts[0], input.isEmpty ? nil : texts[1])
    return try finish(entry, result) { entry, value in
      entry.exit = value.status
      entry.stderr = disguise.hide(value.errors)
    }
  }

  /// Passes on and records the search for a program.
  public func executable(_ name: String) -> FilePath? {
    var entry = TranscriptEntry("which")
    entry.argv = [name]
    let path = host.executable(name)
    entry.result = path.map { .text(disguise.hide($0.string)) }
    append(entry)
    return path
  }

  /// Passes on and records an exchange with a daemon.
  public func exchange(_ bytes: [UInt8], with path: FilePath, lengthOffset: Int, limit: Duration) async throws
    -> [UInt8]
  {
    var entry = entry("exchange", path)
    entry.request = hexadecimal(disguise.hideMessage(bytes))
    let result: Result<[UInt8], any Error>
    do {
      result = .success(try await host.exchange(bytes, with: path, lengthOffset: lengthOffset, limit: limit))
    } catch {
      result = .failure(error)
    }
    return try finish(entry, result) { $0.reply = hexadecimal(disguise.hideMessage($1)) }
  }

  /// Passes on and records the loading of a module.
  public func loadModule(_ name: String) throws {
    var entry = TranscriptEntry("modprobe")
    entry.argv = [name]
    try record(entry, { try host.loadModule(name) })
  }

  /// Passes on and records whether a module is loaded.
  public func isModuleLoaded(_ name: String) throws -> Bool {
    var entry = TranscriptEntry("lsmod")
    entry.argv = [name]
    return try record(entry, { try host.isModuleLoaded(name) }) { $0.exists = $1 }
  }

  /// Passes on and records a wait.
  public func waitForPath(_ path: FilePath, exists: Bool, limit: Duration) async throws {
    var entry = entry("wait", path)
    entry.exists = exists
    let result: Result<Void, any Error>
    do {
      result = .success(try await host.waitForPath(path, exists: exists, limit: limit))
    } catch {
      result = .failure(error)
    }
    try finish(entry, result) { _, _ in }
  }

  /// Passes on and records who holds a file or device.
  public func holders(of path: FilePath) throws -> [Holder] {
    try record(entry("holders", path), { try host.holders(of: path) }) {
      $0.result = .names($1.map { disguise.hide($0.description) })
    }
  }

  /// Takes the lock, unrecorded.
  public func lock(_ name: String, limit: Duration) async throws -> any HostLock {
    try await host.lock(name, limit: limit)
  }

  /// Sleeps, unrecorded.
  public func sleep(_ duration: Duration) async throws { try await host.sleep(duration) }
}
