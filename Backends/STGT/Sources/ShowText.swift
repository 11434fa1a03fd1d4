import HostInterface
import TargetCore

/// Reads what `tgtadm --op show` prints; written against tgt 1.0.85, tolerant of lines it does not know.
struct ShowText {
  private var state = LiveState()
  private var target: Target?
  /// Whether the lines are those of a target that cannot be handled.
  private var skips = false
  private var unit: LogicalUnit?
  private var session: Session?
  private var section = Section.none

  private enum Section { case none, system, sessions, units, accounts, access }

  /// The targets of `--mode target --op show`.
  ///
  /// - Throws: ``Failure`` with code `garbled` when the text is none that tgtd prints.
  static func targets(_ text: String) throws -> LiveState {
    var parser = ShowText()
    // By bytes here and below: of a thousand logical units these are 16,000 lines.
    for line in text.utf8.split(separator: UInt8(ascii: "\n")) { try parser.take(Substring(line)) }
    parser.endTarget()
    return parser.state
  }

  private mutating func take(_ line: Substring) throws {
    let words = line.utf8.drop { $0 == UInt8(ascii: " ") }
    let indentation = line.utf8.count - words.count
    try take(Substring(words), indentation: indentation, line)
  }

  private mutating func take(_ words: Substring, indentation: Int, _ line: Substring) throws {
    switch indentation {
    case 0: try beginTarget(words)
    case 4: beginSection(words)
    default:
      guard target != nil || skips else { throw garbled(line) }
      takeDetail(words, indentation: indentation)
    }
  }

  private func garbled(_ line: Substring) -> Failure {
    Failure(.garbled, "tgtd", "printed a line that no known version prints (\(line.prefix(60)))")
  }

  private mutating func beginTarget(_ words: Substring) throws {
    endTarget()
    // Target 1: iqn.2001-04.com.example:disk
    let parts = words.split(separator: " ", maxSplits: 2)
    guard parts.count >= 2, parts[0] == "Target", parts[1].hasSuffix(":"),
      let tid = UInt32(parts[1].dropLast())
    else { throw garbled(words) }
    // tgtd takes any name, an empty one too.
    let text = parts.count == 3 ? parts[2] : ""
    guard let name = TargetName(asFound: text) else {
      state.remarks.append("target \(tid) has a name that cannot be handled (\(text.prefix(80)))")
      skips = true
      return
    }
    target = Target(name: name, id: tid)
  }

  private mutating func endTarget() {
    endUnit()
    endSession()
    section = .none
    if let target { state.targets[target.name] = target }
    (target, skips) = (nil, false)
  }

  private mutating func endUnit() {
    // LUN 0 is tgt's own controller, no logical unit of the user's.
    if let unit, unit.deviceType != .controller { target?.units[unit.lun] = unit }
    unit = nil
  }

  private mutating func endSession() {
    if let session { target?.sessions.append(session) }
    session = nil
  }

  private mutating func beginSection(_ words: Substring) {
    endUnit()
    endSession()
    section =
      switch words {
      case "System information:": .system
      case "I_T nexus information:": .sessions
      case "LUN information:": .units
      case "Account information:": .accounts
      case "ACL information:": .access
      default: .none
      }
  }

  private mutating func takeDetail(_ words: Substring, indentation: Int) {
    switch section {
    case .none: break
    case .system:
      let (key, value) = keyAndValue(words)
      if key == "State" { target?.enabled = value == "ready" }
    case .sessions: takeSession(words)
    case .units: takeUnit(words)
    case .accounts: takeAccount(words)
    case .access: takeAccess(words)
    }
  }

  private mutating func takeSession(_ words: Substring) {
    let (key, value) = keyAndValue(words)
    switch key {
    case "I_T nexus":
      endSession()
      session = Session(id: String(value), initiator: "", connections: [])
    case "Initiator":
      // Initiator: iqn.1993-08.org.debian:01:a alias: none
      let name = value.split(separator: " ", maxSplits: 1).first ?? ""
      session?.initiator = String(name)
    case "Connection":
      if let cid = UInt32(value) { session?.connections.append(.init(id: cid, address: nil)) }
    case "IP Address":
      if let last = session?.connections.indices.last {
        session?.connections[last].address = IPAddress(String(value))
      }
    default: break
    }
  }

