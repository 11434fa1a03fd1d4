/// What a command line of tgtadm asks for: `main` of usr/tgtadm.c up to the request.
struct TgtadmCommandLine {
  private typealias Stop = TgtadmOptions.Stop

  private(set) var request = TgtadmRequest(mode: .system, operation: .show)
  private(set) var controlPort: Int16 = 0
  private var mode: TgtadmRequest.Mode?
  private var operation: TgtadmRequest.Operation?
  private var operationWord = ""
  private var tid: Int32 = -1
  private var values: [Character: String] = [:]
  private var portalOptions: String?
  private var targetOptions: String?

  /// Reads and checks a command line.
  init(_ arguments: [String]) throws {
    let options = try TgtadmOptions(arguments) { given in try take(given.letter, given.value) }
    if let word = options.words.first { throw Stop.usage("tgtadm: unrecognized option '\(word)'\n") }
    guard let operation else { throw Stop.error("specify the operation type") }
    guard let mode else { throw Stop.error("specify the mode") }
    try check(mode, operation, options.given.map(\.letter))
    request.mode = mode
    request.operation = operation
    request.tid = tid
    request.text = text
  }

  private mutating func take(_ letter: Character, _ value: String) throws {
    values[letter] = value
    switch letter {
    case "L": request.driver = value
    case "o": try takeOperation(value)
    case "m": try takeMode(value)
    case "t": tid = try Self.number(value, letter, atLeast: 0)
    case "s": request.sid = try Self.number(value, letter)
    case "c": request.cid = try Self.number(value, letter)
    case "l": request.lun = try Self.number(value, letter)
    case "H": request.hostNumber = try Self.number(value, letter, atLeast: 0)
    case "C": controlPort = try Self.number(value, letter, atLeast: 0)
    case "P": if mode == .portal { portalOptions = value } else { targetOptions = value }
    case "F": request.force = true
    case "O": request.outgoing = true
    case "Y": try takeDeviceType(value)
    // No simulated machine has such a bus.
    case "B": throw Stop.error("can't find bus: \(value)")
    case "V": throw Stop(status: 0, output: "1.0.85\n")
    case "h": throw Stop(status: 0, output: "Linux SCSI Target administration utility, version 1.0.85\n")
    default: break
    }
  }

  private mutating func takeOperation(_ word: String) throws {
    let words: [String: TgtadmRequest.Operation] = [
      "new": .new, "delete": .delete, "bind": .bind, "unbind": .unbind, "show": .show, "update": .update,
      "stat": .stat, "start": .start, "stop": .stop,
    ]
    guard let found = words[word] else { throw Stop.error("unknown operation: \(word)", status: 1) }
    operation = found
    operationWord = word
  }

  private mutating func takeMode(_ word: String) throws {
    let words: [String: TgtadmRequest.Mode] = [
      "system": .system, "sys": .system, "target": .target, "tgt": .target, "logicalunit": .device,
      "lu": .device,
      "portal": .portal, "pt": .portal, "session": .session, "sess": .session, "connection": .connection,
      "conn": .connection, "account": .account, "lld": .lld,
    ]
    guard let found = words[word] else { throw Stop.error("unknown mode: \(word)", status: 1) }
    mode = found
  }

  private mutating func takeDeviceType(_ word: String) throws {
    let words: [String: UInt32] = [
      "disk": 0x00, "tape": 0x01, "ssc": 0x01, "cd": 0x05, "changer": 0x08, "osd": 0x11, "pt": 0xff,
    ]
    guard let found = words[word] else { throw Stop.error("unknown target type: \(word)") }
    request.deviceType = found
  }

  /// A number as `str_to_int` of usr/util.h checks it; what follows the number is not looked at.
  private static func number<Number: FixedWidthInteger>(
    _ text: String, _ letter: Character, atLeast bound: Number = .min
  ) throws -> Number {
    guard let (value, _) = CText.number(text), value != .max else {
      throw Stop.usage("-\(letter) argument value '\(text)' invalid\n")
    }
    let number = Number(truncatingIfNeeded: value)
    guard UInt64(truncatingIfNeeded: number) == value, number >= bound else {
      throw Stop.usage("-\(letter) argument value '\(text)' out of range\n")
    }
    return number
  }

  /// The text behind the request's header.
  private var text: String? {
    var parts: [String] = []
    func add(_ name: String, _ letter: Character) {
      if let value = values[letter] { parts.append("\(name)=\(value)") }
    }
    // printf(3) writes a missing text so.
    if let name = values["n"] { parts.append("\(name)=\(values["v"] ?? "(null)")") }
    add("path", "b")
    if request.deviceType == 0x01 { parts.append("bstype=ssc") } else { add("bstype", "E") }
    add("bsopts", "S")
    add("bsoflags", "f")
    add("blocksize", "y")
    add("targetname", "T")
    add("initiator-address", "I")
    add("initiator-name", "Q")
    add("user", "u")
    add("password", "p")
    if let targetOptions { parts.append("targetOps \(targetOptions),") }
    if let portalOptions { parts.append("portalOps \(portalOptions),") }
    return parts.isEmpty ? nil : parts.joined(separator: ",")
  }
}

