import Simulation
import SystemPackage

/// What a test does to the kernel behind the back of the code under test.
extension SimulatedLIO {
  /// Takes all targets and backstores away, at once.
  public func reset() {
    state.withLock { state in
      let hadFabric = state.kernel[Kernel.root].children["iscsi"] != nil
      state.kernel = Kernel()
      if hadFabric { state.kernel.add(.fabric, "iscsi", to: Kernel.root) }
      state.isReadOnly = false
      state.faults = []
    }
  }

  /// Remembers all that there is in configfs.
  ///
  /// - Returns: What brings it back, any number of times.
  public func save() -> @Sendable () -> Void {
    let saved = state.withLock { $0 }
    return { self.state.withLock { $0 = saved } }
  }

  /// Lets every call that changes something answer EROFS, or not.
  public func setReadOnly(_ isReadOnly: Bool) { state.withLock { $0.isReadOnly = isReadOnly } }

  /// Lets the next calls that change something at paths with this end fail.
  ///
  /// - Parameter times: How many of them.
  public func fail(_ suffix: String, with errno: Errno, times: Int = .max) {
    state.withLock { $0.faults.append(Fault(suffix: suffix, errno: errno, left: times)) }
  }

  /// Logs an initiator in.
  ///
  /// - Parameters:
  ///   - user: Its CHAP name and secret, without which it offers none.
  ///   - port: The port that it connects to; nil where it does not matter.
  ///   - isid: The last byte of the session's identifier; a session of the same one is replaced.
  /// - Returns: The session's number.
  @discardableResult
  public func logIn(
    _ initiator: String, to target: String, user: String? = nil, secret: String? = nil,
    address: String = "127.0.0.1", port: Int? = nil, isid: Int = 1
  ) throws(LoginRefusal) -> Int {
    try state.withLock { state throws(LoginRefusal) in
      try state.kernel.logIn(
        initiator, to: target, user: user, secret: secret, address: address, port: port, isid: isid)
    }
  }

  /// The CHAP account that a target asks an initiator for; nil where there is none.
  public func account(of target: String, for initiator: String) -> (user: String, secret: String)? {
    state.withLock { state in
      let kernel = state.kernel
      let fabric = kernel.child("iscsi", of: Kernel.root)
      guard let name = kernel[fabric].children[target], let group = kernel[name].children["tpgt_1"] else {
        return nil
      }
      let node = kernel[kernel.child("acls", of: group)].children[initiator]
      let accounts = kernel.child("auth", of: node ?? group)
      let (user, secret) = (kernel.value("userid", of: accounts), kernel.value("password", of: accounts))
      return Kernel.isSet(user) && Kernel.isSet(secret) ? (user, secret) : nil
    }
  }

  /// Ends a session from the initiator's side.
  public func logOut(_ session: Int) {
    state.withLock { state in state.kernel.closeSessions { $0.id == session } }
  }

  /// Whether a session is still there.
  public func isOpen(_ session: Int) -> Bool { state.withLock { $0.kernel.sessions[session] != nil } }

  /// Whether a session may write to a LUN; nil when it does not see it.
  public func mayWrite(_ session: Int, lun: Int) -> Bool? {
    state.withLock { $0.kernel.mayWrite(session, lun: lun) }
  }

  /// The capacity in bytes that a session is told of a LUN on a file; nil when it does not see one.
  public func capacity(_ session: Int, lun: Int) -> UInt64? {
    state.withLock { state in
      let kernel = state.kernel
      guard let one = kernel.sessions[session], let device = kernel.seenDevice(one, lun) else { return nil }
      return kernel.backstores[device]?.settings["fd_dev_size"].flatMap { UInt64($0) }
    }
  }

  /// Registers a key for persistent reservations; false where the kernel reports a failure.
  public func register(_ session: Int, lun: Int, key: UInt64, isKept: Bool, on host: SimulatedHost) -> Bool {
    state.withLock { state in
      state.kernel.register(session: session, lun: lun, key: key, isKept: isKept, Machine(host: host))
    }
  }

  /// Takes a persistent reservation of a type of SPC-4; false where another initiator has it.
  public func reserve(_ session: Int, lun: Int, type: Int) -> Bool {
    state.withLock { $0.kernel.reserve(session: session, lun: lun, type: type) }
  }
}

extension SimulatedLIO.State {
  /// The failure that a call at a path meets.
  mutating func fault(at path: String) -> Errno? {
    guard let index = faults.firstIndex(where: { path.hasSuffix($0.suffix) && $0.left > 0 }) else {
      return nil
    }
    faults[index].left -= 1
    return faults[index].errno
  }
}
