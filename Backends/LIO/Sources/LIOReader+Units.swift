import HostInterface
import SystemPackage
import TargetCore

extension LIOReader {
  mutating func readUnit(_ lun: LUN, settings: Bool, attributes: Bool, into target: inout Target) throws {
    let name = target.name
    guard settings else {
      target.units[lun] = LogicalUnit(lun: lun, backing: .unread)
      return
    }
    guard let (link, destination) = try link(in: LIOPaths.unit(name, lun)),
      let backstore = Backstore(link: destination)
    else {
      note("\(lun)", under: LIOFacts.empty(name))
      target.units[lun] = LogicalUnit(lun: lun, backing: .none)
      return
    }
    state.facts[LIOFacts.link(name, lun)] = link
    state.facts[LIOFacts.device(name, lun)] = backstore.device
    uses[backstore.device, default: 0] += 1
    if uses[backstore.device, default: 0] > 1 { state.facts[LIOFacts.shared(backstore.device)] = "true" }
    var unit = try devices[backstore.device] ?? readDevice(backstore, attributes)
    devices[backstore.device] = unit
    if unit.readOnly == true { state.facts[LIOFacts.readOnlyDevice(backstore.device)] = "true" }
    unit.lun = lun
    target.units[lun] = unit
  }

  private static let settingFiles = [
    "udev_path", "info", "attrib/hw_block_size", "attrib/block_size", "attrib/emulate_tpu",
    "wwn/vpd_unit_serial", "wwn/vendor_id", "wwn/product_id", "wwn/revision",
  ]
  /// The kernel's settings of a device, its port group and its reservation: over 100 system calls, so not for a
  /// summary.
  private static let attributeFiles =
    Capabilities.lio.unitAttributes.subtracting(LIOInfo.attributes).map(LIOPaths.attribute)
    + ["pr/res_holder", "pr/res_pr_type"]

  private mutating func readDevice(_ backstore: Backstore, _ attributes: Bool) throws -> LogicalUnit {
    var unit = LogicalUnit(lun: try LUN(0), backing: .none)
    unit.store = backstore.plugin
    unit.scsiID = backstore.name
    let values = try values(
      Self.settingFiles + (attributes ? Self.attributeFiles : []), in: backstore.device)
    readSettings(of: &unit, backstore.plugin, values)
    if attributes {
      readAttributes(of: &unit, values)
      try readPortGroups(of: backstore.device)
    }
    return unit
  }

  private func readSettings(of unit: inout LogicalUnit, _ plugin: String, _ values: LIOValues) {
    unit.deviceType = plugin == "pscsi" ? .passthrough : .disk
    if let path = values["udev_path"], path.hasPrefix("/") { unit.backing = .path(path) }
    LIOInfo(values.text("info") ?? "").fill(&unit, plugin)
    if plugin == "user" {
      // Its block size is told once, and has no file to set it.
      unit.blockSize = values["attrib/hw_block_size"].flatMap { UInt32($0) }
    } else if plugin != "pscsi" {
      unit.blockSize = values["attrib/block_size"].flatMap { UInt32($0) }
      unit.thin = values["attrib/emulate_tpu"].map { $0 == "1" }
    }
    unit.serial = values["wwn/vpd_unit_serial"].map(Self.withoutLabel)
    unit.vendor = values["wwn/vendor_id"].map(Self.withoutLabel)
    unit.product = values["wwn/product_id"].map(Self.withoutLabel)
    unit.revision = values["wwn/revision"].map(Self.withoutLabel)
  }

  private mutating func readPortGroups(of device: String) throws {
    for group in try entries(device + "/alua") where group != "default_tg_pt_gp" {
      let id = try value("\(device)/alua/\(group)/tg_pt_gp_id").flatMap { $0.isEmpty ? nil : $0 } ?? "0"
      note("\(id) \(group)", under: LIOFacts.portGroups(device))
    }
  }

  private func readAttributes(of unit: inout LogicalUnit, _ values: LIOValues) {
    for attribute in Capabilities.lio.unitAttributes where !LIOInfo.attributes.contains(attribute) {
      guard let text = values[LIOPaths.attribute(attribute)] else { continue }
      unit.attributes[attribute] = attribute == "alua_access_type" ? Self.aluaType(text) : text
    }
    if let holder = values["pr/res_holder"], holder.hasPrefix("SPC-") {
      unit.reservation = holder + (values["pr/res_pr_type"].map { "; " + $0 } ?? "")
    }
  }

  /// `T10 VPD Unit Serial Number: 8ac9b2e1`; kernels before 5.2 label the other texts too.
  private static func withoutLabel(_ text: String) -> String {
    guard text.hasPrefix("T10 "), let colon = text.firstIndex(of: ":") else { return text.trimmed }
    return text[text.index(after: colon)...].trimmed
  }

  /// The kernel takes a number and tells words (target_tg_pt_gp_alua_access_type_show).
  private static func aluaType(_ text: String) -> String {
    ["None": "0", "Implicit": "1", "Explicit": "2", "Implicit and Explicit": "3"][text] ?? text
  }

  /// Who sees which logical unit, and who may only read it.
  ///
  /// - Parameter all: Whether everyone without an ACL of its own may only read; empty when nobody else gets in. They see
  ///   every logical unit.
  mutating func readProtection(_ nodes: [ISCSIName], forAll all: [Bool], into target: inout Target) {
    let name = target.name
    for (lun, unit) in target.units.sorted(by: { $0.key < $1.key }) where !unit.isRemnant {
      let mapped = nodes.map { mappedLUNs(name, $0, lun) }
      let seeing = zip(nodes, mapped).filter { !$0.1.isEmpty }.map { Initiator.name($0.0) }
      if seeing.count != nodes.count, all.isEmpty { target.units[lun]?.initiators = seeing }
      if target.units[lun]?.readOnly == true { continue }
      let protections = mapped.joined().map(\.isProtected) + all
      if protections.isEmpty {
        if let link = state.facts[LIOFacts.link(name, lun)] {
          target.units[lun]?.readOnly = link == LIOPaths.readOnlyLink
        }
      } else {
        let isProtected = protections.allSatisfy { $0 }
        // The device itself may be read-only, which was not looked at.
        let isUnknown = unit.backing == .unread && !isProtected
        target.units[lun]?.readOnly = isUnknown ? nil : isProtected
        if Set(protections).count > 1 {
          state.remarks.append(
            "lun \(lun) of \(name) is read-only for some initiators and writable for others")
        }
      }
    }
  }

  func mappedLUNs(_ name: TargetName, _ node: ISCSIName, _ lun: LUN) -> [MappedLUN] {
    let lines = state.facts[LIOFacts.mapped(name, node, lun)] ?? ""
    return lines.split(separator: "\n").compactMap(MappedLUN.init(line:))
  }
}

extension LogicalUnit {
  /// Whether it is what a killed run left: a LUN that shows nothing, or a backstore that no LUN shows.
  ///
  /// It is told as a
  /// logical unit of which nothing is known, so that one that is wanted replaces it, and one that is not wanted goes.
  var isRemnant: Bool { store == nil && backing == .none }
}
