import HostInterface
import TargetCore

extension STGTPlanner {
  /// Makes the logical unit, then gives it its identity: tgtd takes that only for one that exists.
  ///
  /// A disk is made without a medium and gets that together with its identity: no initiator sees a disk that has
  /// tgtd's own identity, which is the same on every machine, and what is left of a run that was killed between
  /// the two is no disk yet, so that the next run makes it anew.
  func addUnit(_ unit: LogicalUnit, to name: TargetName) throws -> [Step] {
    let tid = try target(name).tid
    try checkStore(of: unit, at: name)
    let removal = ManagementRequest(mode: .device, operation: .delete, tid: tid, lun: UInt64(unit.lun.number))
    return try creation(of: unit, tid).enumerated().map { index, request in
      try step(request, undo: index == 0 ? [removal] : [])
    }
  }

  func removeUnit(_ lun: LUN, from name: TargetName, force: Bool) throws -> [Step] {
    let (target, tid) = try target(name)
    guard let unit = target.units[lun] else {
      throw Failure(.notFound, "lun \(lun) of \(name)", "does not exist")
    }
    let closing = force ? try closeConnections(of: target, tid) : []
    return closing + [try removal(of: unit, tid)]
  }

  func removal(of unit: LogicalUnit, _ tid: UInt32) throws -> Step {
    try step(
      ManagementRequest(mode: .device, operation: .delete, tid: tid, lun: UInt64(unit.lun.number)),
      undo: creation(of: unit, tid), patience: Self.quietLimit)
  }

  func setUnit(_ unit: LogicalUnit, of name: TargetName) throws -> [Step] {
    let (target, tid) = try target(name)
    var patch = unit
    patch.backing = target.units[unit.lun]?.backing ?? unit.backing
    let settings = settings(of: patch)
    guard !settings.isEmpty else { return [] }
    let before = target.units[unit.lun].map { now in
      self.settings(of: now).filter { old in settings.contains { $0.name == old.name } }
    }
    let undo = before.map { $0.isEmpty ? [] : [updating(unit.lun, tid, $0)] } ?? []
    return [try step(updating(unit.lun, tid, settings), undo: undo)]
  }

  /// tgtd reads the size when it opens the backing, and it opens it anew only while the unit is offline.
  func resizeUnit(_ lun: LUN, of name: TargetName) throws -> [Step] {
    let (target, tid) = try target(name)
    guard let unit = target.units[lun], case .path(let path) = unit.backing else {
      throw Failure(.invalid, "lun \(lun) of \(name)", "has no backing whose size could have changed")
    }
    let reopening = updating(lun, tid, [Setting("path", path)])
    return [
      try step(updating(lun, tid, [Setting("online", "0")]), undo: [reopening]),
      try step(reopening),
    ]
  }

  private struct Setting {
    var name: String
    var value: String
    init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  private func creation(of unit: LogicalUnit, _ tid: UInt32) throws -> [ManagementRequest] {
    var words: [(option: String, key: String, value: String)] = []
    var later: String?
    if case .path(let path) = unit.backing {
      if deviceType(of: unit) == .disk {
        later = path
      } else {
        words.append(("--backing-store", "path", path))
      }
    }
    if let store = unit.store { words.append(("--bstype", "bstype", store)) }
    if let options = unit.attributes["bsopts"] { words.append(("--bsopts", "bsopts", options)) }
    let flags = try openFlags(of: unit)
    if !flags.isEmpty { words.append(("--bsoflags", "bsoflags", flags)) }
    if let size = unit.blockSize { words.append(("--blocksize", "blocksize", String(size))) }
    let new = ManagementRequest(
      mode: .device, operation: .new, tid: tid, lun: UInt64(unit.lun.number),
      deviceType: deviceType(of: unit),
      parameters: Text(words.map { "\($0.key)=\($0.value)" }.joined(separator: ",")),
      options: words.flatMap { [Text($0.option), Text($0.value)] })
    guard let later else {
      let settings = settings(of: unit)
      return [new] + (settings.isEmpty ? [] : [updating(unit.lun, tid, settings)])
    }
    // Opening a medium brings it online, and one that is absent makes a disk removable.
    var opened = unit
    (opened.online, opened.removable) = (nil, unit.removable ?? false)
    let settings = settings(of: opened, opening: later)
    let closing = unit.online == false ? [updating(unit.lun, tid, [Setting("online", "0")])] : []
    return [new, updating(unit.lun, tid, settings)] + closing
  }

  /// What tgtd opens the backing with.
  ///
  /// `sync` and not `direct` makes the cache write-through: O_SYNC also empties the disk's own cache, and it works
  /// on file systems and block sizes for which O_DIRECT does not.
  private func openFlags(of unit: LogicalUnit) throws -> String {
    let store = unit.store ?? "rdwr"
    if !state.stores.isEmpty, state.stores[store] == nil {
      throw Failure(
        .unsupported, "lun \(unit.lun)",
        "cannot use the backing store \(store), which this tgtd does not have",
        remedy: "use one of \(state.stores.keys.sorted().joined(separator: ", "))")
    }
    if let flags = unit.attributes["bsoflags"] { return flags }
    let takesFlags = state.stores[store].map { !$0.isEmpty } ?? ["rdwr", "mmc", "smc"].contains(store)
    return unit.cache == .through && takesFlags && unit.backing != .none ? "sync" : ""
  }

  private func deviceType(of unit: LogicalUnit) -> ManagementRequest.DeviceType {
    switch unit.deviceType {
    case .cd: .cd
    case .tape: .tape
    case .changer: .changer
    case .osd: .osd
    case .passthrough: .pt
    case .disk, .controller, nil: .disk
    }
  }

  /// The settings of `--params` that a unit names; a medium that is absent cannot be brought online.
  ///
  /// tgtd does all of them and answers for the last that can fail: that is one of the attributes where there are any.
  private func settings(of unit: LogicalUnit, opening path: String? = nil) -> [Setting] {
    var list: [Setting] = []
    func add(_ name: String, _ value: String?) { if let value { list.append(Setting(name, value)) } }
    func flag(_ value: Bool?) -> String? { value.map { $0 ? "1" : "0" } }
    add("scsi_id", unit.scsiID)
    add("scsi_sn", unit.serial)
    add("vendor_id", unit.vendor)
    add("product_id", unit.product)
    add("product_rev", unit.revision)
    add("removable", flag(unit.removable))
    add("readonly", flag(unit.readOnly))
    add("thin_provisioning", flag(unit.thin))
    add("path", path)
    for (name, value) in unit.attributes.sorted(by: { $0.key < $1.key })
    where name != "bsoflags" && name != "bsopts" {
      add(name, value)
    }
    if unit.backing != .none { add("online", flag(unit.online)) }
    return list
  }

  private func updating(_ lun: LUN, _ tid: UInt32, _ settings: [Setting]) -> ManagementRequest {
    let text = settings.map { "\($0.name)=\($0.value)" }.joined(separator: ",")
    return ManagementRequest(
      mode: .device, operation: .update, tid: tid, lun: UInt64(lun.number), parameters: "targetOps \(text),",
      options: ["--params", Text(text)])
  }
}
