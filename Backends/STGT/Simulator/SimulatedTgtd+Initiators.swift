import HostInterface

/// What initiators do.
extension SimulatedTgtd {
  /// Logs an initiator in; CHAP is not modelled.
  ///
  /// - Parameters:
  ///   - initiator: Its iSCSI name.
  ///   - address: Where it comes from.
  ///   - target: The target's name.
  ///   - again: Whether it logs in again at once when its session is closed, as initiators do.
  /// - Returns: The number of the session.
  /// - Throws: ``LoginRefusal`` by the rules of tgtd.
  @discardableResult
  public func logIn(
    initiator: String, address: String, target: String, alias: String? = nil, connection: UInt32 = 0,
    again: Bool = false
  ) throws(LoginRefusal) -> UInt16 {
    try change { daemon throws(LoginRefusal) in
      try daemon.logIn(initiator, alias: alias, at: address, to: target, connection: connection, again: again)
    }
  }

  /// Ends a session from the initiator's side.
  public func logOut(session: UInt16) {
    try? change { daemon in
      for index in daemon.targets.indices { daemon.targets[index].sessions.removeAll { $0.id == session } }
    }
  }

  /// Counts one read and one write command of a session, and the errors by which it learns what is new at the unit.
  ///
  /// - Parameters:
  ///   - read: Bytes read; with 0 there was no such command.
  ///   - written: Bytes written; with 0 there was no such command.
  public func transfer(session: UInt16, lun: UInt64, read: UInt64 = 0, written: UInt64 = 0) {
    try? change { daemon in
      for target in daemon.targets.indices {
        guard let place = daemon.targets[target].sessions.firstIndex(where: { $0.id == session }),
          let unit = daemon.targets[target].sessions[place].units.firstIndex(where: { $0.lun == lun })
        else { continue }
        daemon.targets[target].sessions[place].count(unit: unit, read: read, written: written)
      }
    }
  }

  /// Says how many commands initiators wait for at a logical unit, which cannot be removed until there are none.
  public func setCommandsUnderWay(_ count: Int, target tid: Int32, lun: UInt64) {
    change(target: tid, lun: lun) { $0.commandsUnderWay = count }
  }

  /// Lets an initiator forbid or allow the removal of a unit's medium.
  public func setRemovalPrevented(_ isPrevented: Bool, target tid: Int32, lun: UInt64) {
    change(target: tid, lun: lun) { $0.isRemovalPrevented = isPrevented }
  }

  private func change(target tid: Int32, lun: UInt64, _ body: (inout Unit) -> Void) {
    try? change { daemon in
      guard let target = daemon.targets.firstIndex(where: { $0.tid == tid }),
        let unit = daemon.targets[target].units.firstIndex(where: { $0.lun == lun })
      else { return }
      body(&daemon.targets[target].units[unit])
    }
  }
}

extension Session {
  /// Lets the unit attentions end as many commands, as an initiator does before it goes on.
  fileprivate mutating func clearAttentions(unit: Int) {
    traffic.commands += units[unit].attentions + 1
    units[unit].errors += units[unit].attentions
    units[unit].attentions = 0
  }

  fileprivate mutating func count(unit: Int, read: UInt64, written: UInt64) {
    clearAttentions(unit: unit)
    traffic.received += written
    traffic.sent += read
    if read > 0 {
      traffic.commands += 1
      units[unit].readBytes += read
      units[unit].reads += 1
    }
    if written > 0 {
      traffic.commands += 1
      units[unit].writtenBytes += written
      units[unit].writes += 1
    }
  }
}
