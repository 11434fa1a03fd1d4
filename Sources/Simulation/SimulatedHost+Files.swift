import HostInterface
import SystemPackage

extension SimulatedHost {
  private static let readLimit: UInt64 = 64 << 20

  /// Reads a whole file, of at most 64 MiB; behind a file's bytes up to its size are zeros.
  public func read(_ path: FilePath) throws -> [UInt8] {
    if let fileSystem = kernelFileSystem(of: path) {
      return try asking(path, "cannot open for reading") { () throws(Errno) in
        try fileSystem.read(path, on: self)
      }
    }
    let content = try onPath(path, "cannot open for reading") { machine throws(Errno) in
      machine.tree[try machine.tree.open(path, writing: false)].content
    }
    let bytes: [UInt8]
    let size: UInt64
    switch content {
    case .file(let found, let end): (bytes, size) = (found, end)
    case .blockDevice(let end, _): (bytes, size) = ([], end)
    case .directory: throw Failure.system(.isDirectory, "\(path)", "cannot read")
    case .link, .characterDevice, .socket: (bytes, size) = ([], 0)
    }
    guard size <= Self.readLimit else {
      throw Failure(
        .refused, "\(path)", "is larger than \(Self.readLimit) bytes, the most that is read at once")
    }
    return bytes + [UInt8](repeating: 0, count: Int(size) - bytes.count)
  }

  /// Reads attributes.
  public func attributes(_ files: [String], in folder: FilePath) throws -> [[UInt8]?] {
    guard let fileSystem = kernelFileSystem(of: folder) else {
      return files.map { try? read(FilePath("\(folder)/\($0)")) }
    }
    return try zip(files, fileSystem.read(files, in: folder, on: self)).map { file, result in
      guard case .failure(let number) = result else { return try? result.get() }
      let failure = Failure.system(number, "\(folder)/\(file)", "cannot read")
      if failure.code == .permission { throw failure }
      return nil
    }
  }

  /// Overwrites the beginning of a file that exists; what is written to a device is lost.
  public func write(_ bytes: [UInt8], to path: FilePath) throws {
    if let fileSystem = kernelFileSystem(of: path) {
      return try asking(path, "cannot open for writing") { () throws(Errno) in
        try fileSystem.write(bytes, to: path, on: self)
      }
    }
    try onPath(path, "cannot open for writing") { machine throws(Errno) in
      let number = try machine.tree.open(path, writing: true)
      guard case .file(let old, let size) = machine.tree[number].content else { return }
      let new = bytes + old.dropFirst(bytes.count)
      machine.tree[number].content = .file(bytes: new, size: max(size, UInt64(new.count)))
    }
  }

  /// Writes to a file of a kernel's file system, which may take its time; what the limit ends goes on there.
  public func write(_ bytes: [UInt8], to path: FilePath, limit: Duration) async throws {
    let delay = kernelFileSystem(of: path)?.delay(ofWriting: bytes, to: path) ?? .zero
    guard delay > limit else {
      advance(by: delay)
      return try write(bytes, to: path)
    }
    perform(after: delay) { host in try? host.write(bytes, to: path) }
    advance(by: limit)
    throw Failure(.stillRunning, "\(path)", "the kernel is still at work on the write after \(limit)")
  }

  /// Replaces a file's contents; where the path is a link, of what it leads to.
  public func replace(_ path: FilePath, with bytes: [UInt8], mode: UInt16) throws {
    let isFile = try onPath(path, "cannot replace") { machine throws(Errno) -> Bool in
      let content = FileTree.Content.file(bytes: bytes, size: UInt64(bytes.count))
      do throws(Errno) {
        let number = try machine.tree.find(path)
        guard case .file = machine.tree[number].content else { return false }
        guard machine.tree[number].access == .full else { throw .readOnlyFileSystem }
        machine.tree[number].content = content
      } catch .noSuchFileOrDirectory, .tooManySymbolicLinkLevels {
        // As rename(2) does with a link that leads nowhere.
        if (try? machine.tree.find(path, followLast: false)) != nil { try machine.tree.remove(path) }
        try machine.tree.insert(content, at: path)
      }
      return true
    }
    guard isFile else { throw Failure(.invalid, "\(path)", "cannot replace: it is not a regular file") }
  }

