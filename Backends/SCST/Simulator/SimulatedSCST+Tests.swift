import HostInterface
import Simulation
import Synchronization
import SystemPackage

/// Why an initiator cannot log in.
public enum LoginRefusal: Error, Sendable, Hashable {
  /// The driver is off: the initiator waits in vain.
  case noAnswer
  /// There is no such target, it is not enabled, or its portal is not open.
  case targetNotFound
  /// The account or its secret is wrong.
  case authenticationFailed
}

/// What a test does to the machine, or what its initiators do.
extension SimulatedSCST {
  /// Logs an initiator in; returns the session's name.
  ///
  /// - Parameters:
  ///   - portal: The address at which it reaches the target.
  ///   - account: The name and the secret by which it proves itself.
  ///   - returns: Whether it logs in again when the target closes the session.
  @discardableResult
  public func logIn(
    _ initiator: String, to target: String, from address: String = "127.0.0.1",
    portal: String = "127.0.0.1", account: (name: String, secret: String)? = nil, returns: Bool = false
  ) throws(LoginRefusal) -> String {
    try kernel.withLock { kernel throws(LoginRefusal) in
      let path = "targets/iscsi/\(target)"
      guard kernel.tree.line("targets/iscsi/enabled") == "1" else { throw .noAnswer }
      guard kernel.tree.line(path + "/enabled") == "1" else { throw .targetNotFound }
      let portals = kernel.values("allowed_portal", at: path)
      guard portals.isEmpty || portals.contains(where: { matches(pattern: $0, portal) }) else {
        throw .targetNotFound
      }
      let accounts = kernel.values("IncomingUser", at: path)
      guard accounts.isEmpty || accounts.contains(account.map { "\($0.name) \($0.secret)" } ?? "") else {
        throw .authenticationFailed
      }
      return kernel.logIn(initiator, from: address, to: target, returns: returns)
    }
  }

  /// The accounts of a target by which initiators prove themselves.
  public func accounts(of target: String) -> [(name: String, secret: String)] {
    kernel.withLock { $0.values("IncomingUser", at: "targets/iscsi/\(target)") }.compactMap { line in
      let words = line.split(separator: " ", maxSplits: 1).map(String.init)
      return words.count == 2 ? (words[0], words[1]) : nil
    }
  }

  /// Which logical units an initiator sees at a target, with their devices.
  public func units(of target: String, seenBy initiator: String) -> [Int: String] {
    kernel.withLock { kernel in
      let luns = kernel.luns(for: initiator, at: "targets/iscsi/\(target)")
      var units: [Int: String] = [:]
      for name in kernel.tree.directories(in: luns) {
        if let lun = Int(name) { units[lun] = kernel.tree.linkName("\(luns)/\(name)/device") }
      }
      return units
    }
  }

  /// Logs out a session.
  public func logOut(_ session: String, of target: String) {
    kernel.withLock { kernel in
      let path = "targets/iscsi/\(target)/sessions/\(session)"
      if let found = kernel.sessions.first(where: { $0.path == path }) { kernel.end(found) }
    }
  }

  /// Ends the daemon: targets and sessions are gone at once, devices stay.
  public func killDaemon() { kernel.withLock { $0.endDaemon() } }

  /// Starts the daemon.
  public func startDaemon() {
    kernel.withLock { kernel in
      if !kernel.daemonRuns { kernel.startDaemon() }
    }
  }

  /// Unloads a module, unless it is in use; devices do not keep that of their handler loaded.
  ///
  /// - Returns: Whether it is unloaded now.
  @discardableResult
  public func unload(module name: String) -> Bool {
    let name = String(name.map { $0 == "-" ? "_" : $0 })
    let isUnloaded = kernel.withLock { $0.unload(module: name) }
    if isUnloaded { forgetModule(name) }
    return isUnloaded
  }

  /// Brings everything to where it was when the modules were loaded, with the daemon running.
  public func reset() {
    kernel.withLock { kernel in
      let loaded = Kernel.loaded(
        version: String((kernel.tree.line("version") ?? "").dropFirst("SCST version: ".count)),
        modules: kernel.modules)
      kernel = loaded
      kernel.startDaemon()
    }
  }

  /// Shows a disk of this machine, such as `0:0:0:0`, among the devices.
  public func addLocalDisk(_ name: String) { kernel.withLock { $0.addLocalDisk(name) } }

  /// Takes a device away with its logical units, as another program would.
  public func removeDevice(_ name: String) { kernel.withLock { $0.removeDevice(name) } }

  /// Freezes what a device is made of, with a command under way; ``thaw()`` ends that.
  public func freeze(_ device: String) { kernel.withLock { kernel in _ = kernel.frozen.insert(device) } }

  /// Lets frozen devices and what waits for them go on.
  public func thaw() { kernel.withLock { $0.thaw() } }

  /// Lets every command that goes through the queue answer EAGAIN, its result being open for so many reads; nil ends
  /// that.
  public func answerLater(polls: Int?) { kernel.withLock { $0.faults.pollsAfterEAGAIN = polls } }

  /// Lets the next command be carried out and answer EINTR.
  public func interruptNextCommand() { kernel.withLock { $0.faults.interruptsNext = true } }

  /// Refuses the next command that goes through the queue.
  public func refuseNextCommand(with number: Errno) { kernel.withLock { $0.faults.refusal = number } }

  /// Lets the next write take its time.
  public func delayNextWrite(by delay: Duration) { kernel.withLock { $0.faults.delay = delay } }

  /// Lets so many reads of attributes that go through the queue answer EAGAIN.
  public func refuseReads(_ count: Int) { kernel.withLock { $0.faults.readsToRefuse = count } }

  /// A file's content as the tree has it; nil where there is none.
  public func content(of path: String) -> String? {
    kernel.withLock { kernel in
      if case .file(_, let content) = kernel.tree[path] { content } else { nil }
    }
  }

  /// Shows a recorded tree in the place of its own, only to be read; `Fixtures/SCST/README.md` says what it looks like.
  ///
  /// - Throws: ``Failure`` with code `garbled`.
  public func show(snapshot text: String) throws {
    let recorded = try RecordedTree.read(text)
    kernel.withLock { kernel in
      var tree = SysfsTree()
      // A directory stands before what is in it, since a slash ends it.
      for (path, entry) in recorded.entries.sorted(by: { $0.key < $1.key }) {
        tree.put(path.hasSuffix("/") ? String(path.dropLast()) : path, entry.asEntry)
      }
      kernel.tree = tree
    }
  }

  /// Puts a file into the tree that this model does not have by itself, such as one of another version.
  public func putFile(_ path: String, _ content: String?) {
    kernel.withLock { $0.tree.putFile(path, content) }
  }

  /// The same for a link, such as to a target of a driver that is not modelled.
  public func putLink(_ path: String, to destination: String) {
    kernel.withLock { $0.tree.put(path, .link(destination)) }
  }
}

extension Kernel {
  /// The first lines of the files of a kind: `IncomingUser`, `IncomingUser1` and so on.
  fileprivate func values(_ kind: String, at path: String) -> [String] {
    tree.names(in: path).filter { $0.hasPrefix(kind) }.compactMap { tree.line("\(path)/\($0)") }
  }
}
