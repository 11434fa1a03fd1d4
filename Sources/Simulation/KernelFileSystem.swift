import HostInterface
import SystemPackage

/// A file system that a model of the kernel serves, such as procfs, sysfs or configfs: what is written there acts.
///
/// Paths are absolute. The host calls it from any task, never while it holds its own lock.
public protocol KernelFileSystem: Sendable {
  /// What stands at a path, a link not followed; nil when nothing does.
  func kind(of path: FilePath) -> FileStatus.Kind?
  /// Opens for reading and reads to the end.
  func read(_ path: FilePath, on host: SimulatedHost) throws(Errno) -> [UInt8]
  /// Opens files below a directory for reading and reads each to its end.
  func read(_ files: [String], in folder: FilePath, on host: SimulatedHost) -> [Result<[UInt8], Errno>]
  /// Opens for writing and writes once.
  func write(_ bytes: [UInt8], to path: FilePath, on host: SimulatedHost) throws(Errno)
  /// How long a write will take inside the kernel, asked before it is done.
  func delay(ofWriting bytes: [UInt8], to path: FilePath) -> Duration
  /// The names in a directory.
  func list(_ path: FilePath) throws(Errno) -> [String]
  /// mkdir(2).
  func createDirectory(_ path: FilePath, on host: SimulatedHost) throws(Errno)
  /// rmdir(2).
  func removeDirectory(_ path: FilePath, on host: SimulatedHost) throws(Errno)
  /// symlink(2).
  func createLink(_ path: FilePath, to destination: FilePath, on host: SimulatedHost) throws(Errno)
  /// readlink(2).
  func readLink(_ path: FilePath) throws(Errno) -> FilePath
  /// unlink(2).
  func removeFile(_ path: FilePath, on host: SimulatedHost) throws(Errno)
}

extension KernelFileSystem {
  /// No time at all.
  public func delay(ofWriting bytes: [UInt8], to path: FilePath) -> Duration { .zero }

  /// One after the other.
  public func read(_ files: [String], in folder: FilePath, on host: SimulatedHost) -> [Result<[UInt8], Errno>]
  {
    files.map { file in
      Result { () throws(Errno) in try read(FilePath("\(folder)/\(file)"), on: host) }
    }
  }
}

extension SimulatedHost {
  /// Mounts a kernel's file system over a directory, which is made if it is not there.
  public func mount(_ fileSystem: any KernelFileSystem, at point: FilePath) {
    addDirectory(point)
    machine.withLock { $0.kernelFileSystems.append((point, fileSystem)) }
  }

  /// Unmounts what ``mount(_:at:)-(KernelFileSystem,_)`` mounted there.
  public func unmountKernelFileSystem(at point: FilePath) {
    machine.withLock { machine in machine.kernelFileSystems.removeAll { $0.point == point } }
  }

  /// The kernel's file system that a path is in.
  func kernelFileSystem(of path: FilePath) -> (any KernelFileSystem)? {
    machine.withLock { machine in
      guard !machine.kernelFileSystems.isEmpty else { return nil }
      // By text: FilePath takes its time to look at components.
      let text = path.string
      return machine.kernelFileSystems.last {
        text == $0.point.string || text.hasPrefix($0.point.string + "/")
      }?
      .fileSystem
    }
  }

  /// Asks a kernel's file system, with its error numbers as failures.
  func asking<Value>(_ path: FilePath, _ problem: String, _ body: () throws(Errno) -> Value) throws -> Value {
    do throws(Errno) { return try body() } catch { throw Failure.system(error, "\(path)", problem) }
  }

  /// What stands at a path of a kernel's file system, a link followed there.
  func kernelStatus(_ path: FilePath, in fileSystem: any KernelFileSystem) throws -> FileStatus? {
    var path = path
    for _ in 0..<8 {
      guard let kind = fileSystem.kind(of: path) else { return nil }
      guard kind == .link else { return FileStatus(kind: kind, size: 4096, identity: "0:\(path)") }
      let destination = try asking(path, "cannot read the link") { () throws(Errno) in
        try fileSystem.readLink(path)
      }
      path = path.removingLastComponent().pushing(destination).lexicallyNormalized()
    }
    throw Failure.system(.tooManySymbolicLinkLevels, "\(path)", "cannot look at it")
  }
}
