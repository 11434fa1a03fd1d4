import HostInterface
import SystemPackage
import TargetCore

extension LIOBackend {
  func read(_ host: any Host, detail: ReadDetail) async throws -> LiveState {
    guard try host.status(FilePath(LIOPaths.fabric)) != nil else {
      throw Failure(
        .unavailable, "lio", "the kernel's target does not answer, \(LIOPaths.fabric) does not exist",
        remedy: "run `quartet start -i lio`, or load the module iscsi_target_mod")
    }
    var reader = LIOReader(host: host)
    for entry in try host.list(FilePath(LIOPaths.fabric)) {
      guard LIOReader.isTargetName(entry) else { continue }
      guard let name = TargetName(asFound: entry) else {
        reader.state.remarks.append("LIO has a target with a name that cannot be handled (\(entry))")
        continue
      }
      try reader.readTarget(name, detail: detail)
    }
    if detail.shared {
      try reader.readBackstores()
      try reader.readStoredReservations()
      try reader.readDiscovery()
      try reader.readSCSIAddresses()
    }
    return reader.state
  }
}

/// Reads configfs into the model.
///
/// What an entry is made of may go away while it is read, so that a file that is missing is a value that is not
/// told.
struct LIOReader {
  let host: any Host
  var state = LiveState()
  /// How many LUNs show a device.
  var uses: [String: Int] = [:]
  /// The settings of devices that several LUNs show are read once.
  var devices: [String: LogicalUnit] = [:]

  init(host: any Host) { self.host = host }

  static func isTargetName(_ entry: String) -> Bool {
    ["iqn.", "eui.", "naa."].contains { entry.lowercased().hasPrefix($0) }
  }

  // MARK: Files

  /// A file's first line; nil when the file is not there or cannot be read.
  func value(_ path: String) throws -> String? {
    do {
      let text = try host.text(FilePath(path))
      return String(text.prefix { $0 != "\n" })
    } catch let failure as Failure where failure.code != .permission {
      return nil
    }
  }

  /// Files below a directory.
  func values(_ files: [String], in folder: String) throws -> LIOValues {
    LIOValues(files, try host.attributes(files, in: FilePath(folder)))
  }

  func entries(_ path: String) throws -> [String] {
    do { return try host.list(FilePath(path)) } catch let failure as Failure where failure.code == .notFound {
      return []
    }
  }

  /// The name and destination of the link in a directory; the names that Quartet gives are tried first.
  func link(in folder: String) throws -> (name: String, destination: String)? {
    if let destination = try? host.readLink(FilePath("\(folder)/\(LIOPaths.link)")) {
      return (LIOPaths.link, destination.string)
    }
    for entry in try entries(folder) {
      if let destination = try? host.readLink(FilePath("\(folder)/\(entry)")) {
        return (entry, destination.string)
      }
    }
    return nil
  }

  /// Adds a line to a fact that is a list.
  mutating func note(_ line: String, under fact: String) {
    state.facts[fact] = state.facts[fact].map { "\($0)\n\(line)" } ?? line
  }

  // MARK: Targets

  mutating func readTarget(_ name: TargetName, detail: ReadDetail) throws {
    let groups = try entries(LIOPaths.target(name)).filter { $0.hasPrefix("tpgt_") }
    for group in groups where group != "tpgt_1" {
      state.remarks.append("target \(name) has the portal group \(group), which is left alone")
      note(group, under: LIOFacts.otherGroups(name))
    }
    var target = Target(name: name)
    target.portals = []
    guard groups.contains("tpgt_1") else {
      noteHalfBuilt(&target, "name")
      return
    }
    let group = LIOPaths.group(name)
    let isWhole = detail.parameters.contains(name)
    let values = try values(Self.groupFiles + (isWhole ? Self.parameterFiles : []), in: group)
    target.enabled = values["enable"] == "1"
    let isForAll = values["attrib/generate_node_acls"] == "1"
    if isForAll { target.initiators.insert(.all) }
    try readPortals(into: &target)
    for entry in try entries(group + "/lun") where entry.hasPrefix("lun_") {
      guard let number = Int(entry.dropFirst(4)), let lun = try? LUN(number), "lun_\(lun)" == entry else {
        state.remarks.append("target \(name) has a LUN that cannot be handled (\(entry))")
        continue
      }
      try readUnit(lun, settings: detail.units.contains(name), attributes: isWhole, into: &target)
    }
    let nodes = try readNodes(into: &target, statistics: detail.statistics.contains(name))
    readAccounts(of: nodes, group: values, into: &target)
    let open = nodes.map(\.node).filter { target.initiators.contains(.name($0)) }
    let isReadOnlyForAll = values["attrib/demo_mode_write_protect"] == "1"
    readProtection(open, forAll: isForAll ? [isReadOnlyForAll] : [], into: &target)
    readDynamicSessions(values, into: &target)
    if isWhole { readParameters(values, into: &target) }
    let isEmpty = target.units.isEmpty && nodes.isEmpty && target.portals?.isEmpty != false
    if !target.enabled, isEmpty, state.facts[LIOFacts.empty(name)] == nil {
      // Quartet enables a portal group right after it made it, while nobody can get in.
      noteHalfBuilt(&target, "group")
    }
    state.targets[name] = target
  }

  /// A run was killed before the target was made.
  ///
  /// What it is meant to be it is told as: in service.
  private mutating func noteHalfBuilt(_ target: inout Target, _ built: String) {
    state.facts[LIOFacts.halfBuilt(target.name)] = built
    state.remarks.append(
      "target \(target.name) was not finished; `quartet apply` of its document finishes it, a delete removes it"
    )
    target.enabled = true
    state.targets[target.name] = target
  }

  private mutating func readPortals(into target: inout Target) throws {
    let folder = LIOPaths.group(target.name) + "/np"
    for entry in try entries(folder) {
      guard var portal = try? Portal(entry) else {
        state.remarks.append("target \(target.name) has a portal that cannot be handled (\(entry))")
        continue
      }
      portal.iser = try value("\(folder)/\(entry)/iser") == "1"
      target.portals?.insert(portal)
    }
  }

  private static let groupFiles =
    ["enable", "dynamic_sessions"]
    + ["generate_node_acls", "demo_mode_write_protect", "authentication"].map { "attrib/" + $0 }
    + accountFiles.map { "auth/" + $0 }

  private static let parameterFiles =
    SessionParameter.allCases.map { "param/\($0.rawValue)" }
    + Capabilities.lio.targetAttributes.map(LIOPaths.targetAttribute)

  private func readParameters(_ values: LIOValues, into target: inout Target) {
    for parameter in SessionParameter.allCases {
      target.parameters[parameter] = values["param/\(parameter.rawValue)"]
    }
    for attribute in Capabilities.lio.targetAttributes {
      if let text = values[LIOPaths.targetAttribute(attribute)] { target.attributes[attribute] = text }
    }
  }
}

/// What files of configfs told, by their paths below one directory.
struct LIOValues {
  private var texts: [String: String] = [:]

  init() {}

  init(_ files: [String], _ contents: [[UInt8]?]) {
    for (file, bytes) in zip(files, contents) {
      texts[file] = bytes.map { String(decoding: $0, as: UTF8.self) }
    }
  }

  /// A file's first line; nil when it was not there or could not be read.
  subscript(file: String) -> String? { texts[file].map { String($0.prefix { $0 != "\n" }) } }

  /// A whole file.
  func text(_ file: String) -> String? { texts[file] }
}
