internal import CLibUdev
import Glibc
import HostInterface
import SystemPackage

/// What udevd tells of block devices after it has made their nodes and links.
final class BlockDeviceEvents {
  // Sound: the functions are filled in once, before anyone sees them, and never change.
  private nonisolated(unsafe) static let loaded = udev_load()

  private let library: udev_functions
  private let udev: OpaquePointer
  private let monitor: OpaquePointer

  /// Listens from now on; nil where no udevd runs, and without libudev.
  init?() throws {
    // Only udevd makes this socket; libudev would listen for ever on a machine without it.
    guard access("/run/udev/control", F_OK) == 0, let library = Self.loaded?.pointee else { return nil }
    self.library = library
    guard let udev = library.udev_new() else {
      throw Failure.system(Errno(rawValue: errno), "udev", "cannot start libudev")
    }
    guard let monitor = library.udev_monitor_new_from_netlink(udev, "udev") else {
      defer { _ = library.udev_unref(udev) }
      throw Failure.system(Errno(rawValue: errno), "udev", "cannot listen to udevd")
    }
    self.udev = udev
    self.monitor = monitor
    let filtered = library.udev_monitor_filter_add_match_subsystem_devtype(monitor, "block", nil)
    guard filtered >= 0, library.udev_monitor_enable_receiving(monitor) >= 0 else {
      throw Failure.system(Errno(rawValue: errno), "udev", "cannot listen to udevd")
    }
  }

  deinit {
    _ = library.udev_monitor_unref(monitor)
    _ = library.udev_unref(udev)
  }

  /// Blocks until an event comes, and takes it; false when the time is over before.
  @discardableResult
  func waitForOne(atMost limit: Duration) -> Bool {
    var wanted = pollfd(fd: library.udev_monitor_get_fd(monitor), events: Int16(POLLIN), revents: 0)
    guard poll(&wanted, 1, limit.milliseconds(atMost: 1000)) > 0,
      let device = library.udev_monitor_receive_device(monitor)
    else { return false }
    _ = library.udev_device_unref(device)
    return true
  }
}
