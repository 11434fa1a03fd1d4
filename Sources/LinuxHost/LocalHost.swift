import HostInterface
import SystemPackage

/// This machine: its files, programs, daemons, modules, devices and locks.
///
/// It holds no open file between two calls, and it may be used from any number of tasks at once.
public struct LocalHost: Host {
  /// Where locks are; the default is chosen by ``LockDirectory`` at the first lock.
  let lockDirectory: FilePath?
  /// Where the running kernel's modules are, instead of `/lib/modules/RELEASE`.
  let moduleDirectory: FilePath?

  /// This machine.
  ///
  /// - Parameter lockDirectory: Where the files of locks are. By default `$QUARTET_LOCK_DIR`; else `/run/quartet`
  ///   for root, `$XDG_RUNTIME_DIR/quartet` for others, and `/tmp/quartet-UID` where that is not set.
  public init(lockDirectory: FilePath? = nil) {
    self.init(lockDirectory: lockDirectory, moduleDirectory: nil)
  }

  init(lockDirectory: FilePath?, moduleDirectory: FilePath?) {
    self.lockDirectory = lockDirectory
    self.moduleDirectory = moduleDirectory
  }
}
