import HostInterface
import SystemPackage

/// What a test does to the machine behind the back of the code under test. Directories above a path are made as
/// needed, and what was at the path is replaced.
extension SimulatedHost {
  /// Puts a regular file of zeros there.
  ///
  /// - Parameter size: In bytes; none of them takes memory.
  public func addFile(_ path: FilePath, size: UInt64 = 0) { add(.file(bytes: [], size: size), at: path) }

  /// Puts a regular file with a text there.
  public func addFile(_ path: FilePath, text: String) {
    let bytes = Array(text.utf8)
    add(.file(bytes: bytes, size: UInt64(bytes.count)), at: path)
  }

  /// Puts a directory there; one that exists stays as it is.
  public func addDirectory(_ path: FilePath) {
    machine.withLock { machine in try? machine.tree.makeDirectories(path) }
  }

  /// Puts a block device there.
  ///
  /// - Parameters:
  ///   - size: The capacity in bytes.
  ///   - number: Its `major:minor`; two paths with one number are one device. By default a new one with major 253.
  public func addBlockDevice(_ path: FilePath, size: UInt64, number: String? = nil) {
    let device = machine.withLock { machine in
      defer { machine.nextMinor += 1 }
      return number ?? "253:\(machine.nextMinor)"
    }
    add(.blockDevice(size: size, number: device), at: path)
  }

  /// Puts a character device there.
  public func addCharacterDevice(_ path: FilePath, number: String) {
    add(.characterDevice(number: number), at: path)
  }

  private func add(_ content: FileTree.Content, at path: FilePath) {
    machine.withLock { machine in
      _ = try? machine.tree.put(content, at: path)
    }
  }

  /// Takes away what is there, with what is below it.
  public func remove(_ path: FilePath) { machine.withLock { machine in try? machine.tree.remove(path) } }

  /// Gives a file or block device another size, in bytes.
  public func resize(_ path: FilePath, to size: UInt64) {
    machine.withLock { machine in
      guard let number = try? machine.tree.find(path) else { return }
      switch machine.tree[number].content {
      case .file(let bytes, _):
        machine.tree[number].content = .file(bytes: Array(bytes.prefix(Int(clamping: size))), size: size)
      case .blockDevice(_, let device):
        machine.tree[number].content = .blockDevice(size: size, number: device)
      default: break
      }
    }
  }

  /// Lets what is there be opened or not.
  public func setAccess(_ access: FileAccess, to path: FilePath) {
    machine.withLock { machine in
      if let number = try? machine.tree.find(path) { machine.tree[number].access = access }
    }
  }

  /// Whether what is there can be opened; for models.
  public func access(to path: FilePath) -> FileAccess {
    machine.withLock { machine in
      (try? machine.tree.find(path)).map { machine.tree[$0].access } ?? .full
    }
  }

  /// Mounts a file system from a file or device; both are in use then.
  public func mount(_ source: FilePath, at point: FilePath) {
    addDirectory(point)
    addHolder("mounted at \(point)", of: source)
    machine.withLock { machine in
      if let number = try? machine.tree.find(point) { machine.tree[number].isMountPoint = true }
    }
  }

  /// Makes something hold a file or device, such as `used as swap`.
  public func addHolder(_ description: String, of path: FilePath) {
    machine.withLock { machine in
      guard let number = try? machine.tree.find(path) else { return }
      machine.holders.append((machine.tree.status(number).identity, Holder(description)))
    }
  }

  /// Makes these hold a file or device instead of the holders that begin like this; for models.
  public func setHolders(_ descriptions: [String], of path: FilePath, inPlaceOf beginning: String) {
    machine.withLock { machine in
      guard let number = try? machine.tree.find(path) else { return }
      let identity = machine.tree.status(number).identity
      machine.holders.removeAll { $0.identity == identity && $0.holder.description.hasPrefix(beginning) }
      machine.holders += descriptions.map { (identity, Holder($0)) }
    }
  }

  /// Installs a program in /usr/sbin; by default it does nothing and exits with 0.
  public func install(
    program name: String,
    behaviour: @escaping @Sendable (SimulatedInvocation) -> SimulatedOutcome = { _ in
      .ended(CommandResult(status: 0))
    }
  ) {
    addFile(FilePath("/usr/sbin").appending(name))
    machine.withLock { $0.behaviours[name] = behaviour }
  }

  /// Installs a kernel module.
  ///
  /// - Parameter loaded: Whether it is loaded already.
  public func install(module name: String, loaded: Bool = false) {
    machine.withLock { $0.modules[name.underscored] = loaded }
  }

  /// Opens a Unix socket for a model.
  public func listen(at path: FilePath, for service: any SimulatedService) {
    machine.withLock { machine in
      if let number = try? machine.tree.put(.socket, at: path) { machine.listeners[number] = service }
    }
  }

  /// Ends what listens on a Unix socket; the socket's file stays, and connecting to it is refused.
  public func stopListening(at path: FilePath) {
    machine.withLock { machine in
      if let number = try? machine.tree.find(path) { machine.listeners[number] = nil }
    }
  }
}

extension String {
  /// A module's name as the kernel writes it.
  var underscored: String { String(map { $0 == "-" ? "_" : $0 }) }
}