/// What each mode and operation allows and needs.
extension TgtadmCommandLine {
  private func check(
    _ mode: TgtadmRequest.Mode, _ operation: TgtadmRequest.Operation, _ letters: [Character]
  ) throws {
    switch mode {
    case .system: try checkSystem(operation, letters)
    case .target: try checkTarget(operation, letters)
    case .account: try checkAccount(operation, letters)
    case .device: try checkDevice(operation, letters)
    case .portal: try checkPortal(operation, letters)
    case .lld:
      guard [.start, .stop, .show].contains(operation) else {
        throw Stop.error("option \(operation.rawValue) not supported in lld mode")
      }
      try allow("LmoC", letters, "lld mode: option '-%' is not allowed/supported")
    case .session, .connection: break
    }
  }

  private func allow(_ allowed: String, _ letters: [Character], _ message: String) throws {
    guard let bad = letters.first(where: { !allowed.contains($0) && $0 != "d" }) else { return }
    throw Stop.error(message.split(separator: "%").joined(separator: String(bad)))
  }

  private func unsupported(_ mode: String) -> TgtadmOptions.Stop {
    .error("operation \(operationWord) not supported in \(mode) mode")
  }

  private func needNameAndValue() throws {
    if values["n"] == nil || values["v"] == nil {
      throw Stop.error("update operation requires 'name' and 'value' options")
    }
  }

  private func checkSystem(_ operation: TgtadmRequest.Operation, _ letters: [Character]) throws {
    switch operation {
    case .update:
      try allow("LmonvC", letters, "system mode: option '-%' is not allowed/supported")
      try needNameAndValue()
    case .show, .delete, .stat: break
    default: throw unsupported("system")
    }
  }

  private func checkTarget(_ operation: TgtadmRequest.Operation, _ letters: [Character]) throws {
    if tid <= 0, operation != .show {
      throw Stop.error(tid == 0 ? "'tid' cannot be 0" : "'tid' option is necessary")
    }
    let allowed: [TgtadmRequest.Operation: String] = [
      .new: "LmotTC", .delete: "LmotCF", .show: "LmotC", .stat: "LmotC", .bind: "LmotIQBHC",
      .unbind: "LmotIQBHC",
      .update: "LmotnvC",
    ]
    guard let allowed = allowed[operation] else { throw unsupported("target") }
    try allow(allowed, letters, "target mode: option '-%' is not allowed/supported")
    switch operation {
    case .new where values["T"] == nil:
      throw Stop.error("creating new target requires a name, use --targetname")
    case .bind, .unbind:
      if values["I"] == nil, values["Q"] == nil, request.hostNumber == 0 {
        throw Stop.error("\(operationWord) operation requires initiator-address, initiator-nameor bus")
      }
    case .update: try needNameAndValue()
    default: break
    }
  }

  private func checkAccount(_ operation: TgtadmRequest.Operation, _ letters: [Character]) throws {
    let allowed: [TgtadmRequest.Operation: String] = [
      .new: "LmoupfC", .show: "LmoC", .delete: "LmouC", .bind: "LmotuOC", .unbind: "LmotuOC",
    ]
    guard let allowed = allowed[operation] else { throw unsupported("account") }
    try allow(allowed, letters, "account mode: option '-%' is not allowed/supported")
    if operation == .new, values["u"] == nil || values["p"] == nil {
      throw Stop.error("'user' and 'password' options are required")
    }
    if operation == .bind || operation == .unbind, values["u"] == nil {
      throw Stop.error("'user' option is necessary")
    }
  }

  private func checkDevice(_ operation: TgtadmRequest.Operation, _ letters: [Character]) throws {
    if tid <= 0 { throw Stop.error(tid == 0 ? "'tid' must not be 0" : "'tid' option is necessary") }
    if request.lun == .max { throw Stop.error("'lun' option is necessary") }
    switch operation {
    case .new:
      try allow("LmofytlbEYCS", letters, "logicalunit mode: option '-%' is not allowed/supported")
      if values["b"] == nil, ![0x00, 0x01, 0x05].contains(request.deviceType) {
        throw Stop.error("'backing-store' option is necessary")
      }
    case .delete, .stat:
      try allow("LmotlC", letters, "logicalunit mode: option '-%' is not allowed/supported")
    case .update: try allow("LmofytlPC", letters, "option '-%' not supported in logicalunit mode")
    default: throw unsupported("logicalunit")
    }
  }

  private func checkPortal(_ operation: TgtadmRequest.Operation, _ letters: [Character]) throws {
    switch operation {
    case .new, .delete:
      try allow("LmoCP", letters, "portal mode: option '-%' is not allowed/supported")
      if portalOptions == nil { throw Stop.error("you must specify --param portal=<portal>") }
    case .show: try allow("LmoC", letters, "option '-%' not supported in portal mode")
    default: throw unsupported("portal")
    }
  }
}
