import Glibc
import HostInterface
import LinuxHost
import SystemPackage

/// A disk that can be made to fail: a file behind nbdkit's error filter (nbdkit-error-filter(1)), as a file again by
/// nbdfuse(1).
struct FailingDisk {
  private let place: PrivateTgtd
  private let name: String

  /// The disk's own file, where what was written to it can be looked at.
  var contents: FilePath { place.directory.appending("\(name).raw") }
  /// Where the disk is.
  var path: FilePath { place.directory.appending(name) }
  private var fault: FilePath { place.directory.appending("\(name).fault") }

  /// Why there can be none here; nil when there can.
  static func missing(on host: LocalHost) -> String? {
    for program in ["nbdkit", "nbdfuse"] where host.executable(program) == nil {
      return "\(program) is not installed"
    }
    if geteuid() != 0, host.executable("fusermount3") == nil { return "fusermount3 is not installed" }
    return ((try? host.status("/dev/fuse")) ?? nil) == nil ? "there is no /dev/fuse" : nil
  }

  /// Makes the disk, and waits until it is there.
  init(_ name: String, bytes: Int, in place: PrivateTgtd) async throws {
    (self.place, self.name) = (place, name)
    _ = try place.backing("\(name).raw", bytes: bytes)
    try place.host.replace(path, with: [], mode: 0o600)
    let socket = place.directory.appending("\(name).socket").string
    try await run([
      "nbdkit", "--filter=error", "--unix", socket, "file", contents.string, "error=EIO", "error-rate=100%",
      "error-file=\(fault)",
    ])
    let ready = place.directory.appending("\(name).pid")
    try await run([
      "setsid", "--fork", "nbdfuse", "--pidfile", ready.string, path.string, "nbd+unix:///?socket=\(socket)",
    ])
    try await place.host.waitForPath(ready, exists: true, limit: .seconds(10))
  }

  /// Lets every request fail from now on.
  func fail() throws { try place.host.replace(fault, with: [], mode: 0o600) }

  /// Lets requests succeed again.
  func recover() throws { try place.host.removeFile(fault) }

  private func run(_ argv: [String]) async throws {
    let result = try await place.host.run(
      argv, environment: place.environment, input: [], limit: .seconds(20))
    guard result.status == 0 else {
      throw Failure(.refused, argv[0], "ended with status \(result.status)", answer: result.errors.trimmed)
    }
  }
}
