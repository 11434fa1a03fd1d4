import Glibc
import HostInterface
import SystemPackage

extension LocalHost {
  /// Who uses a file or device, or a partition of it.
  ///
  /// Sources: /proc/self/mountinfo and /proc/swaps (proc(5)), `holders` in /sys/dev/block for device mapper, MD and
  /// DRBD (Documentation/ABI/stable/sysfs-block), `loop/backing_file` in /sys/block for loop devices. A device
  /// that none of them names and that open(2) with O_EXCL answers EBUSY for has a holder without a name.
  public func holders(of path: FilePath) throws -> [Holder] {
    guard let status = try status(path) else {
      throw Failure(.notFound, "\(path)", "there is no such file or device")
    }
    let search = HolderSearch(files: self)
    guard status.kind == .blockDevice, let number = DeviceNumber(status.identity) else {
      return try search.holders(ofFile: status.identity)
    }
    let found = try search.holders(ofDevice: number)
    return found.isEmpty && isOpenExclusively(path)
      ? [Holder("held by a program or driver that opened it alone")] : found
  }

  private func isOpenExclusively(_ device: FilePath) -> Bool {
    let file = open(device.string, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK)
    if file >= 0 { close(file) }
    return file < 0 && errno == EBUSY
  }
}

/// Looks for those who use a file or device, in the kernel's own lists.
struct HolderSearch<Files: HostFiles> {
  let files: Files

  /// Who uses a block device or a partition of it.
  func holders(ofDevice number: DeviceNumber) throws -> [Holder] {
    var found = try users(of: number).map(Holder.init)
    for (name, partition) in try partitions(of: number) {
      found += try users(of: partition).map { Holder("partition \(name) \($0)") }
    }
    return found
  }

  /// Who uses a regular file, given the identity that its ``FileStatus`` has.
  func holders(ofFile identity: String) throws -> [Holder] {
    try (swaps(identity) + loops(identity)).map(Holder.init)
  }

  private func users(of number: DeviceNumber) throws -> [String] {
    try mounts(number) + swaps(number.description) + loops(number.description) + stacked(on: number)
  }

  private func mounts(_ number: DeviceNumber) throws -> [String] {
    try MountTable(files.text("/proc/self/mountinfo")).mounts.filter { mount in
      // A btrfs has a device number of its own; only its source leads to the device.
      mount.device == number || mount.device.major == 0 && identity(mount.source) == number.description
    }.map { "mounted at \($0.point)" }
  }

  private func swaps(_ wanted: String) throws -> [String] {
    guard try files.status("/proc/swaps") != nil else { return [] }
    let rows = try files.text("/proc/swaps").split(separator: "\n").dropFirst()
    let names = rows.compactMap { $0.split(whereSeparator: \.isWhitespace).first.map(unescaped) }
    return names.contains { identity($0) == wanted } ? ["used as swap"] : []
  }

  private func loops(_ wanted: String) throws -> [String] {
    guard try files.status("/sys/block") != nil else { return [] }
    return try files.list("/sys/block").filter { $0.hasPrefix("loop") }.compactMap { name in
      let file = FilePath("/sys/block/\(name)/loop/backing_file")
      guard let backing = try? files.text(file), identity(String(backing.dropLast())) == wanted else {
        return nil
      }
      return "held by /dev/\(name)"
    }
  }

  private func stacked(on number: DeviceNumber) throws -> [String] {
    let directory = FilePath("/sys/dev/block/\(number)/holders")
    guard try files.status(directory) != nil else { return [] }
    return try files.list(directory).map { name in
      let mapped = try? files.text(FilePath("/sys/block/\(name)/dm/name")).trimmed
      return mapped.map { "held by \(name) (\($0))" } ?? "held by \(name)"
    }
  }

  private func partitions(of disk: DeviceNumber) throws -> [(String, DeviceNumber)] {
    let directory = FilePath("/sys/dev/block/\(disk)")
    guard try files.status(directory) != nil else { return [] }
    return try files.list(directory).compactMap { name in
      let entry = directory.appending(name)
      guard try files.status(entry.appending("partition")) != nil else { return nil }
      return DeviceNumber(try files.text(entry.appending("dev")).trimmed).map { (name, $0) }
    }
  }

  private func identity(_ path: String) -> String? {
    guard path.hasPrefix("/") else { return nil }
    return (try? files.status(FilePath(path)))?.identity
  }
}
