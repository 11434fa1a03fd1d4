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
    return try holders(ofEach: [(path, status)])[0]
  }

  /// The same for many: the kernel's lists are read once.
  public func holders(ofEach files: [(path: FilePath, status: FileStatus)]) throws -> [[Holder]] {
    let search = try HolderSearch(files: self)
    return try files.map { path, status in
      guard status.kind == .blockDevice, let number = DeviceNumber(status.identity) else {
        return search.holders(ofFile: status.identity)
      }
      let found = try search.holders(ofDevice: number)
      return found.isEmpty && isOpenExclusively(path)
        ? [Holder("held by a program or driver that opened it alone")] : found
    }
  }

  private func isOpenExclusively(_ device: FilePath) -> Bool {
    let file = open(device.string, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK)
    if file >= 0 { close(file) }
    return file < 0 && errno == EBUSY
  }
}

/// Looks for those who use a file or device, in the kernel's own lists as they were when the search was made.
struct HolderSearch<Files: HostFiles> {
  private let files: Files
  private let mounts: [MountTable.Mount]
  /// The identities of what is used as swap.
  private let swaps: Set<String>
  /// The loop devices by the identities of the files behind them.
  private let loops: [String: [String]]

  /// Reads the lists.
  init(files: Files) throws {
    self.files = files
    mounts = try MountTable(files.text("/proc/self/mountinfo")).mounts
    swaps = try Self.swaps(files)
    loops = try Self.loops(files)
  }

  /// Who uses a block device or a partition of it.
  func holders(ofDevice number: DeviceNumber) throws -> [Holder] {
    var found = try users(of: number).map(Holder.init)
    for (name, partition) in try partitions(of: number) {
      found += try users(of: partition).map { Holder("partition \(name) \($0)") }
    }
    return found
  }

  /// Who uses a regular file, given the identity that its ``FileStatus`` has.
  func holders(ofFile identity: String) -> [Holder] { listed(identity).map(Holder.init) }

  private func users(of number: DeviceNumber) throws -> [String] {
    mounts(number) + listed(number.description) + (try stacked(on: number))
  }

  private func mounts(_ number: DeviceNumber) -> [String] {
    mounts.filter { mount in
      // A btrfs has a device number of its own; only its source leads to the device.
      mount.device == number
        || mount.device.major == 0 && Self.identity(mount.source, files) == number.description
    }.map { "mounted at \($0.point)" }
  }

  private func listed(_ identity: String) -> [String] {
    (swaps.contains(identity) ? ["used as swap"] : [])
      + (loops[identity] ?? []).map { "held by /dev/\($0)" }
  }

  private static func swaps(_ files: Files) throws -> Set<String> {
    guard try files.status("/proc/swaps") != nil else { return [] }
    let rows = try files.text("/proc/swaps").split(separator: "\n").dropFirst()
    let names = rows.compactMap { $0.split(whereSeparator: \.isWhitespace).first.map(unescaped) }
    return Set(names.compactMap { identity($0, files) })
  }

  private static func loops(_ files: Files) throws -> [String: [String]] {
    guard try files.status("/sys/block") != nil else { return [:] }
    var found: [String: [String]] = [:]
    for name in try files.list("/sys/block") where name.hasPrefix("loop") {
      let file = FilePath("/sys/block/\(name)/loop/backing_file")
      guard let backing = try? files.text(file), let identity = identity(String(backing.dropLast()), files)
      else { continue }
      found[identity, default: []].append(name)
    }
    return found
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

  private static func identity(_ path: String, _ files: Files) -> String? {
    guard path.hasPrefix("/") else { return nil }
    return (try? files.status(FilePath(path)))?.identity
  }
}
