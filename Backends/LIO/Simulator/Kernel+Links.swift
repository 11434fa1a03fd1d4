import SystemPackage

/// Links: from a LUN to its backstore, and from a mapped LUN to its LUN.
extension Kernel {
  /// Makes a link; `destination` is nil for what is outside of the target's part of configfs.
  mutating func createLink(_ path: [String], to destination: [String]?) throws(Errno) {
    let (parent, name) = try parent(of: path)
    guard self[parent].links[name] == nil, self[parent].children[name] == nil else { throw .fileExists }
    guard [.unit, .mapped].contains(self[parent].kind) else { throw .notPermitted }
    guard let destination else { throw .notDirectory }
    guard case .item(let target) = try find(destination) else { throw .notDirectory }
    if self[parent].kind == .unit {
      try checkExport(of: target, by: parent)
    } else {
      try checkMapping(of: target, by: parent)
    }
    self[parent].links[name] = target
    linkers[target, default: []].insert(parent)
    if self[parent].kind == .unit { didExport(target, by: parent) } else { didMap(target, by: parent) }
  }

  private func checkExport(of device: Number, by unit: Number) throws(Errno) {
    guard case .device = self[device].kind else { throw .badAddress }
    guard backstores[device]?.isConfigured == true else { throw .noSuchDevice }
    guard self[unit].links.isEmpty else { throw .fileExists }
  }

  private func checkMapping(of unit: Number, by mapped: Number) throws(Errno) {
    guard self[unit].kind == .unit else { throw .badAddress }
    let group = above(above(above(mapped)))
    guard above(above(unit)) == group, !self[unit].links.isEmpty, self[mapped].links.isEmpty else {
      throw .invalidArgument
    }
  }

  private mutating func didExport(_ device: Number, by unit: Number) {
    let group = above(above(unit))
    if value("generate_node_acls", of: child("attrib", of: group)) == "1" {
      // Its initiators of a cached ACL see a new LUN as the settings are now, which the model keeps by the node.
      dynamicNodes[group] = dynamicNodes[group] ?? [:]
    }
  }

  private mutating func didMap(_ unit: Number, by mapped: Number) {
    self[mapped].values["write_protect"] = "0"
    if let device = self[unit].links.values.first { activateReservations(of: device, through: mapped, unit) }
  }

  func readLink(_ path: [String]) throws(Errno) -> String {
    guard case .link(let destination) = try find(path) else { throw .invalidArgument }
    // One `..` for each directory between the link and the mount point.
    let up = String(repeating: "../", count: path.count)
    return up + (["target"] + self.path(of: destination)).joined(separator: "/")
  }

  mutating func removeFile(_ path: [String]) throws(Errno) {
    switch try find(path) {
    case .item: throw .isDirectory
    case .attribute: throw .notPermitted
    case .link(let destination):
      let (parent, name) = try parent(of: path)
      linkers[destination]?.remove(parent)
      if linkers[destination]?.isEmpty == true { linkers[destination] = nil }
      self[parent].links[name] = nil
      self[parent].values["write_protect"] = nil
    }
  }

  /// How many LUNs show a device.
  func exports(of device: Number) -> Int {
    linkers[device]?.count ?? 0
  }

  /// The device that a LUN shows.
  func device(of unit: Number) -> Number? { self[unit].links.values.first }
}