  private mutating func takeUnit(_ words: Substring) {
    let (key, value) = keyAndValue(words)
    if key == "LUN" {
      endUnit()
      if let number = Int(value), let lun = try? LUN(number) {
        unit = LogicalUnit(lun: lun, backing: .none)
      } else if let name = target?.name {
        state.remarks.append("lun \(value) of \(name) is out of the range that initiators can address")
      }
      return
    }
    unit?.take(showKey: key, value)
  }

  private mutating func takeAccount(_ words: Substring) {
    let outgoing = words.hasSuffix(" (outgoing)")
    let name = outgoing ? words.dropLast(" (outgoing)".count) : words
    guard let user = CHAPUser(asFound: name) else {
      if let target {
        state.remarks.append("target \(target.name) has a CHAP account with a name that cannot be handled")
      }
      return
    }
    if outgoing {
      target?.chap.outgoing = CHAPAccount(user: user)
    } else {
      target?.chap.incoming.append(CHAPAccount(user: user))
    }
  }

  private mutating func takeAccess(_ words: Substring) {
    guard let name = target?.name else { return }
    let text = String(words)
    guard let initiator = try? Initiator(text) else {
      state.remarks.append("target \(name) has an access entry that cannot be handled (\(words.prefix(80)))")
      return
    }
    guard Self.matchesSomebody(text, initiator) else {
      state.remarks.append("target \(name) has an access entry that tgtd matches with nobody (\(text))")
      return
    }
    target?.initiators.insert(initiator)
    if text != accessWord(initiator) { state.facts[spelling(of: initiator, target: name)] = text }
  }

  /// tgtd matches nobody with a prefix of all bits or none, nor with bits set behind the prefix, nor with `all` in
  /// small letters.
  private static func matchesSomebody(_ text: String, _ initiator: Initiator) -> Bool {
    if initiator == .all { return text == "ALL" }
    guard let slash = text.firstIndex(of: "/") else { return true }
    guard case .network(let address, _) = initiator else { return false }
    return IPAddress(text[..<slash].filter { $0 != "[" && $0 != "]" }) == address
  }
}

extension LogicalUnit {
  /// Takes one line of a logical unit in `--op show`.
  fileprivate mutating func take(showKey key: Substring, _ value: Substring) {
    switch key {
    case "Type": deviceType = value == "cd/dvd" ? .cd : DeviceType(rawValue: String(value))
    case "SCSI ID": scsiID = String(value)
    case "SCSI SN": serial = String(value)
    case "Size":
      // Size: 67 MB, Block size: 512
      let size = value.utf8.prefix { $0 != UInt8(ascii: ",") }
      printedSize = String(Substring(size))
      let (key, number) = keyAndValue(Substring(value.utf8.dropFirst(size.count + 2)))
      if key == "Block size" { blockSize = UInt32(number) }
    case "Online": online = value == "Yes"
    case "Removable media": removable = value == "Yes"
    case "Readonly": readOnly = value == "Yes"
    case "Thin-provisioning": thin = value == "Yes"
    case "Backing store type": store = String(value)
    case "Backing store path": backing = value == "None" ? .none : .path(String(value))
    case "Backing store flags":
      let flags = value.trimmed
      attributes["bsoflags"] = flags
      switch store {
      // tgt's aio opens with O_DIRECT by itself.
      case "aio": cache = .through
      case "rdwr", "mmc", "smc": cache = flags.isEmpty ? .back : .through
      default: break
      }
    default: break
    }
  }
}

/// Splits `key: value`.
private func keyAndValue(_ line: Substring) -> (Substring, Substring) {
  let bytes = line.utf8
  guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else { return (line, "") }
  var value = bytes[colon...].dropFirst()
  if value.first == UInt8(ascii: " ") { value.removeFirst() }
  return (line[..<colon], Substring(value))
}

/// How tgt is told an initiator.
func accessWord(_ initiator: Initiator) -> String {
  initiator == .all ? "ALL" : initiator.description
}

/// The key of ``LiveState/facts`` for an access entry that is spelt in another way than ``accessWord(_:)``.
func spelling(of initiator: Initiator, target: TargetName) -> String { "access \(target) \(initiator)" }
