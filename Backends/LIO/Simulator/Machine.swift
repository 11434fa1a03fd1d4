import HostInterface
import Simulation
import SystemPackage

/// What the kernel sees of the machine around it.
struct Machine {
  let host: SimulatedHost

  /// What is at a path, as an open(2) would find it.
  func status(_ path: String) -> Result<FileStatus, Errno> {
    guard !path.hasPrefix(SimulatedLIO.mountPoint.string) else { return .failure(.notDirectory) }
    do {
      guard let status = try host.status(FilePath(path)) else { return .failure(.noSuchFileOrDirectory) }
      return .success(status)
    } catch {
      return .failure((error as? Failure)?.errno ?? .ioError)
    }
  }

  /// Makes an empty file, as open(2) with O_CREAT does.
  func makeFile(_ path: String) throws(Errno) {
    guard case .success(let folder) = status(FilePath(path).removingLastComponent().string) else {
      throw .noSuchFileOrDirectory
    }
    guard folder.kind == .directory else { throw .notDirectory }
    host.addFile(FilePath(path))
  }

  /// Whether something holds a device for itself.
  func isHeld(_ path: String) -> Bool { ((try? host.holders(of: FilePath(path))) ?? []).isEmpty == false }

  /// Loads a module, as the kernel does by itself when it needs one.
  func load(_ module: String) -> Bool { (try? host.loadModule(module)) != nil }
}
