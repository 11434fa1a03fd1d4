import HostInterface
import Simulation
import SystemPackage

/// The target's part of configfs, as a file system of a machine.
final class MountedConfigfs: KernelFileSystem {
  private let lio: SimulatedLIO
  // The machine owns its mounts.
  private weak let machine: SimulatedHost?

  init(_ lio: SimulatedLIO, on host: SimulatedHost) {
    self.lio = lio
    machine = host
  }

  private var isCoreLoaded: Bool { (try? machine?.isModuleLoaded("target_core_mod")) == true }

  /// The names of a path below `target`; nil where it is not below.
  private func names(_ path: FilePath) -> [String]? {
    // By the text: walking over a path's components is slow, and every call comes by here.
    let prefix = "/sys/kernel/config/target"
    let text = path.string
    guard text.utf8.starts(with: prefix.utf8), isCoreLoaded else { return nil }
    let rest = text.utf8.dropFirst(prefix.utf8.count)
    guard rest.isEmpty || rest.first == UInt8(ascii: "/") else { return nil }
    return rest.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
  }

  /// Looks at the tree.
  private func look<Value: Sendable>(
    _ path: FilePath, _ body: (Kernel, [String], Machine) throws(Errno) -> Value
  ) throws(Errno) -> Value {
    guard let names = names(path), let machine else { throw .noSuchFileOrDirectory }
    return try lio.state.withLock { state throws(Errno) in
      try body(state.kernel, names, Machine(host: machine))
    }
  }

  /// Changes the tree, unless the call is to fail.
  private func change(
    _ path: FilePath, _ body: (inout Kernel, [String], Machine) throws(Errno) -> Void
  ) throws(Errno) {
    // The root of configfs has nothing but what modules put there.
    guard let names = names(path), let machine else { throw .notPermitted }
    try lio.state.withLock { state throws(Errno) in
      if state.isReadOnly { throw .readOnlyFileSystem }
      if let errno = state.fault(at: path.string) { throw errno }
      try body(&state.kernel, names, Machine(host: machine))
    }
  }

  func kind(of path: FilePath) -> FileStatus.Kind? {
    if path == SimulatedLIO.mountPoint { return .directory }
    let place = try? look(path) { kernel, names, _ throws(Errno) in try kernel.find(names) }
    switch place {
    case .item: return .directory
    case .attribute: return .file
    case .link: return .link
    case nil: return nil
    }
  }

  func read(_ path: FilePath, on host: SimulatedHost) throws(Errno) -> [UInt8] {
    let text = try look(path) { kernel, names, machine throws(Errno) in try kernel.read(names, machine) }
    return Array(text.utf8)
  }

  func read(_ files: [String], in folder: FilePath, on host: SimulatedHost) -> [Result<[UInt8], Errno>] {
    guard let names = names(folder), let machine else {
      return files.map { _ in .failure(.noSuchFileOrDirectory) }
    }
    return lio.state.withLock { state in
      files.map { file in
        let path = names + file.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
        return Result { () throws(Errno) in Array(try state.kernel.read(path, Machine(host: machine)).utf8) }
      }
    }
  }

  func write(_ bytes: [UInt8], to path: FilePath, on host: SimulatedHost) throws(Errno) {
    if names(path) == nil { throw .noSuchFileOrDirectory }
    let text = String(decoding: bytes, as: UTF8.self)
    try change(path) { kernel, names, machine throws(Errno) in try kernel.write(text, to: names, machine) }
  }

  func list(_ path: FilePath) throws(Errno) -> [String] {
    if path == SimulatedLIO.mountPoint { return isCoreLoaded ? ["target"] : [] }
    return try look(path) { kernel, names, _ throws(Errno) in try kernel.list(names) }
  }

  func createDirectory(_ path: FilePath, on host: SimulatedHost) throws(Errno) {
    try change(path) { kernel, names, machine throws(Errno) in
      try kernel.createDirectory(names, machine)
    }
  }

  func removeDirectory(_ path: FilePath, on host: SimulatedHost) throws(Errno) {
    try change(path) { kernel, names, _ throws(Errno) in try kernel.removeDirectory(names) }
  }

  func createLink(_ path: FilePath, to destination: FilePath, on host: SimulatedHost) throws(Errno) {
    let isInside = destination.string.hasPrefix(SimulatedLIO.mountPoint.string + "/")
    let target = isInside ? names(destination) : nil
    if !isInside, (try? host.status(destination)) == nil { throw .noSuchFileOrDirectory }
    try change(path) { kernel, names, _ throws(Errno) in try kernel.createLink(names, to: target) }
  }

  func readLink(_ path: FilePath) throws(Errno) -> FilePath {
    FilePath(try look(path) { kernel, names, _ throws(Errno) in try kernel.readLink(names) })
  }

  func removeFile(_ path: FilePath, on host: SimulatedHost) throws(Errno) {
    try change(path) { kernel, names, _ throws(Errno) in try kernel.removeFile(names) }
  }
}
