import HostInterface
import LinuxHost

/// The machine that commands work on: this one, or in tests another.
enum Machine {
  @TaskLocal static var host: any Host = LocalHost()
  /// What takes standard output and standard error in tests; nil writes them.
  @TaskLocal static var sink: (@Sendable (_ text: String, _ descriptor: Int32) -> Void)?
}
