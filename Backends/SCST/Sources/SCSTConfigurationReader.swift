import HostInterface
import TargetCore

/// Reads scst.conf into what should be exported.
struct SCSTConfigurationReader {
  private var warnings: [String] = []
  /// The devices by name, as logical units without a number.
  private var devices: [String: LogicalUnit] = [:]
  private var setupID: UInt32 = 0

  /// - Throws: ``Failure`` with code `invalid` or `unsupported` that names the line.
  static func read(_ text: String) throws -> ConfigurationText {
    var reader = SCSTConfigurationReader()
    let statements = try SCSTConfigurationText.statements(in: text)
    for statement in statements where statement.keyword == "setup_id" {
      reader.setupID = UInt32(asFound: statement.argument.lowercased()) ?? 0
    }
    for statement in statements where statement.keyword == "HANDLER" { try reader.takeHandler(statement) }
    var state = DesiredState()
    for statement in statements {
      switch statement.keyword {
      case "HANDLER": break
      case "TARGET_DRIVER": try reader.takeDriver(statement, into: &state)
      case "DEVICE_GROUP":
        reader.warnings.append("device group \(statement.argument) (line \(statement.line)) is not applied")
      default: reader.warnings.append("\(statement.keyword) (line \(statement.line)) is not applied")
      }
    }
    return ConfigurationText(state: state, warnings: reader.warnings)
  }

  private func fault(_ problem: String, _ line: Int, remedy: String? = nil) -> Failure {
    SCSTConfigurationText.fault(problem, line, remedy: remedy)
  }

  /// A value with a blank that is not quoted is another word, which `scstadmin` does not take.
  private func checkWords(_ statement: SCSTStatement) throws {
    guard statement.words.count == 2 else {
      throw fault(
        "needs one value behind \(statement.keyword)", statement.line,
        remedy: statement.words.count > 2 ? "put it into double quotes" : nil)
    }
  }

  // MARK: Devices

  private mutating func takeHandler(_ section: SCSTStatement) throws {
    guard let handler = SCSTHandler(rawValue: section.argument) else {
      throw fault(
        "names the handler \(section.argument), which is none of SCST's that can be set up", section.line)
    }
    for device in section.children {
      guard device.keyword == "DEVICE" else {
        warnings.append(
          "\(device.keyword) of handler \(section.argument) (line \(device.line)) is not applied")
        continue
      }
      try checkWords(device)
      guard devices[device.argument] == nil else {
        throw fault("names the device \(device.argument) a second time", device.line)
      }
      devices[device.argument] = try unit(of: device, handler)
    }
  }

  /// A device with the identity that SCST gives it by itself where the file says nothing.
  private func unit(of device: SCSTStatement, _ handler: SCSTHandler) throws -> LogicalUnit {
    let name = device.argument
    var unit = LogicalUnit(lun: try LUN(0), backing: .none)
    unit.store = handler.rawValue
    unit.deviceType = handler == .cdrom ? .cd : handler == .disk ? .passthrough : .disk
    guard handler != .disk else {
      unit.backing = .path("/dev/bsg/" + name)
      return unit
    }
    unit.attributes[SCSTAttributes.name] = name
    let serial = SCSTIdentity.serial(of: name, setupID: setupID)
    unit.serial = serial
    unit.scsiID = String("\(serial)-\(name)".prefix(25))
    if handler.hasFile { unit.cache = .back }
    for attribute in device.children { try take(attribute, into: &unit, handler) }
    if unit.readOnly == true { unit.cache = nil }
    if handler.hasFile, unit.backing == .none { throw fault("has no filename", device.line) }
    return unit
  }

  private func take(_ attribute: SCSTStatement, into unit: inout LogicalUnit, _ handler: SCSTHandler) throws {
    try checkWords(attribute)
    let (name, value) = (attribute.keyword, attribute.argument)
    func flag() throws -> Bool {
      guard value == "0" || value == "1" else {
        throw fault("sets \(name) to \(value.debugDescription), 0 and 1 are allowed", attribute.line)
      }
      return value == "1"
    }
    switch name {
    case "filename":
      do { unit.backing = try Backing(path: value) } catch let failure as Failure {
        throw fault("has a filename that cannot be (\(value)): \(failure.problem)", attribute.line)
      }
    case "usn": unit.serial = value
    case "t10_dev_id": unit.scsiID = value
    case "t10_vend_id": unit.vendor = value
    case "prod_id": unit.product = value
    case "prod_rev_lvl": unit.revision = value
    case "blocksize":
      guard let size = UInt32(value) else {
        throw fault("has a blocksize that is no number (\(value))", attribute.line)
      }
      unit.blockSize = size
    case "read_only": unit.readOnly = try flag()
    case "write_through": unit.cache = try flag() ? .through : .back
    case "thin_provisioned": unit.thin = try flag()
    case "removable": unit.removable = try flag()
    case "active": unit.online = try flag()
    case "size_mb" where handler == .nullio:
      guard let size = UInt64(value), size < 1 << 43 else {
        throw fault("has no number of MiB (\(value))", attribute.line)
      }
      unit.attributes["size"] = String(size << 20)
    // What a file or device has is its own.
    case "size", "size_mb": if handler == .nullio { unit.attributes["size"] = value }
    default: unit.attributes[name] = value
    }
  }

