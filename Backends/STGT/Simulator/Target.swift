/// One target of tgtd (`struct target` of usr/target.h and `struct iscsi_target` of usr/iscsi/iscsid.h).
struct Target {
  var tid: Int32
  var name: String
  /// When it was made; drivers list their targets in that order.
  let order: Int
  var isReady = true
  /// In the order of their numbers.
  var units: [Unit] = []
  /// In the order of their logins.
  var sessions: [Session] = []
  var accounts = BoundAccounts()
  var addresses: [String] = []
  var names: [String] = []
  var parameters = SessionParameterTable()
  var nopInterval: Int32
  var nopCount: Int32
  var redirect = Redirect()

  /// Where logins are sent instead.
  struct Redirect {
    var address = ""
    var port = ""
    var reason = "Unknown"
    var callback: String?
  }
}

extension Daemon {
  mutating func target(_ request: TgtadmRequest) throws -> String {
    switch request.operation {
    case .new: try createTarget(request.tid, try text(of: request))
    case .delete: try deleteTarget(request.tid, force: request.force)
    case .bind: try changeAccess(request, adding: true)
    case .unbind: try changeAccess(request, adding: false)
    case .update: try updateTarget(request.tid, try text(of: request))
    case .show: return request.tid < 0 ? try showTargets() : try showTarget(request.tid)
    case .stat: return Self.statisticsHeader + statistics(targets[try index(of: request.tid)])
    default: throw TgtadmError.invalidRequest
    }
    return ""
  }

  private mutating func createTarget(_ tid: Int32, _ text: String) throws {
    var name: String?
    for part in text.split(separator: ",") where part.hasPrefix("targetname=") {
      name = String(part.dropFirst("targetname=".count))
    }
    guard let name else { throw Crash() }
    // isalnum(3) in the C locale.
    let isValid = name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
      default: ":.-".utf8.contains(byte)
      }
    }
    guard isValid else { throw TgtadmError.invalidRequest }
    guard !targets.contains(where: { $0.tid == tid || $0.name == name }) else {
      throw TgtadmError.targetExists
    }
    targetCount += 1
    var target = Target(
      tid: tid, name: name, order: targetCount, nopInterval: nopInterval, nopCount: nopCount)
    target.units = [Unit(lun: 0, tid: tid, type: DeviceType.controller, store: "null")]
    targets.insert(target, at: targets.firstIndex { tid < $0.tid } ?? targets.endIndex)
  }

  private mutating func deleteTarget(_ tid: Int32, force: Bool) throws {
    let index = try index(of: tid)
    guard force || targets[index].sessions.isEmpty else { throw TgtadmError.targetActive }
    // From the last one down; those before a busy one are gone then.
    while let last = targets[index].units.last {
      guard last.commandsUnderWay == 0 else { throw TgtadmError.lunActive }
      targets[index].units.removeLast()
    }
    targets.remove(at: index)
  }

  private mutating func updateTarget(_ tid: Int32, _ text: String) throws {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2 else { throw TgtadmError.unsupportedOperation }
    let (key, value) = (parts[0], parts[1])
    let index = try index(of: tid)
    switch key {
    case "state":
      guard value == "ready" || value == "offline" else { throw TgtadmError.invalidRequest }
      targets[index].isReady = value == "ready"
    // These names are compared as prefixes (usr/iscsi/target.c).
    case _ where key.hasPrefix("RedirectAddress"):
      targets[index].redirect.address = CText.cut(value, to: 1024)
    case _ where key.hasPrefix("RedirectPort"): targets[index].redirect.port = CText.cut(value, to: 31)
    case _ where key.hasPrefix("RedirectReason"):
      guard let reason = ["Temporary", "Permanent"].first(where: value.hasPrefix) else {
        throw TgtadmError.invalidRequest
      }
      targets[index].redirect.reason = reason
    case _ where key.hasPrefix("RedirectCallback"): targets[index].redirect.callback = value
    case _ where key.hasPrefix("nop_count"): targets[index].nopCount = CText.integer(value)
    case _ where key.hasPrefix("nop_interval"): targets[index].nopInterval = CText.integer(value)
    default: try targets[index].parameters.set(key, to: value)
    }
  }

  private func showTarget(_ tid: Int32) throws -> String {
    let target = targets[try index(of: tid)]
    if let callback = target.redirect.callback { return "RedirectCallback=\(callback)\n" }
    guard target.redirect.address.isEmpty else {
      return """
        RedirectAddress=\(target.redirect.address)
        RedirectPort=\(target.redirect.port)
        RedirectReason=\(target.redirect.reason)

        """
    }
    return "nop_interval=\(target.nopInterval)\nnop_count=\(target.nopCount)\n" + target.parameters.text
  }

  private func showTargets() throws -> String {
    var text = ""
    for target in targets {
      text += """
        Target \(target.tid): \(target.name)
            System information:
                Driver: iscsi
                State: \(target.isReady ? "ready" : "offline")

        """
      if target.nopInterval != 0 {
        text += "        Nop interval: \(target.nopInterval)\n        Nop count: \(target.nopCount)\n"
      }
      text += "    I_T nexus information:\n"
      for session in target.sessions { text += session.nexusText }
      text += "    LUN information:\n"
      for unit in target.units { text += unit.text }
      text += "    Account information:\n" + (try names(of: target.accounts, indent: "        "))
      text += "    ACL information:\n" + (target.addresses + target.names).map { "        \($0)\n" }.joined()
    }
    return text
  }
}
