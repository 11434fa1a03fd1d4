import SystemPackage

/// The persistent reservations of a device (SPC-4 section 5.13).
struct Reservations: Sendable {
  struct Registration: Sendable {
    var initiator: String
    var isid: String
    var key: UInt64
    var generation: Int
    var isHolder = false
    var target: String
    var unit: Int
    /// Whether it holds for every port of the target.
    var isOfAllPorts = false
  }

  var registrations: [Registration] = []
  var generation = 0
  var type = 0
  var isKept = false
  /// Registrations that were restored, until their initiator sees the device again.
  var waiting: [Registration] = []

  var holder: Registration? { registrations.first(where: \.isHolder) }

  static let types = [
    1: "Write Exclusive Access", 3: "Exclusive Access", 5: "Write Exclusive Access, Registrants Only",
    6: "Exclusive Access, Registrants Only", 7: "Write Exclusive Access, All Registrants",
    8: "Exclusive Access, All Registrants",
  ]

  /// The file that they are kept in (core_scsi3_update_aptpl_buf).
  var text: String {
    guard !registrations.isEmpty else { return "No Registrations or Reservations" }
    return registrations.enumerated().map { index, one in
      "PR_REG_START: \(index)\ninitiator_fabric=iSCSI\ninitiator_node=\(one.initiator)\ninitiator_sid=\(one.isid)\n"
        + "sa_res_key=\(one.key)\nres_holder=\(one.isHolder ? 1 : 0)\n"
        + (one.isHolder ? "res_type=0\(type)\nres_scope=00\n" : "")
        + "res_all_tg_pt=\(one.isOfAllPorts ? 1 : 0)\nmapped_lun=\(one.unit)\ntarget_fabric=iSCSI\n"
        + "target_node=\(one.target)\ntpgt=1\nport_rtpi=1\ntarget_lun=\(one.unit)\nPR_REG_END: \(index)\n"
    }.joined() + "\0"
  }
}

extension Kernel {
  func reservationText(_ name: String, _ device: Number, _ plugin: Kind.Plugin) -> String {
    let all = reservations[device] ?? Reservations()
    let none = "No SPC-3 Reservation holder\n"
    switch name {
    case "res_type":
      return plugin == .pscsi ? "SPC_PASSTHROUGH\n" : "SPC3_PERSISTENT_RESERVATIONS\n"
    case "res_aptpl_active":
      return plugin == .pscsi ? "" : "APTPL Bit Status: \(all.isKept ? "Activated" : "Disabled")\n"
    case "res_aptpl_metadata": return plugin == .pscsi ? "" : "Ready to process PR APTPL metadata..\n"
    case "res_pr_generation":
      let digits = String(all.generation, radix: 16)
      return "0x" + String(repeating: "0", count: 8 - digits.count) + digits + "\n"
    case "res_pr_registered_i_pts":
      let lines = all.registrations.map { one in
        let key = String(one.key, radix: 16)
        let generation = String(one.generation, radix: 16)
        return "iSCSI Node: \(one.initiator),i,0x\(one.isid) Key: 0x"
          + String(repeating: "0", count: 16 - key.count) + key + " PRgen: 0x"
          + String(repeating: "0", count: 8 - generation.count) + generation + "\n"
      }
      return "SPC-3 PR Registrations:\n" + (lines.isEmpty ? "None\n" : lines.joined())
    default: break
    }
    if name == "res_holder", plugin == .pscsi { return "Passthrough\n" }
    guard let holder = all.holder else { return none }
    switch name {
    case "res_holder": return "SPC-3 Reservation: iSCSI Initiator: \(holder.initiator),i,0x\(holder.isid)\n"
    case "res_pr_all_tgt_pts":
      return "SPC-3 Reservation: \(holder.isOfAllPorts ? "All" : "Single") Target Port"
        + "\(holder.isOfAllPorts ? "s" : "") registration\n"
    case "res_pr_holder_tg_port":
      return "SPC-3 Reservation: iSCSI Target Node Endpoint: \(holder.target)\n"
        + "SPC-3 Reservation: Relative Port Identifier Tag: 1 iSCSI Portal Group Tag: 1 "
        + "iSCSI Logical Unit: \(holder.unit)\n"
    default: return "SPC-3 Reservation Type: \(Reservations.types[all.type] ?? "")\n"
    }
  }

