import SystemPackage

/// What stands at a path.
public struct FileStatus: Sendable, Hashable {
  /// The kinds of file that matter to a target.
  public enum Kind: String, Sendable {
    case file, directory, blockDevice, characterDevice, link, other
  }

  /// The kind; a symbolic link is followed.
  public var kind: Kind
  /// The size in bytes; for a block device the capacity, for others what stat(2) says.
  public var size: UInt64
  /// The number that identifies the file or device whatever name it is reached by: `major:minor` of a device,
  /// `device:inode` of a file.
  public var identity: String

  /// A status.
  public init(kind: Kind, size: UInt64, identity: String) {
    self.kind = kind
    self.size = size
    self.identity = identity
  }
}

/// Files, directories and links of the host.
///
/// No call here waits on purpose but the write with a limit; every one throws ``Failure``.
public protocol HostFiles: Sendable {
  /// Reads a whole file, of at most 64 MiB.
  func read(_ path: FilePath) throws -> [UInt8]
  /// Reads attributes of sysfs or configfs below a directory: what one read(2) of each gives, which there is all of it,
  /// at most a page; nil for what is not there or does not tell. What may not be read is thrown.
  func attributes(_ files: [String], in folder: FilePath) throws -> [[UInt8]?]
  /// Writes with one write(2) to an existing file; a short write is an error.
  func write(_ bytes: [UInt8], to path: FilePath) throws
  /// The same for a file whose write(2) may block for long: it is waited for at most `limit`, on no thread that
  /// others need, and no signal interrupts it. What the limit ends with ``Failure/Code/stillRunning`` goes on in
  /// the kernel.
  func write(_ bytes: [UInt8], to path: FilePath, limit: Duration) async throws
  /// Replaces a file by write, fsync, rename and fsync of its directory.
  func replace(_ path: FilePath, with bytes: [UInt8], mode: UInt16) throws
  /// What is there, following links; nil when nothing is.
  func status(_ path: FilePath) throws -> FileStatus?
  /// The names in a directory, sorted, without `.` and `..`.
  func list(_ path: FilePath) throws -> [String]
  /// Makes a directory.
  func createDirectory(_ path: FilePath) throws
  /// Removes an empty directory.
  func removeDirectory(_ path: FilePath) throws
  /// Makes a symbolic link at `path`.
  func createLink(_ path: FilePath, to destination: FilePath) throws
  /// What a symbolic link holds.
  func readLink(_ path: FilePath) throws -> FilePath
  /// Removes a file or link.
  func removeFile(_ path: FilePath) throws
}

/// What a command left behind.
public struct CommandResult: Sendable, Hashable {
  /// The exit status, or 128 plus the signal that ended it.
  public var status: Int32
  /// Standard output, at most 16 MiB.
  public var output: [UInt8]
  /// Standard error, at most 64 KiB.
  public var errors: String

  /// A result.
  public init(status: Int32, output: [UInt8] = [], errors: String = "") {
    self.status = status
    self.output = output
    self.errors = errors
  }
}

/// Programs of the host.
public protocol HostCommands: Sendable {
  /// Runs a command to its end; one that outlives its limit is killed and ``Failure/Code/timedOut`` is thrown.
  func run(_ argv: [String], environment: [String: String], input: [UInt8], limit: Duration) async throws
    -> CommandResult
  /// Where a program is, by `PATH` and the usual `sbin` directories; nil when it is not installed.
  func executable(_ name: String) -> FilePath?
}

/// Daemons of the host that are spoken to over a Unix socket.
public protocol HostSockets: Sendable {
  /// Connects, sends, reads the reply whose length stands in it at `lengthOffset`, and closes.
  func exchange(_ bytes: [UInt8], with path: FilePath, lengthOffset: Int, limit: Duration) async throws
    -> [UInt8]
}

/// Modules of the kernel.
public protocol HostModules: Sendable {
  /// Loads a module with its dependencies; one that is loaded or built in is success.
  func loadModule(_ name: String) throws
  /// Whether a module is loaded or built into the kernel.
  func isModuleLoaded(_ name: String) throws -> Bool
}

/// Who holds a file or block device open for itself.
public struct Holder: Sendable, Hashable, CustomStringConvertible {
  /// What the holder is: `mounted at /srv`, `swap`, `held by dm-3 (vg1-lun1)`.
  public var description: String

  /// Names a holder.
  public init(_ description: String) { self.description = description }
}

/// Block devices of the host.
public protocol HostDevices: Sendable {
  /// Waits until something is at the path, or is gone from it.
  func waitForPath(_ path: FilePath, exists: Bool, limit: Duration) async throws
  /// Who uses this file or device: file systems mounted from it, swap, device mapper, DRBD, MD.
  func holders(of path: FilePath) throws -> [Holder]
  /// Who uses each of some files and devices, in their order; the status is what ``HostFiles/status(_:)`` answered.
  func holders(ofEach files: [(path: FilePath, status: FileStatus)]) throws -> [[Holder]]
}

extension HostDevices {
  /// Asks for one after the other; a host that can tell all from one look does that instead.
  public func holders(ofEach files: [(path: FilePath, status: FileStatus)]) throws -> [[Holder]] {
    try files.map { try holders(of: $0.path) }
  }
}

/// A lock that is held until ``release()`` or until the process that holds it ends.
public protocol HostLock: Sendable {
  /// Gives the lock up; safe to call twice.
  func release()
}

/// Locks between processes, and time.
public protocol HostCoordination: Sendable {
  /// Takes the named lock, waiting at most `limit`; throws ``Failure/Code/locked`` with the holder's pid.
  func lock(_ name: String, limit: Duration) async throws -> any HostLock
  /// Sleeps; throws when the task is cancelled.
  func sleep(_ duration: Duration) async throws
}

/// A machine: this one, a recorded one, or a simulated one.
public protocol Host: HostFiles, HostCommands, HostSockets, HostModules, HostDevices, HostCoordination {}

extension HostFiles {
  /// Reads one file after the other; a host that can do with less does that instead.
  public func attributes(_ files: [String], in folder: FilePath) throws -> [[UInt8]?] {
    try files.map { file in
      do {
        return try read(FilePath("\(folder)/\(file)"))
      } catch let failure as Failure where failure.code != .permission {
        return nil
      }
    }
  }

  /// Reads a whole file as text.
  public func text(_ path: FilePath) throws -> String { String(decoding: try read(path), as: UTF8.self) }
}
