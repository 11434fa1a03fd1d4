import HostInterface
import Simulation
import Synchronization
import SystemPackage

/// A model of SCST's kernel modules and of iscsi-scstd, held to recordings of SCST 3.11.0-pre.
///
/// Its tree stands at /sys/kernel/scst_tgt of the machine that it is a service of. The modules can be loaded and the
/// daemon started there; a test lets initiators log in and lets things go wrong.
public final class SimulatedSCST: SimulatedService, KernelFileSystem {
  /// Where the tree stands.
  public static let root: FilePath = "/sys/kernel/scst_tgt"
  /// The modules, as SCST's build names them.
  public static let modules = ["scst", "scst_vdisk", "scst_disk", "iscsi-scst"]

  let kernel: Mutex<Kernel>
  private let machine = Mutex<WeakHost>(WeakHost())

  private struct WeakHost { weak var host: SimulatedHost? }

  /// A model.
  ///
  /// - Parameters:
  ///   - isRunning: Whether the modules are loaded and the daemon runs.
  ///   - version: What the modules call themselves.
  ///   - modules: Which modules are loaded when it runs.
  public init(
    isRunning: Bool = true, version: String = "3.11.0-pre", modules: [String] = SimulatedSCST.modules
  ) {
    var kernel = Kernel.loaded(
      version: version, modules: isRunning ? Set(modules.map(\.withUnderscores)) : [])
    if isRunning { kernel.startDaemon() }
    self.kernel = Mutex(kernel)
  }

  // MARK: The machine

  /// The daemon.
  public var programs: [String] { ["iscsi-scstd"] }

  /// Installs the modules and shows the tree.
  public func attach(to host: SimulatedHost) {
    machine.withLock { $0.host = host }
    let loaded = kernel.withLock(\.modules)
    for module in Self.modules {
      host.install(module: module, loaded: loaded.contains(module.withUnderscores))
    }
    host.mount(self, at: Self.root)
  }

  /// Starts the daemon.
  public func run(_ invocation: SimulatedInvocation, on host: SimulatedHost) -> SimulatedOutcome? {
    guard invocation.program == "iscsi-scstd" else { return nil }
    loadModules(of: host)
    return kernel.withLock { kernel in
      guard kernel.modules.contains("iscsi_scst") else {
        let text = "cannot find iscsi-scst-ctl in /proc/devices - make sure the module is loaded\n"
        return .ended(CommandResult(status: 1, errors: text))
      }
      if !kernel.daemonRuns { kernel.startDaemon() }
      return .ended(CommandResult(status: 0))
    }
  }

  /// Tells the machine that a module is gone.
  func forgetModule(_ name: String) { machine.withLock(\.host)?.install(module: name) }

  /// Takes over which modules the machine has loaded meanwhile.
  private func loadModules(of host: SimulatedHost?) {
    // What is loaded stays loaded.
    if kernel.withLock({ $0.modules.count }) == Self.modules.count { return }
    guard let host = host ?? machine.withLock(\.host) else { return }
    let loaded = Self.modules.filter { (try? host.isModuleLoaded($0)) == true }.map(\.withUnderscores)
    kernel.withLock { $0.modules = Set(loaded) }
  }

  // MARK: The file system

  /// What stands at a path.
  public func kind(of path: FilePath) -> FileStatus.Kind? {
    loadModules(of: nil)
    return switch kernel.withLock({ $0.entry(Self.name(of: path)) }) {
    case nil: nil
    case .directory: .directory
    case .link: .link
    case .file, .broken: .file
    }
  }

  /// Reads a file.
  public func read(_ path: FilePath, on host: SimulatedHost) throws(Errno) -> [UInt8] {
    loadModules(of: host)
    let text = try kernel.withLock { kernel throws(Errno) in try kernel.read(Self.name(of: path)) }
    return Array(text.utf8)
  }

