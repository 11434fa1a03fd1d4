import CLibAIO
import Glibc
import HostInterface
import SystemPackage

/// A counter of the kernel (eventfd(2)) by which a thread that waits in the kernel is woken.
final class WakeCounter: Sendable {
  let descriptor: Int32

  init() throws {
    descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    guard descriptor >= 0 else {
      throw Failure.system(Errno(rawValue: errno), "engine", "cannot make a counter to be woken by")
    }
  }

  deinit { close(descriptor) }

  func add() {
    var one: UInt64 = 1
    // It fails only where the counter is full: then the thread is being woken anyway.
    _ = write(descriptor, &one, 8)
  }

  func clear() {
    var count: UInt64 = 0
    _ = read(descriptor, &count, 8)
  }
}