  /// What is there, following links; nil when nothing is.
  public func status(_ path: FilePath) throws -> FileStatus? {
    if let fileSystem = kernelFileSystem(of: path) { return try kernelStatus(path, in: fileSystem) }
    return try onPath(path, "cannot look at it") { machine throws(Errno) -> FileStatus? in
      switch machine.tree.look(path) {
      case .success(let number): return machine.tree.status(number)
      case .failure(.noSuchFileOrDirectory), .failure(.notDirectory): return nil
      case .failure(let number): throw number
      }
    }
  }

  /// The names in a directory, in the order of their bytes.
  public func list(_ path: FilePath) throws -> [String] {
    if let fileSystem = kernelFileSystem(of: path) {
      return try asking(path, "cannot list") { () throws(Errno) in
        try fileSystem.list(path).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
      }
    }
    return try onPath(path, "cannot list") { machine throws(Errno) in
      guard case .directory(let entries) = machine.tree[try machine.tree.open(path, writing: false)].content
      else {
        throw .notDirectory
      }
      return entries.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
  }

  /// Makes a directory.
  public func createDirectory(_ path: FilePath) throws {
    if let fileSystem = kernelFileSystem(of: path) {
      return try asking(path, "cannot make the directory") { () throws(Errno) in
        try fileSystem.createDirectory(path, on: self)
      }
    }
    try onPath(path, "cannot make the directory") { machine throws(Errno) in
      try machine.tree.insert(.directory([:]), at: path)
    }
  }

  /// Removes an empty directory.
  public func removeDirectory(_ path: FilePath) throws {
    if let fileSystem = kernelFileSystem(of: path) {
      return try asking(path, "cannot remove the directory") { () throws(Errno) in
        try fileSystem.removeDirectory(path, on: self)
      }
    }
    try onPath(path, "cannot remove the directory") { machine throws(Errno) in
      let node = machine.tree[try machine.tree.find(path, followLast: false)]
      guard case .directory(let entries) = node.content else { throw .notDirectory }
      guard path.lastComponent?.string != "." else { throw .invalidArgument }
      guard !node.isMountPoint else { throw .resourceBusy }
      guard entries.isEmpty else { throw .directoryNotEmpty }
      try machine.tree.remove(path)
    }
  }

  /// Makes a symbolic link at `path`; what it leads to need not exist.
  public func createLink(_ path: FilePath, to destination: FilePath) throws {
    if let fileSystem = kernelFileSystem(of: path) {
      return try asking(path, "cannot make the link to \(destination)") { () throws(Errno) in
        try fileSystem.createLink(path, to: destination, on: self)
      }
    }
    try onPath(path, "cannot make the link to \(destination)") { machine throws(Errno) in
      try machine.tree.insert(.link(destination), at: path)
    }
  }

  /// What a symbolic link holds.
  public func readLink(_ path: FilePath) throws -> FilePath {
    if let fileSystem = kernelFileSystem(of: path) {
      return try asking(path, "cannot read the link") { () throws(Errno) in try fileSystem.readLink(path) }
    }
    return try onPath(path, "cannot read the link") { machine throws(Errno) in
      guard case .link(let destination) = machine.tree[try machine.tree.find(path, followLast: false)].content
      else {
        throw .invalidArgument
      }
      return destination
    }
  }

  /// Removes a file, link, device or socket.
  public func removeFile(_ path: FilePath) throws {
    if let fileSystem = kernelFileSystem(of: path) {
      return try asking(path, "cannot remove") { () throws(Errno) in try fileSystem.removeFile(path, on: self)
      }
    }
    try onPath(path, "cannot remove") { machine throws(Errno) in
      if case .directory = machine.tree[try machine.tree.find(path, followLast: false)].content {
        throw .isDirectory
      }
      try machine.tree.remove(path)
    }
  }
}
