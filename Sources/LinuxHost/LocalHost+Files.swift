import Glibc
import HostInterface
import SystemPackage

extension LocalHost {
  private static let readLimit = 64 << 20
  private static let pipeLimit = Duration.seconds(5)

  /// Reads a whole file, of at most 64 MiB, by read(2) until it answers 0.
  ///
  /// The size that stat(2) tells is not used: it is 0 in /proc and 4096 in sysfs. A pipe whose writer sends
  /// nothing for 5 s ends in ``Failure/Code/timedOut``.
  public func read(_ path: FilePath) throws -> [UInt8] {
    // Without O_NONBLOCK the open of a FIFO that nobody writes would wait for ever.
    let file = try onPath(path, "cannot open for reading") {
      try FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .nonBlocking])
    }
    defer { try? file.close() }
    var bytes: [UInt8] = []
    while true {
      // /proc gives whole records only where the buffer has room for them, hence not less than 64 KiB.
      let room = max(1 << 16, bytes.count)
      let piece = try onPath(path, "cannot read") { try readSome(file, atMost: room) }
      if piece.isEmpty { return bytes }
      bytes += piece
      guard bytes.count <= Self.readLimit else {
        throw Failure(
          .refused, "\(path)", "is larger than \(Self.readLimit) bytes, the most that is read at once")
      }
    }
  }

  /// Reads attributes, each by an openat(2) on the directory and one read(2).
  public func attributes(_ files: [String], in folder: FilePath) throws -> [[UInt8]?] {
    let directory: FileDescriptor
    do {
      directory = try FileDescriptor.open(folder, .readOnly, options: [.closeOnExec, .directory])
    } catch let number as Errno {
      let failure = Failure.system(number, "\(folder)", "cannot open for reading")
      if failure.code == .permission { throw failure }
      return files.map { _ in nil }
    }
    defer { try? directory.close() }
    // A page is 64 KiB at most.
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    return try files.map { file in
      do {
        let attribute = FileDescriptor(
          rawValue: try checked(openat(directory.rawValue, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)))
        defer { try? attribute.close() }
        let count = try buffer.withUnsafeMutableBytes { try attribute.read(into: $0) }
        return Array(buffer[..<count])
      } catch let number as Errno {
        let failure = Failure.system(number, "\(folder)/\(file)", "cannot read")
        if failure.code == .permission { throw failure }
        return nil
      }
    }
  }

  private func readSome(_ file: FileDescriptor, atMost room: Int) throws -> [UInt8] {
    while true {
      do {
        return try [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
          count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
        }
      } catch Errno.wouldBlock {
        var wanted = pollfd(fd: file.rawValue, events: Int16(POLLIN), revents: 0)
        let ready = poll(&wanted, 1, Self.pipeLimit.milliseconds(atMost: .max))
        guard ready != 0 else { throw Errno.timedOut }
      }
    }
  }

  /// Writes with exactly one write(2) to a file that exists.
  ///
  /// A write that a signal interrupts is not repeated: the kernel's targets may carry it out all the same, and
  /// ``Failure/Code/interrupted`` says so.
  public func write(_ bytes: [UInt8], to path: FilePath) throws {
    let file = try onPath(path, "cannot open for writing") {
      try FileDescriptor.open(path, .writeOnly, options: [.closeOnExec])
    }
    let written: Int
    do {
      written = try bytes.withUnsafeBytes { try file.write($0, retryOnInterrupt: false) }
    } catch let number as Errno {
      try? file.close()
      if number == .interrupted {
        throw Failure.system(
          number, "\(path)", "the write was interrupted",
          remedy: "read the state to see whether it was carried out")
      }
      throw Failure.system(number, "\(path)", "cannot write")
    }
    try onPath(path, "cannot finish the write") { try file.close() }
    guard written == bytes.count else {
      throw Failure(.refused, "\(path)", "took only \(written) of \(bytes.count) bytes of one write")
    }
  }

  /// What stat(2) finds at the path, links followed; a block device's capacity is where lseek(2) ends, or what
  /// /sys/dev/block tells of a device that cannot be opened.
  public func status(_ path: FilePath) throws -> FileStatus? {
    var found = stat()
    do {
      try checked(stat(path.string, &found))
    } catch Errno.noSuchFileOrDirectory, Errno.notDirectory {
      return nil
    } catch let number as Errno {
      throw Failure.system(number, "\(path)", "cannot look at it")
    }
    let kind = FileStatus.Kind(mode: found.st_mode)
    switch kind {
    case .blockDevice, .characterDevice:
      let number = DeviceNumber(found.st_rdev)
      let size = kind == .blockDevice ? try capacity(path, number) : 0
      return FileStatus(kind: kind, size: size, identity: number.description)
    default:
      return FileStatus(
        kind: kind, size: UInt64(max(0, found.st_size)),
        identity: "\(DeviceNumber(found.st_dev)):\(found.st_ino)")
    }
  }

  private func capacity(_ path: FilePath, _ number: DeviceNumber) throws -> UInt64 {
    if let device = try? FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .nonBlocking]) {
      defer { try? device.close() }
      if let end = try? device.seek(offset: 0, from: .end) { return UInt64(max(0, end)) }
    }
    let file = FilePath("/sys/dev/block/\(number)/size")
    // The unit is 512 bytes whatever the device's own block size is (Documentation/ABI/stable/sysfs-block).
    guard let sectors = UInt64(try text(file).trimmed), sectors <= .max / 512 else {
      throw Failure(.garbled, "\(file)", "does not hold a number of sectors")
    }
    return sectors * 512
  }

  /// The names in a directory, in the order of their bytes.
  public func list(_ path: FilePath) throws -> [String] {
    guard let directory = opendir(path.string) else {
      throw Failure.system(Errno(rawValue: errno), "\(path)", "cannot list")
    }
    defer { closedir(directory) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(directory) else { break }
      let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
        tuple.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: tuple.pointee)) {
          String(cString: $0)
        }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    guard errno == 0 else { throw Failure.system(Errno(rawValue: errno), "\(path)", "cannot list") }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// Makes a directory by mkdir(2) with mode 0755 less the umask.
  public func createDirectory(_ path: FilePath) throws {
    try onPath(path, "cannot make the directory") { try checked(mkdir(path.string, 0o755)) }
  }

  /// Removes an empty directory by rmdir(2).
  public func removeDirectory(_ path: FilePath) throws {
    try onPath(path, "cannot remove the directory") { try checked(rmdir(path.string)) }
  }

  /// Makes a symbolic link at `path` by symlink(2).
  public func createLink(_ path: FilePath, to destination: FilePath) throws {
    try onPath(path, "cannot make the link to \(destination)") {
      try checked(symlink(destination.string, path.string))
    }
  }

  /// What a symbolic link holds, by readlink(2).
  public func readLink(_ path: FilePath) throws -> FilePath {
    try onPath(path, "cannot read the link") {
      var bytes = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
      // The last byte stays 0: what readlink(2) writes has no end of its own.
      try checked(readlink(path.string, &bytes, bytes.count - 1))
      return FilePath(platformString: bytes)
    }
  }

  /// Removes a file or link by unlink(2).
  public func removeFile(_ path: FilePath) throws {
    try onPath(path, "cannot remove") { try checked(unlink(path.string)) }
  }
}

extension FileStatus.Kind {
  fileprivate init(mode: mode_t) {
    switch mode & S_IFMT {
    case S_IFREG: self = .file
    case S_IFDIR: self = .directory
    case S_IFBLK: self = .blockDevice
    case S_IFCHR: self = .characterDevice
    case S_IFLNK: self = .link
    default: self = .other
    }
  }
}
