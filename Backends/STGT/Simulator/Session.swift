/// One session (`struct iscsi_session` and `struct it_nexus`), with one connection.
struct Session {
  /// Its number: the TSIH that tgtd gave it.
  let id: UInt16
  let initiator: String
  let alias: String?
  let address: String
  /// The connection's number, which the initiator chose.
  let connection: UInt32
  /// Whether it logs in again as soon as it has been closed.
  var logsInAgain = false
  /// What it sees, newest first.
  var units: [UnitStatistics]
  /// Bytes and PDUs of its connection.
  var traffic = Traffic()

  /// `struct lu_stat`, as far as it is shown; what was submitted is done.
  struct UnitStatistics {
    let lun: UInt64
    var readBytes: UInt64 = 0
    var reads: UInt32 = 0
    var writtenBytes: UInt64 = 0
    var writes: UInt32 = 0
    var errors: UInt32 = 0
    /// Unit attentions that the next commands end in: first that of a new session.
    var attentions: UInt32 = 1
  }

  /// `struct iscsi_stats`, as far as tgtd counts: it never finds a response or a Data-In PDU among what it sends,
  /// since it looks at the request for the kind (`do_send` of usr/iscsi/iscsid.c).
  struct Traffic {
    var received: UInt64 = 0
    var sent: UInt64 = 0
    var commands: UInt32 = 0
  }

  /// Its part of `--mode target --op show`.
  var nexusText: String {
    """
            I_T nexus: \(id)
                Initiator: \(initiator) alias: \(alias ?? "none")
                Connection: \(connection)
                    IP Address: \(address)

    """
  }
}

extension Daemon {
  static let statisticsHeader =
    "tgt lun sid rd_subm(bytes,cmds) rd_done(bytes,cmds) wr_subm(bytes,cmds) wr_done(bytes,cmds) errs\n"

  mutating func session(_ request: TgtadmRequest) throws -> String {
    switch (request.mode, request.operation) {
    case (.session, .stat): return try statisticsOfSession(request.sid)
    case (.connection, .stat):
      guard let session = findSession(request.sid) else { throw TgtadmError.noSession }
      guard session.connection == request.cid else { throw TgtadmError.noConnection }
      return Self.connectionHeader + session.connectionStatistics
    case (.connection, .show):
      // The newest session first, as `sessions_list` is.
      return targets[try index(of: request.tid)].sessions.reversed().map { session in
        """
        Session: \(session.id)
            Connection: \(session.connection)
                Initiator: \(session.initiator)
                IP Address: \(session.address)

        """
      }.joined()
    case (.connection, .delete):
      try closeConnection(tid: request.tid, sid: request.sid, cid: request.cid)
      return ""
    default: throw TgtadmError.invalidRequest
    }
  }

  private mutating func closeConnection(tid: Int32, sid: UInt64, cid: UInt32) throws {
    let target = try index(of: tid)
    guard let place = targets[target].sessions.firstIndex(where: { UInt64($0.id) == sid }) else {
      throw TgtadmError.noSession
    }
    guard targets[target].sessions[place].connection == cid else { throw TgtadmError.noConnection }
    let closed = targets[target].sessions.remove(at: place)
    guard closed.logsInAgain else { return }
    _ = try? logIn(
      closed.initiator, alias: closed.alias, at: closed.address, to: targets[target].name,
      connection: closed.connection, again: true)
  }

  private func findSession(_ sid: UInt64) -> Session? {
    // The number is cut to its 16 bits.
    targets.lazy.flatMap(\.sessions).first { $0.id == UInt16(truncatingIfNeeded: sid) }
  }

  /// Lets an initiator in, by the rules of `login_start` of usr/iscsi/iscsid.c.
  mutating func logIn(
    _ initiator: String, alias: String?, at address: String, to name: String, connection: UInt32, again: Bool
  ) throws(LoginRefusal) -> UInt16 {
    guard isOnline, !portals.isEmpty, !targets.isEmpty else { throw .connectionClosed }
    guard let index = targets.firstIndex(where: { $0.name == name }) else { throw .targetNotFound }
    guard targets[index].redirect.address.isEmpty else { throw .redirected }
    guard targets[index].isReady else { throw .targetError }
    guard targets[index].lets(in: initiator, at: address) else { throw .targetNotFound }
    let used = Set(targets.flatMap(\.sessions).map(\.id))
    repeat { lastSession &+= 1 } while lastSession == 0 || used.contains(lastSession)
    let units = targets[index].units.reversed().map { Session.UnitStatistics(lun: $0.lun) }
    targets[index].sessions.append(
      Session(
        id: lastSession, initiator: initiator, alias: alias, address: address, connection: connection,
        logsInAgain: again, units: units))
    return lastSession
  }
}

/// Statistics.
extension Daemon {
  private static let connectionHeader =
    "sid cid rxdata_octets txdata_octets dataout_pdus datain_pdus cmd_pdus rsp_pdus\n"

  func statistics(_ target: Target) -> String { target.units.map { statistics(target, $0) }.joined() }

  func statistics(_ target: Target, _ unit: Unit) -> String {
    target.sessions.map { session in
      session.units.filter { $0.lun == unit.lun }.map { line(target.tid, session.id, $0) }.joined()
    }.joined()
  }

  func statisticsOfSession(_ sid: UInt64) throws -> String {
    guard let session = findSession(sid),
      let target = targets.first(where: { $0.sessions.contains { $0.id == session.id } })
    else { throw TgtadmError.noSession }
    let lines = session.units.map { line(target.tid, session.id, $0) }.joined()
    return Self.statisticsHeader + lines + "\n" + Self.connectionHeader + session.connectionStatistics
  }

  private func line(_ tid: Int32, _ session: UInt16, _ unit: Session.UnitStatistics) -> String {
    let read = CText.padded(unit.readBytes, 12) + " " + CText.padded(unit.reads, 6)
    let written = CText.padded(unit.writtenBytes, 12) + " " + CText.padded(unit.writes, 6)
    let head = [CText.padded(tid, 3), CText.padded(unit.lun, 3), CText.padded(session, 3)]
    return (head + [read, read, written, written, CText.padded(unit.errors, 4)]).joined(separator: " ") + "\n"
  }
}

extension Session {
  var connectionStatistics: String {
    [
      CText.padded(id, 3), CText.padded(connection, 3), CText.padded(traffic.received, 13),
      CText.padded(traffic.sent, 13), CText.padded(0, 12), CText.padded(0, 11),
      CText.padded(traffic.commands, 8),
      CText.padded(0, 8),
    ].joined(separator: " ") + "\n"
  }
}

/// Why an initiator is not let in.
public enum LoginRefusal: Error, Sendable, Hashable {
  /// No tgtd, no portal, no target, or a system that is offline: the connection is closed.
  case connectionClosed
  /// Status 0x0203: there is no such target, or its access list has no rule for this initiator.
  case targetNotFound
  /// Status 0x0300: the target is offline.
  case targetError
  /// Status 0x0101 or 0x0102: the target is elsewhere.
  case redirected
}