  /// Takes back a registration that was kept; only before a LUN shows the device.
  mutating func restoreReservation(_ text: String, of device: Number) throws(Errno) {
    guard exports(of: device) == 0 else { throw .invalidArgument }
    var words: [String: String] = [:]
    for word in text.split(separator: ",") {
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      if parts.count == 2 { words[parts[0]] = parts[1] }
    }
    guard let node = words["initiator_node"], let target = words["target_node"],
      let key = words["sa_res_key"].flatMap({ UInt64($0) }), key != 0
    else { throw .invalidArgument }
    var one = Reservations.Registration(
      initiator: node, isid: words["initiator_sid"] ?? "0", key: key, generation: 0, target: target,
      unit: Int(words["target_lun"] ?? "") ?? 0)
    one.isHolder = words["res_holder"] == "1"
    one.isOfAllPorts = words["res_all_tg_pt"] == "1"
    if one.isHolder { reservations[device, default: Reservations()].type = Int(words["res_type"] ?? "") ?? 0 }
    reservations[device, default: Reservations()].waiting.append(one)
  }

  /// What was restored of an initiator holds from when it sees the LUN again (core_scsi3_check_aptpl_registration).
  mutating func activateReservations(of device: Number, through mapped: Number, _ unit: Number) {
    guard var all = reservations[device] else { return }
    let initiator = self[above(mapped)].name
    let target = self[above(above(above(above(mapped))))].name
    for var one in all.waiting where one.initiator == initiator && one.target == target {
      one.generation = all.generation
      all.generation += 1
      all.registrations.append(one)
      all.isKept = true
    }
    all.waiting.removeAll { $0.initiator == initiator && $0.target == target }
    reservations[device] = all
  }

  /// REGISTER AND IGNORE EXISTING KEY; false where the kernel cannot write the file that it keeps them in.
  mutating func register(session id: Int, lun: Int, key: UInt64, isKept: Bool, _ machine: Machine) -> Bool {
    guard let session = sessions[id], let device = seenDevice(session, lun) else { return false }
    var all = reservations[device] ?? Reservations()
    let digits = String(session.isid, radix: 16)
    let isid = "4" + String(repeating: "0", count: 11 - digits.count) + digits
    if let index = all.registrations.firstIndex(where: {
      $0.initiator == session.initiator && $0.isid == isid
    }) {
      all.registrations[index].key = key
      all.registrations[index].generation = all.generation
    } else {
      all.registrations.append(
        .init(
          initiator: session.initiator, isid: isid, key: key, generation: all.generation,
          target: self[above(session.group)].name, unit: lun))
    }
    all.generation += 1
    let serial = value("vpd_unit_serial", of: child("wwn", of: device))
    let folder = value("dbroot", of: Self.root) + "/pr"
    let canKeep = (try? machine.status(folder).get())?.kind == .directory
    if canKeep { all.isKept = isKept }
    reservations[device] = all
    guard canKeep else { return false }
    machine.host.addFile(
      .init(folder + "/aptpl_" + serial), text: isKept ? all.text : "No Registrations or Reservations")
    return true
  }

  mutating func reserve(session id: Int, lun: Int, type: Int) -> Bool {
    guard let session = sessions[id], let device = seenDevice(session, lun), var all = reservations[device],
      let index = all.registrations.firstIndex(where: { $0.initiator == session.initiator })
    else { return false }
    guard all.holder == nil || all.registrations[index].isHolder else { return false }
    all.registrations[index].isHolder = true
    all.type = type
    reservations[device] = all
    return true
  }

  /// Whether a reservation keeps an initiator from writing.
  func isReserved(_ device: Number, from initiator: String) -> Bool {
    guard let all = reservations[device], let holder = all.holder else { return false }
    let isOfRegistrants = all.type >= 5
    return isOfRegistrants
      ? !all.registrations.contains { $0.initiator == initiator } : holder.initiator != initiator
  }

  /// The device behind a LUN that a session sees.
  func seenDevice(_ session: Session, _ lun: Int) -> Number? {
    guard let node = session.node else {
      return self[child("lun", of: session.group)].children["lun_\(lun)"].flatMap(device)
    }
    return self[node].children["lun_\(lun)"].flatMap { self[$0].links.values.first }.flatMap(device)
  }
}
