import HostInterface
import Simulation
import SystemPackage

/// /proc/net/iet: two lists, and nothing that can be written.
struct ProcDirectory: KernelFileSystem {
  static let path: FilePath = "/proc/net/iet"
  static let volume: FilePath = "/proc/net/iet/volume"
  static let session: FilePath = "/proc/net/iet/session"

  let iet: SimulatedIET

  func kind(of path: FilePath) -> FileStatus.Kind? {
    guard iet.isLoaded else { return nil }
    switch path {
    case Self.path: return .directory
    case Self.volume, Self.session: return .file
    default: return nil
    }
  }

  /// What a list holds; one that hangs for others holds nothing here, since this call cannot wait.
  func read(_ path: FilePath, on host: SimulatedHost) throws(Errno) -> [UInt8] {
    guard let kind = kind(of: path) else { throw .noSuchFileOrDirectory }
    guard kind == .file else { throw .isDirectory }
    return iet.machine.withLock { machine in
      let records =
        path == Self.volume ? machine.kernel.volumeRecords(machine.version) : machine.kernel.sessionRecords
      return Array(records.joined().utf8)
    }
  }

  func write(_ bytes: [UInt8], to path: FilePath, on host: SimulatedHost) throws(Errno) {
    throw .permissionDenied
  }

  func list(_ path: FilePath) throws(Errno) -> [String] {
    guard kind(of: path) == .directory else { throw .notDirectory }
    return ["session", "volume"]
  }

  func createDirectory(_ path: FilePath, on host: SimulatedHost) throws(Errno) { throw .permissionDenied }
  func removeDirectory(_ path: FilePath, on host: SimulatedHost) throws(Errno) { throw .permissionDenied }
  func createLink(_ path: FilePath, to destination: FilePath, on host: SimulatedHost) throws(Errno) {
    throw .permissionDenied
  }
  func readLink(_ path: FilePath) throws(Errno) -> FilePath { throw .invalidArgument }
  func removeFile(_ path: FilePath, on host: SimulatedHost) throws(Errno) { throw .permissionDenied }
}