  // MARK: Targets

  private mutating func takeDriver(_ section: SCSTStatement, into state: inout DesiredState) throws {
    guard section.argument == "iscsi" else {
      if section.argument != "copy_manager" {
        warnings.append("target driver \(section.argument) (line \(section.line)) is not applied")
      }
      return
    }
    var chap = CHAPSpec(incoming: [], outgoing: .some(.none))
    var isEnabled = false
    for statement in section.children {
      switch statement.keyword {
      case "TARGET": state.targets.append(try target(of: statement))
      case "enabled": isEnabled = statement.argument == "1"
      case "IncomingUser": chap.incoming?.append(try account(of: statement))
      case "OutgoingUser": chap.outgoing = .some(.some(try account(of: statement)))
      default: warnings.append("\(statement.keyword) of the driver (line \(statement.line)) is not applied")
      }
    }
    state.discovery = chap
    if !isEnabled, state.targets.contains(where: { $0.enabled == true }) {
      warnings.append("the driver is not enabled in the file; enabling a target enables it")
    }
  }

  private func account(of statement: SCSTStatement) throws -> CHAPAccount {
    let words = statement.words.dropFirst().flatMap { $0.split(separator: " ") }.map(String.init)
    guard words.count == 2 else { throw fault("has no account of a name and a secret", statement.line) }
    do {
      return try CHAPAccount(user: CHAPUser(words[0]), secret: Secret(words[1].utf8))
    } catch let failure as Failure {
      throw fault("has an account that cannot be: \(failure.problem)", statement.line)
    }
  }

  private mutating func target(of section: SCSTStatement) throws -> TargetSpec {
    var spec: TargetSpec
    do {
      spec = TargetSpec(name: try TargetName(section.argument))
    } catch let failure as Failure {
      throw fault("names a target that cannot be: \(failure.problem)", section.line)
    }
    spec.enabled = false
    var chap = CHAPSpec(incoming: [], outgoing: .some(.none))
    var maps = [SCSTMap(group: nil)]
    var portals: [Portal] = []
    for statement in section.children {
      switch statement.keyword {
      case "LUN": try take(statement, into: &maps[0])
      case "GROUP": maps.append(try map(of: statement))
      case "enabled": spec.enabled = statement.argument == "1"
      case "rel_tgt_id": spec.id = UInt32(statement.argument).flatMap { $0 > 0 ? $0 : nil }
      case "IncomingUser": chap.incoming?.append(try account(of: statement))
      case "OutgoingUser": chap.outgoing = .some(.some(try account(of: statement)))
      case "allowed_portal": portals += try self.portals(of: statement)
      default: try take(statement, into: &spec)
      }
    }
    spec.chap = chap
    if !portals.isEmpty { spec.portals = portals }
    try SCSTMap.merge(maps, devices: devices, into: &spec)
    return spec
  }

  private func take(_ statement: SCSTStatement, into spec: inout TargetSpec) throws {
    try checkWords(statement)
    let value = statement.argument
    if let parameter = SessionParameter.allCases.first(where: { $0.rawValue == statement.keyword }) {
      do {
        spec.parameters[parameter] = try parameter.normalized(value)
      } catch let failure as Failure {
        throw fault("sets \(statement.keyword): \(failure.problem)", statement.line)
      }
    } else {
      spec.attributes[statement.keyword] = value
    }
  }

  private func portals(of statement: SCSTStatement) throws -> [Portal] {
    guard let pattern = PortalPattern(asFound: statement.argument) else {
      throw Failure(
        .unsupported, "scst.conf line \(statement.line)",
        "restricts portals by the pattern \(statement.argument), where only addresses can be said",
        remedy: "name the addresses")
    }
    return pattern.portals(port: Portal.standardPort).sorted()
  }

  private mutating func map(of section: SCSTStatement) throws -> SCSTMap {
    var map = SCSTMap(group: section.argument)
    for statement in section.children {
      switch statement.keyword {
      case "LUN": try take(statement, into: &map)
      case "INITIATOR":
        guard let name = (try? ISCSIName(statement.argument)) ?? ISCSIName(asFound: statement.argument) else {
          throw fault("names an initiator that cannot be", statement.line)
        }
        map.initiators.append(name)
      default:
        warnings.append(
          "\(statement.keyword) of group \(section.argument) (line \(statement.line)) is not applied")
      }
    }
    return map
  }

  private func take(_ statement: SCSTStatement, into map: inout SCSTMap) throws {
    guard statement.words.count == 3, let lun = try? LUN(statement.words[1]) else {
      throw fault("has no lun and device: \(statement.words.joined(separator: " "))", statement.line)
    }
    guard devices[statement.words[2]] != nil else {
      throw fault("shows the device \(statement.words[2]), which no handler has", statement.line)
    }
    let isReadOnly = statement.children.contains { $0.keyword == "read_only" && $0.argument == "1" }
    guard map.units.updateValue((statement.words[2], isReadOnly, statement.line), forKey: lun) == nil else {
      throw fault("names lun \(lun) a second time", statement.line)
    }
  }
}