  /// Writes once; what is taken only in part, as is more than a page, answers E2BIG afterwards.
  public func write(_ bytes: [UInt8], to path: FilePath, on host: SimulatedHost) throws(Errno) {
    loadModules(of: host)
    if case .taken(let count) = try outcome(of: bytes, to: path, on: host), count < bytes.count {
      throw .init(rawValue: 7)
    }
  }

  /// Writes once, and tells how many bytes were taken, or that the write waits.
  func outcome(of bytes: [UInt8], to path: FilePath, on host: SimulatedHost) throws(Errno) -> Kernel.Outcome {
    try kernel.withLock { kernel throws(Errno) in
      kernel.look = { path in Self.backing(at: path, on: host) }
      return try kernel.write(bytes, to: Self.name(of: path))
    }
  }

  /// How long a write takes: as long as a fault says, or for ever where it waits for a frozen device.
  public func delay(ofWriting bytes: [UInt8], to path: FilePath) -> Duration {
    kernel.withLock { kernel in
      let command = Kernel.Command(path: Self.name(of: path), text: String(decoding: bytes, as: UTF8.self))
      if kernel.waits(command) { return .seconds(86400) }
      defer { kernel.faults.delay = nil }
      return kernel.faults.delay ?? .zero
    }
  }

  /// The names in a directory.
  public func list(_ path: FilePath) throws(Errno) -> [String] {
    loadModules(of: nil)
    return try kernel.withLock { kernel throws(Errno) in try kernel.list(Self.name(of: path)) }
  }

  /// What a link leads to.
  public func readLink(_ path: FilePath) throws(Errno) -> FilePath {
    try kernel.withLock { kernel throws(Errno) in
      guard let entry = kernel.entry(Self.name(of: path)) else { throw .noSuchFileOrDirectory }
      guard case .link(let destination) = entry else { throw .invalidArgument }
      return FilePath(destination)
    }
  }

  /// Nothing is made by hand here.
  public func createDirectory(_ path: FilePath, on host: SimulatedHost) throws(Errno) {
    throw kind(of: path) == nil ? .notPermitted : .fileExists
  }
  /// Nothing is removed by hand here.
  public func removeDirectory(_ path: FilePath, on host: SimulatedHost) throws(Errno) {
    switch kind(of: path) {
    case nil: throw .noSuchFileOrDirectory
    case .directory: throw .notPermitted
    default: throw .notDirectory
    }
  }
  /// Nothing is made by hand here.
  public func createLink(_ path: FilePath, to destination: FilePath, on host: SimulatedHost) throws(Errno) {
    throw kind(of: path) == nil ? .notPermitted : .fileExists
  }
  /// Nothing is removed by hand here.
  public func removeFile(_ path: FilePath, on host: SimulatedHost) throws(Errno) {
    switch kind(of: path) {
    case nil: throw .noSuchFileOrDirectory
    case .directory: throw .isDirectory
    default: throw .notPermitted
    }
  }

  static func name(of path: FilePath) -> String {
    // By text: FilePath takes its time to look at components.
    String(path.string.utf8.dropFirst("/sys/kernel/scst_tgt/".utf8.count)) ?? ""
  }

  private static func backing(at path: FilePath, on host: SimulatedHost) -> Kernel.Backing? {
    // The tree itself is no place for backings, and it is locked now.
    guard !path.lexicallyNormalized().starts(with: root), let status = (try? host.status(path)) ?? nil else {
      return nil
    }
    return Kernel.Backing(
      kind: status.kind, size: status.size, identity: status.identity,
      isReadOnly: host.access(to: path) == .readOnly, isHeld: (try? host.holders(of: path))?.isEmpty == false,
      // A RAM disk cannot, nor what is mapped onto one.
      discards: status.kind == .file
        || !["/dev/ram", "/dev/mapper/"].contains(where: path.string.hasPrefix))
  }
}

extension String {
  /// A module's name as the kernel writes it.
  fileprivate var withUnderscores: String { String(map { $0 == "-" ? "_" : $0 }) }
}
