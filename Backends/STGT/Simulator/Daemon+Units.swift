import Simulation

extension Daemon {
  mutating func device(_ request: TgtadmRequest, _ host: SimulatedHost) throws -> String {
    switch request.operation {
    case .new: try createUnit(request, host)
    case .delete: try deleteUnit(request.tid, request.lun)
    case .update:
      let target = try index(of: request.tid)
      guard let unit = targets[target].units.firstIndex(where: { $0.lun == request.lun }) else {
        throw TgtadmError.noLUN
      }
      if let text = request.text { try targets[target].units[unit].configure(text, on: host) }
    case .stat where request.sid == 0:
      let target = targets[try index(of: request.tid)]
      guard let unit = target.units.first(where: { $0.lun == request.lun }) else { throw TgtadmError.noLUN }
      return Self.statisticsHeader + statistics(target, unit)
    case .stat: return try statisticsOfSession(request.sid)
    default: throw TgtadmError.unsupportedOperation
    }
    return ""
  }

  private mutating func createUnit(_ request: TgtadmRequest, _ host: SimulatedHost) throws {
    var options: [String: String] = [:]
    for part in (request.text ?? "").split(separator: ",") {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      if pair.count == 2, !pair[1].isEmpty { options[pair[0]] = pair[1] }
    }
    let target = try index(of: request.tid)
    guard !targets[target].units.contains(where: { $0.lun == request.lun }) else {
      throw TgtadmError.lunExists
    }
    let wanted = options["bstype"] ?? "rdwr"
    guard let store = BackingStore.all.first(where: { $0.name == wanted }) else {
      throw TgtadmError.invalidRequest
    }
    guard store.passesThrough == (request.deviceType == 0xff) else { throw TgtadmError.invalidRequest }
    guard let flags = Unit.Flags(text: options["bsoflags"] ?? "") else { throw TgtadmError.invalidRequest }
    guard flags.isEmpty || store.takesFlags else { throw TgtadmError.invalidRequest }
    guard let type = DeviceType.all.first(where: { $0.number == request.deviceType }) else {
      throw TgtadmError.invalidRequest
    }
    var unit = Unit(lun: request.lun, tid: request.tid, type: type, store: store.name)
    // cd and changer change to a store with data of its own, for which a unit of the null store has no room: what is
    // behind it is overwritten, and sooner or later tgtd dies of that.
    guard unit.store == store.name || store.name != "null" else { throw Crash() }
    unit.flags = flags
    if let size = options["blocksize"] {
      let bytes = UInt32(truncatingIfNeeded: CText.number(size)?.value ?? 0)
      // One that is no power of two, or 1, is passed over.
      if bytes.nonzeroBitCount == 1, bytes > 1 { unit.blockShift = UInt32(bytes.trailingZeroBitCount) }
    }
    if let path = options["path"] {
      try unit.open(path, on: host)
    } else {
      unit.removable = 1
      unit.isOnline = false
    }
    let place = targets[target].units.firstIndex { unit.lun < $0.lun } ?? targets[target].units.endIndex
    targets[target].units.insert(unit, at: place)
    for session in targets[target].sessions.indices {
      targets[target].sessions[session].attend()
      targets[target].sessions[session].units.insert(.init(lun: unit.lun, attentions: 0), at: 0)
    }
  }

  private mutating func deleteUnit(_ tid: Int32, _ lun: UInt64) throws {
    guard lun != 0 else { throw TgtadmError.invalidRequest }
    guard let target = targets.firstIndex(where: { $0.tid == tid }),
      let place = targets[target].units.firstIndex(where: { $0.lun == lun })
    else { throw TgtadmError.noLUN }
    guard targets[target].units[place].commandsUnderWay == 0 else { throw TgtadmError.lunActive }
    targets[target].units.remove(at: place)
    for session in targets[target].sessions.indices {
      targets[target].sessions[session].units.removeAll { $0.lun == lun }
      targets[target].sessions[session].attend()
    }
  }
}

extension Session {
  /// Tells the initiator, at every unit, that the list of units has changed.
  fileprivate mutating func attend() {
    for index in units.indices { units[index].attentions += 1 }
  }
}

extension Unit {
  /// Takes the text of `--params`: `lu_config` of usr/spc.c.
  ///
  /// All of it is done, whatever fails; the error is that of the last part that sets one.
  mutating func configure(_ text: String, on host: SimulatedHost) throws {
    var error: TgtadmError?
    let list = text.hasPrefix("targetOps") ? text.dropFirst("targetOps ".count) : Substring(text)
    for part in list.split(separator: ",") {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard pair.count == 2, !pair[1].isEmpty else {
        error = unknown
        continue
      }
      let value = pair[1]
      switch pair[0] {
      case "scsi_id": scsiID = CText.cut(value, to: 36)
      case "scsi_sn": serial = CText.cut(value, to: 36)
      case "removable": removable = Int8(truncatingIfNeeded: CText.integer(value))
      case "readonly": readOnly = Int8(truncatingIfNeeded: CText.integer(value))
      case "thin_provisioning": thinProvisioning = Int8(truncatingIfNeeded: CText.integer(value))
      // These only initiators see.
      case "vendor_id", "product_id", "product_rev", "sense_format", "lbppbe", "la_lba", "optimal_xfer_gran",
        "optimal_xfer_len", "rotation_rate":
        break
      case "mode_page": error = Self.modePage(value)
      case "online": error = try attempt { unit in try unit.setOnline(CText.integer(value) != 0, on: host) }
      case "path": error = try attempt { unit in try unit.open(CText.cut(value, to: 1023), on: host) }
      default: error = unknown
      }
    }
    if let error { throw error }
  }

  /// A changer hands parts that it does not know on to a table of its own (usr/smc.c), which is not modelled.
  private var unknown: TgtadmError { type.name == "changer" ? .unknownParameter : .invalidRequest }

  private mutating func setOnline(_ isWanted: Bool, on host: SimulatedHost) throws {
    if isWanted { goOnline(on: host) } else { try goOffline() }
  }

  private mutating func attempt(_ body: (inout Unit) throws -> Void) throws -> TgtadmError? {
    do {
      try body(&self)
      return nil
    } catch let error as TgtadmError {
      return error
    }
  }

  /// `PAGE:SUBPAGE:SIZE:BYTE...`; with more bytes than its size says it is refused (`add_mode_page` of usr/spc.c).
  private static func modePage(_ text: String) -> TgtadmError? {
    let fields = text.split(separator: ":", omittingEmptySubsequences: false)
    let size = fields.count > 2 ? UInt16(truncatingIfNeeded: CText.integer(fields[2], base: 0)) : 0
    return fields.count > Int(size) + 3 ? .invalidRequest : nil
  }
}
