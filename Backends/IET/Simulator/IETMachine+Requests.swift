import Glibc
import HostInterface
import SystemPackage

/// What ietadm does with a command line (usr/ietadm.c), and ietd with the request (usr/message.c).
extension IETMachine {
  /// How ietadm ended; nil when it waits for ever.
  mutating func ietadm(_ argv: [String], look: (String) -> FoundBacking?) -> CommandResult? {
    let options: IetadmOptions
    do throws(IetadmOptions.Ending) {
      options = try IetadmOptions(argv, version)
    } catch {
      return CommandResult(status: error.status, output: Array(error.output.utf8), errors: error.errors)
    }
    var request = AdminRequest(options: options)
    if request.options.isUser {
      account(&request)
    } else if let lun = options.lun {
      unit(lun, &request, look)
    } else if options.cid != nil {
      connection(&request)
    } else if options.sid != nil {
      session(&request)
    } else if let tid = options.tid {
      target(tid, &request)
    } else {
      system(&request)
    }
    return request.waits
      ? nil
      : CommandResult(status: request.status, output: Array(request.output.utf8), errors: request.errors)
  }

  // MARK: Targets

  private mutating func target(_ tid: UInt32, _ request: inout AdminRequest) {
    let parameters = request.options.parameters
    switch request.options.operation {
    case .new:
      guard let parameters, let equals = parameters.firstIndex(of: "="), parameters[..<equals] == "Name"
      else {
        return
      }
      let name = Self.cut(String(parameters[equals...].dropFirst()), 255)
      ask(&request) { machine throws(AdminError) in try machine.addTarget(tid, name) }
    case .delete:
      ask(&request) { machine throws(AdminError) in try machine.removeTarget(tid) }
    case .update: update(tid, &request)
    case .show:
      var values: [UInt32] = []
      ask(&request) { machine throws(AdminError) in
        values = try Self.masking { () throws(AdminError) in try machine.targetValues(tid) }
      }
      if request.status == 0, !request.waits {
        request.output = SettingTable.text(values, SettingTable.target)
      }
    case nil: return
    }
  }

  static func cut(_ text: String, _ limit: Int) -> String {
    String(decoding: text.utf8.prefix(limit), as: UTF8.self)
  }

  /// ioctl(2) answers -1, whatever the error.
  private static func masking<Value>(_ body: () throws(AdminError) -> Value) throws(AdminError) -> Value {
    do throws(AdminError) { return try body() } catch { throw .anything }
  }

  private func targetValues(_ tid: UInt32) throws(AdminError) -> [UInt32] {
    do { return try kernel.targetValues(tid) } catch { throw AdminError(error) }
  }

  private func sessionValues(_ tid: UInt32, _ sid: UInt64) throws(AdminError) -> [UInt32] {
    do { return try kernel.sessionValues(tid, sid) } catch { throw AdminError(error) }
  }

  private mutating func update(_ tid: UInt32, _ request: inout AdminRequest) {
    var ofTarget: [Int: UInt32] = [:]
    var ofSession: [Int: UInt32] = [:]
    for word in (request.options.parameters ?? "").split(separator: ",") {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2 else { continue }
      let isOfTarget = SettingTable.index(parts[0], in: SettingTable.target) != nil
      let keys = isOfTarget ? SettingTable.target : SettingTable.session
      guard let index = SettingTable.index(parts[0], in: keys) else {
        return request.errors = "Unknown parameter \"\(parts[0])\".\n"
      }
      guard let value = keys[index].value(parts[1]) else {
        return request.errors = "Invalid \(keys[index].name) value \"\(parts[1])\".\n"
      }
      if isOfTarget {
        ofTarget[index] = keys[index].checked(value)
      } else {
        ofSession[index] = keys[index].checked(value)
      }
    }
    ask(&request) { machine throws(AdminError) in
      do {
        if !ofSession.isEmpty { try machine.kernel.setSessionValues(tid, ofSession) }
        if !ofTarget.isEmpty { try machine.kernel.setTargetValues(tid, ofTarget) }
      } catch { throw .anything }
    }
  }

  private mutating func system(_ request: inout AdminRequest) {
    switch request.options.operation {
    case .delete: ask(&request) { machine throws(AdminError) in machine.stopAll() }
    // The request is empty, and an empty request asks for a new target.
    default: ask(&request) { machine throws(AdminError) in try machine.addTarget(0, "") }
    }
  }

  // MARK: Logical units

  private mutating func unit(_ lun: UInt32, _ request: inout AdminRequest, _ look: (String) -> FoundBacking?)
  {
    if request.options.operation == .update { return request.errors = "Unsupported.\n" }
    guard let tid = request.options.tid else { return }
    switch request.options.operation {
    case .new:
      guard let parameters = request.options.parameters else { return request.status = 128 + SIGSEGV }
      let text = Self.stripped(Self.cut(parameters, 2047))
      ask(&request) { machine throws(AdminError) in
        do { try machine.kernel.addVolume(tid, lun, text, machine.version, look) } catch { throw .anything }
      }
    case .delete:
      ask(&request) { machine throws(AdminError) in
        do { try machine.kernel.removeVolume(tid, lun) } catch { throw .anything }
      }
    default: ask(&request) { _ throws(AdminError) in }
    }
  }

  // MARK: Sessions

  private mutating func session(_ request: inout AdminRequest) {
    if [.new, .update].contains(request.options.operation) { return request.errors = "Unsupported.\n" }
    guard let tid = request.options.tid, let sid = request.options.sid, request.options.operation == .show
    else {
      return
    }
    var values: [UInt32] = []
    ask(&request) { machine throws(AdminError) in
      values = try Self.masking { () throws(AdminError) in try machine.sessionValues(tid, sid) }
    }
    if request.status == 0, !request.waits {
      request.output = SettingTable.text(values, SettingTable.session)
    }
  }

  private mutating func connection(_ request: inout AdminRequest) {
    if [.new, .update].contains(request.options.operation) { return request.errors = "Unsupported.\n" }
    guard let tid = request.options.tid, let sid = request.options.sid, let cid = request.options.cid else {
      return
    }
    guard request.options.operation == .delete else { return ask(&request) { _ throws(AdminError) in } }
    var failed: Int32 = 0
    ask(&request) { machine throws(AdminError) in
      do throws(Errno) { try machine.closeConnection(tid, sid, cid) } catch { failed = error.rawValue }
    }
    // Of all requests this one answers the error number as it is.
    if failed != 0 { request.status = failed }
  }
}
