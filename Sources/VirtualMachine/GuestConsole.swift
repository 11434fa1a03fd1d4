import Glibc
import HostInterface
import SystemPackage

/// A guest with a shell on this process's terminal.
public enum GuestConsole {
  /// Turns this process into the guest: it ends when the shell does, or with Ctrl-A X.
  ///
  /// - Parameter directory: Where the shell starts.
  /// - Throws: ``Failure`` when QEMU cannot be started; else it does not return.
  public static func enter(
    _ configuration: GuestConfiguration, on kernel: GuestKernel, directory: FilePath
  ) async throws -> Never {
    let accelerator = await Accelerator.best(kernel)
    for disk in configuration.disks { try await disk.prepare() }
    let archive = try configuration.initramfs(kernel)
    let files = try ([archive] + configuration.files).map { file in
      let copy = fcntl(file.rawValue, F_DUPFD_CLOEXEC, 256)
      guard copy >= 0 else { throw Failure.system(Errno(rawValue: errno), "qemu", "cannot pass it a file") }
      return copy
    }
    // dup2(2) makes a descriptor that exec keeps.
    for (number, copy) in zip(Emulator.Number.firstPassed..., files) { dup2(copy, Int32(number)) }
    let argv =
      ["qemu-system-x86_64"] + configuration.arguments(kernel, accelerator, ["shell": directory.string])
      + ["-serial", "mon:stdio"]
    // QEMU needs the signals that this thread may have blocked.
    var none = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, nil)
    execvp(argv[0], argv.map { strdup($0) } + [nil])
    throw Failure.system(Errno(rawValue: errno), argv[0], "cannot run it", remedy: "install qemu-system-x86")
  }
}
