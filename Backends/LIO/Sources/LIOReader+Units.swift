import HostInterface
import SystemPackage
import TargetCore

extension LIOReader {
  mutating func readUnit(_ lun: LUN, settings: Bool, into target: inout Target) throws {
    let name = target.name
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
    var unit = try devices[backstore.device] ?? readDevice(backstore, settings: settings)
    devices[backstore.device] = unit
    if unit.readOnly == true { state.facts[LIOFacts.readOnlyDevice(backstore.device)] = "true" }
    unit.lun = lun
    target.units[lun] = unit
  }

  private func readDevice(_ backstore: Backstore, settings: Bool) throws -> LogicalUnit {
    let device = backstore.device
    var unit = LogicalUnit(lun: try LUN(0), backing: settings ? .none : .unread)
    unit.store = backstore.plugin
    unit.scsiID = backstore.name
    guard settings else { return unit }
    unit.deviceType = backstore.plugin == "pscsi" ? .passthrough : .disk
    if let path = try value(device + "/udev_path"), path.hasPrefix("/") { unit.backing = .path(path) }
    LIOInfo((try? host.text(FilePath(device + "/info"))) ?? "").fill(&unit, backstore.plugin)
    if backstore.plugin == "user" {
      // Its block size is told once, and has no file to set it.
      unit.blockSize = try value(device + "/attrib/hw_block_size").flatMap { UInt32($0) }
    } else if backstore.plugin != "pscsi" {
      unit.blockSize = try value(device + "/attrib/block_size").flatMap { UInt32($0) }
      unit.thin = try value(device + "/attrib/emulate_tpu").map { $0 == "1" }
    }
    unit.serial = try value(device + "/wwn/vpd_unit_serial").map(Self.withoutLabel)
    unit.vendor = try value(device + "/wwn/vendor_id").map(Self.withoutLabel)
    unit.product = try value(device + "/wwn/product_id").map(Self.withoutLabel)
    unit.revision = try value(device + "/wwn/revision").map(Self.withoutLabel)
    return unit
  }

  /// `T10 VPD Unit Serial Number: 8ac9b2e1`; kernels before 5.2 label the other texts too.
  private static func withoutLabel(_ text: String) -> String {
    guard text.hasPrefix("T10 "), let colon = text.firstIndex(of: ":") else { return text.trimmed }
    return text[text.index(after: colon)...].trimmed
  }

  /// The kernel's settings of a device, its port group and its reservation: over 100 system calls, so not for a
  /// summary.
  func readUnitAttributes(_ lun: LUN, into target: inout Target) throws {
    guard let device = state.facts[LIOFacts.device(target.name, lun)] else { return }
    for attribute in Capabilities.lio.unitAttributes where !LIOInfo.attributes.contains(attribute) {
      guard let text = try value("\(device)/\(LIOPaths.attribute(attribute))") else { continue }
      target.units[lun]?.attributes[attribute] = attribute == "alua_access_type" ? Self.aluaType(text) : text
    }
    if let holder = try value(device + "/pr/res_holder"), holder.hasPrefix("SPC-") {
      let type = try value(device + "/pr/res_pr_type").map { "; " + $0 } ?? ""
      target.units[lun]?.reservation = holder + type
    }
  }

  /// The kernel takes a number and tells words (target_tg_pt_gp_alua_access_type_show).
  private static func aluaType(_ text: String) -> String {
    ["None": "0", "Implicit": "1", "Explicit": "2", "Implicit and Explicit": "3"][text] ?? text
  }

  /// Who sees which logical unit, and who may only read it.
  mutating func readProtection(_ nodes: [ISCSIName], isForAll: Bool, into target: inout Target) throws {
    let name = target.name
    // Everyone without an ACL of its own sees every logical unit, all of them the same way.
    let all =
      isForAll ? [try value(LIOPaths.group(name) + "/attrib/demo_mode_write_protect") == "1"] : []
    for (lun, unit) in target.units.sorted(by: { $0.key < $1.key }) where !unit.isRemnant {
      let mapped = nodes.map { mappedLUNs(name, $0, lun) }
      let seeing = zip(nodes, mapped).filter { !$0.1.isEmpty }.map { Initiator.name($0.0) }
      if seeing.count != nodes.count, !isForAll { target.units[lun]?.initiators = seeing }
      if target.units[lun]?.readOnly == true { continue }
      let protections = mapped.joined().map(\.isProtected) + all
      if protections.isEmpty {
        let isMeant = state.facts[LIOFacts.link(name, lun)] == LIOPaths.readOnlyLink
        target.units[lun]?.readOnly = isMeant
      } else {
        target.units[lun]?.readOnly = protections.allSatisfy { $0 }
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
