import HostInterface
import SystemPackage

/// Whether what is at a path of a simulated machine can be opened.
public enum FileAccess: Sendable, Hashable {
  /// For reading and writing.
  case full
  /// For reading; for writing it answers EROFS.
  case readOnly
  /// It answers EACCES.
  case none
}

/// What a simulated machine has at its paths: a small POSIX file system that answers with the kernel's error numbers.
struct FileTree {
  typealias Number = Int

  /// What a node is.
  enum Content {
    /// A regular file; what is behind its bytes up to its size are zeros.
    case file(bytes: [UInt8], size: UInt64)
    case directory([String: Number])
    case link(FilePath)
    case blockDevice(size: UInt64, number: String)
    case characterDevice(number: String)
    case socket
  }

  struct Node {
    var content: Content
    var access = FileAccess.full
    /// Something is mounted on it, so that it cannot be removed.
    var isMountPoint = false
  }

  private static let root: Number = 2
  /// As many links as Linux follows before ELOOP (path_resolution(7)).
  private static let linkLimit = 40

  private var nodes: [Number: Node] = [root: Node(content: .directory([:]))]
  private var next: Number = root + 1

  /// A node by its number; every number in a directory has one.
  subscript(number: Number) -> Node {
    get { nodes[number] ?? Node(content: .directory([:])) }
    set { nodes[number] = newValue }
  }

  /// Finds a node.
  func find(_ path: FilePath, followLast: Bool = true) throws(Errno) -> Number {
    try look(path, followLast: followLast).get()
  }

  /// The same without throwing: where nothing being there is no failure, a test process need not record one.
  func look(_ path: FilePath, followLast: Bool = true) -> Result<Number, Errno> {
    var links = 0
    var trail = [Self.root]
    var rest = path.names[...]
    while let name = rest.popFirst() {
      let here = trail.last ?? Self.root
      guard case .directory(let entries) = self[here].content else { return .failure(.notDirectory) }
      if name == "." { continue }
      if name == ".." {
        if trail.count > 1 { trail.removeLast() }
        continue
      }
      guard let number = entries[name] else { return .failure(.noSuchFileOrDirectory) }
      guard case .link(let destination) = self[number].content, followLast || !rest.isEmpty else {
        trail.append(number)
        continue
      }
      links += 1
      guard links <= Self.linkLimit else { return .failure(.tooManySymbolicLinkLevels) }
      if destination.isAbsolute { trail = [Self.root] }
      rest = (destination.names + rest)[...]
    }
    return .success(trail.last ?? Self.root)
  }

  /// Finds the directory that a path's last name is in, that name, and the node that has it.
  func parent(of path: FilePath) throws(Errno) -> (directory: Number, name: String, number: Number?) {
    guard let name = path.lastComponent?.string else { throw .fileExists }
    let directory = try find(path.removingLastComponent())
    guard case .directory(let entries) = self[directory].content else { throw .notDirectory }
    // They are there, and can be neither made nor removed.
    if name == "." || name == ".." { throw .fileExists }
    return (directory, name, entries[name])
  }

  /// Puts a new node at a path where nothing is.
  @discardableResult
  mutating func insert(_ content: Content, at path: FilePath) throws(Errno) -> Number {
    let (directory, name, old) = try parent(of: path)
    guard old == nil else { throw .fileExists }
    let number = next
    next += 1
    nodes[number] = Node(content: content)
    setEntry(name, of: directory, to: number)
    return number
  }

  /// Puts a new node at a path, with the directories above it, whatever is there.
  @discardableResult
  mutating func put(_ content: Content, at path: FilePath) throws(Errno) -> Number {
    try makeDirectories(path.removingLastComponent())
    if case .success = look(path, followLast: false) { try remove(path) }
    return try insert(content, at: path)
  }

  /// Takes a node and what is below it away.
  mutating func remove(_ path: FilePath) throws(Errno) {
    let (directory, name, number) = try parent(of: path)
    guard let number else { throw .noSuchFileOrDirectory }
    setEntry(name, of: directory, to: nil)
    release(number)
  }

  private mutating func setEntry(_ name: String, of directory: Number, to number: Number?) {
    guard case .directory(var entries) = self[directory].content else { return }
    // So that there is one owner, and no copy of a large directory.
    self[directory].content = .directory([:])
    entries[name] = number
    self[directory].content = .directory(entries)
  }

  private mutating func release(_ number: Number) {
    if case .directory(let entries) = self[number].content { entries.values.forEach { release($0) } }
    nodes[number] = nil
  }

  /// Makes a directory and those above it that are missing.
  mutating func makeDirectories(_ path: FilePath) throws(Errno) {
    var here = FilePath("/")
    for component in path.components {
      here.append(component)
      if case .failure(.noSuchFileOrDirectory) = look(here) { try insert(.directory([:]), at: here) }
    }
  }

  /// Checks that a node can be opened.
  func open(_ path: FilePath, writing: Bool) throws(Errno) -> Number {
    let number = try find(path)
    switch self[number].access {
    case .none: throw .permissionDenied
    case .readOnly where writing: throw .readOnlyFileSystem
    case .readOnly, .full: break
    }
    switch self[number].content {
    case .directory where writing: throw .isDirectory
    case .socket: throw .noSuchAddressOrDevice
    default: return number
    }
  }

  /// What stat(2) would tell.
  func status(_ number: Number) -> FileStatus {
    let inode = "8:1:\(number)"
    switch self[number].content {
    case .file(_, let size): return FileStatus(kind: .file, size: size, identity: inode)
    case .directory: return FileStatus(kind: .directory, size: 4096, identity: inode)
    case .link: return FileStatus(kind: .link, size: 0, identity: inode)
    case .blockDevice(let size, let device):
      return FileStatus(kind: .blockDevice, size: size, identity: device)
    case .characterDevice(let device): return FileStatus(kind: .characterDevice, size: 0, identity: device)
    case .socket: return FileStatus(kind: .other, size: 0, identity: inode)
    }
  }
}

extension FilePath {
  /// The names between the slashes.
  ///
  /// By bytes: `components` takes most of the time of a sweep over thousands of calls.
  fileprivate var names: [String] {
    string.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
  }
}
