import HostInterface
import Simulation
import Synchronization
import SystemPackage

/// A model of the kernel's target and of configfs, as Linux 6.1 has them: what is written there acts.
///
/// It is held to recordings of the real kernel in `Fixtures/LIO`. Modules are loaded as a machine does it, and
/// `mount -t configfs` makes the tree appear.
public final class SimulatedLIO: SimulatedService {
  static let mountPoint = FilePath("/sys/kernel/config")
  static let kernelRelease = "6.1.0-56-amd64"

  struct State: Sendable {
    var kernel = Kernel()
    var isMounted = false
    var isReadOnly = false
    var faults: [Fault] = []
  }

  /// A call that is to fail.
  struct Fault: Sendable {
    var suffix: String
    var errno: Errno
    var left: Int
  }

  let state: Mutex<State>
  private let isReady: Bool
  private let missingModules: Set<String>

  /// A kernel with the modules of LIO.
  ///
  /// - Parameters:
  ///   - isReady: Whether configfs is mounted, the modules are loaded and `target/iscsi` is there.
  ///   - modules: Modules that are not installed.
  public init(isReady: Bool = true, without modules: Set<String> = []) {
    self.isReady = isReady
    missingModules = modules
    state = Mutex(State())
  }

  /// mount(8), as far as configfs goes.
  public var programs: [String] { ["mount"] }

  /// Installs the modules, and does what `isReady` says.
  public func attach(to host: SimulatedHost) {
    let plugins = Kind.Plugin.allCases.compactMap(\.module)
    for module in ["configfs", "target_core_mod", "iscsi_target_mod"] + plugins
    where !missingModules.contains(module) {
      host.install(module: module, loaded: isReady)
    }
    host.addDirectory(Self.mountPoint)
    host.addFile("/proc/sys/kernel/osrelease", text: Self.kernelRelease + "\n")
    host.addFile(FilePath("/lib/modules/\(Self.kernelRelease)/kernel/drivers/target/target_core_mod.ko"))
    guard isReady else { return }
    mount(on: host)
    try? host.createDirectory(Self.mountPoint.appending("target/iscsi"))
  }

  private func mount(on host: SimulatedHost) {
    state.withLock { $0.isMounted = true }
    host.mount(MountedConfigfs(self, on: host), at: Self.mountPoint)
  }

  /// Runs mount(8).
  public func run(_ invocation: SimulatedInvocation, on host: SimulatedHost) -> SimulatedOutcome? {
    guard invocation.argv.dropFirst() == ["-t", "configfs", "configfs", Self.mountPoint.string] else {
      return nil
    }
    guard !state.withLock(\.isMounted) else {
      let text =
        "mount: \(Self.mountPoint): configfs already mounted on \(Self.mountPoint).\n       "
        + "dmesg(1) may have more information after failed mount system call.\n"
      return .ended(CommandResult(status: 32, errors: text))
    }
    guard (try? host.loadModule("configfs")) != nil else {
      return .ended(CommandResult(status: 32, errors: "mount: unknown filesystem type 'configfs'.\n"))
    }
    mount(on: host)
    return .ended(CommandResult(status: 0))
  }
}
