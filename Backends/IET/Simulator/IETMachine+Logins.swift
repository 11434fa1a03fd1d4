import SystemPackage

/// What ietd and the kernel do with logins and discovery (usr/iscsid.c, `login_start`; usr/target.c,
/// `target_list_build`).
extension IETMachine {
  /// The access files, each from /etc/iet or else from /etc.
  struct AccessFiles {
    var allow: [UInt8]?
    var deny: [UInt8]?
    var targets: [UInt8]?
  }

  /// Whether an initiator may see and enter a target, at an address of this machine.
  private func isOpen(
    _ tid: UInt32, to initiator: String, from peer: PeerAddress, at address: PeerAddress, _ files: AccessFiles
  ) -> Bool {
    let isTarget = { (name: String) in daemon?.target(named: name)?.tid == tid }
    let allow = AccessRules.outcome(files.allow, isTarget: isTarget, initiator: initiator, address: peer)
    let deny = AccessRules.outcome(files.deny, isTarget: isTarget, initiator: initiator, address: peer)
    let isAllowed =
      deny == .noFile ? allow != .unmatched : allow == .matched || deny != .matched
    return isAllowed && offers(tid, at: address, files)
  }

  private func offers(_ tid: UInt32, at address: PeerAddress, _ files: AccessFiles) -> Bool {
    let isTarget = { (name: String) in daemon?.target(named: name)?.tid == tid }
    return AccessRules.outcome(files.targets, isTarget: isTarget, initiator: nil, address: address)
      != .unmatched
  }

  private func isAuthorized(_ tid: UInt32, _ account: InitiatorAccount?) -> Bool {
    guard let daemon else { return false }
    let accounts = daemon.accounts(tid, .incoming)
    // An initiator that names an account that nobody asks for is let in all the same.
    guard !accounts.isEmpty else { return true }
    guard let account, let known = accounts.first(where: { $0.name == account.user }) else { return false }
    return known.secret == account.secret
  }

  /// The answer to SendTargets: each target with the addresses at which it is offered.
  func discover(
    _ initiator: String, at text: String, _ account: InitiatorAccount?, _ files: AccessFiles
  ) throws(LoginRefusal) -> [(address: String, target: String)] {
    guard let daemon, let address = PeerAddress(text) else { throw .noDaemon }
    guard isAuthorized(0, account) else { throw .unauthorized }
    return daemon.targets.filter { isOpen($0.tid, to: initiator, from: address, at: address, files) }.flatMap
    { target in
      let others = initiators.addresses.filter { other in
        guard let found = PeerAddress(other) else { return false }
        return found.isIPv6 == address.isIPv6 && found != address && !found.isLoopback
          && offers(target.tid, at: found, files)
      }
      return ([text] + others).map { ($0, target.name) }
    }
  }

  /// Lets an initiator of this machine in, or back in.
  mutating func enter(_ login: inout InitiatorSide.Login, _ files: AccessFiles) throws(LoginRefusal) {
    guard let daemon, let address = PeerAddress(login.portal) else { throw .noDaemon }
    guard let target = daemon.target(named: login.target),
      isOpen(target.tid, to: login.initiator, from: address, at: address, files),
      let index = kernel.index(target.tid)
    else { throw .notFound }
    if target.sessionLimit > 0, kernel.targets[index].sessions.count >= target.sessionLimit { throw .tooMany }
    guard isAuthorized(target.tid, login.account) else { throw .unauthorized }
    // Six bytes of the initiator's choice (open-iscsi's begin with 00 02 3d), then two of ietd's.
    let handle = daemon.nextHandle
    self.daemon?.nextHandle &+= 1
    let sid =
      UInt64(handle) << 48 | UInt64(login.number & 0xff) << 40 | UInt64(login.number >> 8) << 32 | 0x3d_0200
    var values = zip(SettingTable.session.indices, kernel.targets[index].sessionValues).map { key, value in
      SettingTable.session[key].negotiated(value, with: SettingTable.offers[key])
    }
    let digests = SettingTable.session.indices.filter { SettingTable.session[$0].kind == .digest }
    for key in digests {
      let offer: UInt32 = login.wantsDigests ? 3 : 1
      values[key] = SettingTable.session[key].negotiated(
        kernel.targets[index].sessionValues[key], with: offer)
    }
    let isOn = digests.map { values[$0] == 2 }
    let connection = KernelConnection(
      id: 0, address: address.kernelText, headerDigest: isOn.first == true, dataDigest: isOn.last == true)
    kernel.targets[index].sessions.insert(
      KernelSession(sid: sid, initiator: login.initiator, connections: [connection], values: values), at: 0)
    login.sid = sid
  }

  /// Ends what an initiator had at an address of a target.
  mutating func removeLogin(of initiator: String, to target: String, at portal: String) {
    func isMeant(_ login: InitiatorSide.Login) -> Bool {
      login.initiator == initiator && login.target == target && login.portal == portal
    }
    for login in initiators.logins where isMeant(login) { if let sid = login.sid { removeSession(sid) } }
    initiators.logins.removeAll(where: isMeant)
  }

  /// Takes a session out of the kernel, because its initiator or the administrator closed it.
  mutating func removeSession(_ sid: UInt64) {
    for index in kernel.targets.indices { kernel.targets[index].sessions.removeAll { $0.sid == sid } }
  }

  /// Closes a connection.
  ///
  /// While a command of it waits for a device that hangs, closing waits too, and with it everything
  /// that looks at the kernel's lists.
  mutating func closeConnection(_ tid: UInt32, _ sid: UInt64, _ cid: UInt32) throws(Errno) {
    let target = kernel.index(tid).map { kernel.targets[$0] }
    let session = try kernel.removeConnection(tid, sid, cid)
    if target?.volumes.contains(where: { $0.commands > 0 && suspended.contains($0.path ?? "") }) == true {
      isFrozen = true
    }
    for index in initiators.logins.indices where initiators.logins[index].sid == session.sid {
      initiators.logins[index].sid = nil
    }
  }

  /// Begins a command to a logical unit, which waits while its device hangs.
  mutating func beginCommand(_ target: String, _ lun: UInt32) {
    for index in kernel.targets.indices where kernel.targets[index].name == target {
      for unit in kernel.targets[index].volumes.indices where kernel.targets[index].volumes[unit].lun == lun {
        kernel.targets[index].volumes[unit].commands += 1
      }
    }
  }

  /// Lets all devices answer: commands end, and units go that were only kept by them.
  mutating func resume() {
    suspended = []
    isFrozen = false
    for index in kernel.targets.indices {
      kernel.targets[index].volumes.removeAll { $0.isDeleted && $0.commands > 0 }
      for unit in kernel.targets[index].volumes.indices { kernel.targets[index].volumes[unit].commands = 0 }
    }
  }
}
