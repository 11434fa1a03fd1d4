import Glibc
import HostInterface
import LinuxHost
import SystemPackage
import Testing

/// A loop device of one test, for which it must be root; detached when the test ends.
final class LoopDevice {
  let path: FilePath
  let file: FilePath
  private static let controls = LoopControls()

  /// Whether this machine has loop devices that the tests may use.
  static let available = isRoot && access("/dev/loop-control", R_OK | W_OK) == 0

  init(in scratch: Scratch, size: Int64) throws {
    file = scratch.path.appending("disk-\(UInt32.random(in: .min ... .max))")
    let backing = try FileDescriptor.open(
      file, .readWrite, options: [.create, .exclusiveCreate], permissions: .ownerReadWrite)
    defer { try? backing.close() }
    try #require(ftruncate(backing.rawValue, off_t(size)) == 0)
    path = try Self.controls.attach(backing)
  }

  deinit {
    let device = open(path.string, O_RDONLY | O_CLOEXEC)
    _ = ioctl(device, LoopControls.clear, 0)
    close(device)
  }
}

/// The requests of linux/loop.h.
private struct LoopControls {
  static let set: UInt = 0x4C00
  static let clear: UInt = 0x4C01
  static let getFree: UInt = 0x4C82

  func attach(_ backing: FileDescriptor) throws -> FilePath {
    let control = try FileDescriptor.open("/dev/loop-control", .readWrite, options: [.closeOnExec])
    defer { try? control.close() }
    for _ in 0..<100 {
      let number = ioctl(control.rawValue, Self.getFree, 0)
      try #require(number >= 0)
      let path = FilePath("/dev/loop\(number)")
      let device = try FileDescriptor.open(path, .readWrite, options: [.closeOnExec])
      defer { try? device.close() }
      // Another process may have taken this number in between.
      if ioctl(device.rawValue, Self.set, backing.rawValue) == 0 { return path }
    }
    throw Failure(.inUse, "/dev/loop-control", "no loop device could be had")
  }
}
