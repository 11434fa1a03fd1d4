/// Volume groups.
extension World {
  func noGroup(_ name: String) -> Answer {
    .failed(5, "  Volume group \"\(name)\" not found\n  Cannot process volume group \(name)\n")
  }

  /// A free label on each device, made where there is none.
  private mutating func members(
    _ paths: [String], _ extentSize: UInt64, on node: String, _ view: View
  ) -> Result<[VolumeGroup.Device], AnswerError> {
    var found: [VolumeGroup.Device] = []
    for path in paths {
      if let refusal = refusal(path, on: node, view) { return .failure(AnswerError(.failed(5, refusal))) }
      guard let device = view.devices.first(where: { $0.path == path }) else { continue }
      if let group = device.label?.group {
        return .failure(
          AnswerError(
            .failed(5, "  Physical volume '\(path)' is already in volume group '\(group.name)'\n")))
      }
      if let signature = device.content.signatures.first {
        return .failure(
          AnswerError(
            .failed(5, "  Aborted wiping of \(signature).\n  1 existing signature left on the device.\n")))
      }
      let extents = Self.extents(device.size, extentSize)
      guard extents > 0 else {
        return .failure(
          AnswerError(
            .failed(5, "  \(path): not enough space for one extent of \(extentSize) bytes\n")))
      }
      found.append(.init(uuid: device.label?.uuid ?? newUUID(), extents: extents))
    }
    return .success(found)
  }

  struct AnswerError: Error {
    var answer: Answer
    init(_ answer: Answer) { self.answer = answer }
  }

  /// Writes a group to devices that may not have a label yet.
  private mutating func put(_ group: VolumeGroup, _ paths: [String: String], on node: String, _ view: View) {
    var group = group
    group.sequence += 1
    for device in group.devices {
      guard let path = paths[device.uuid] ?? view.path(of: device.uuid) else { continue }
      label(path, of: node) { $0.label = PhysicalLabel(uuid: device.uuid, group: group) }
    }
  }

  mutating func createGroup(_ call: LVMCall, on node: String, _ view: View) -> Answer {
    guard let name = call.names.first else { return .failed(3, "  Please provide a volume group name\n") }
    if view.group(name) != nil {
      return .failed(
        3, "  /dev/\(name): already exists in filesystem\n  Run `vgcreate --help' for more information.\n")
    }
    let size = call.options["extentsize"].flatMap(LVMCall.bytes) ?? 4 << 20
    let paths = Array(call.names.dropFirst())
    switch members(paths, size, on: node, view) {
    case .failure(let error): return error.answer
    case .success(let devices):
      let group = VolumeGroup(name: name, uuid: newUUID(), sequence: 0, extentSize: size, devices: devices)
      put(group, Dictionary(zip(devices.map(\.uuid), paths), uniquingKeysWith: { $1 }), on: node, view)
      return Answer(output: "  Volume group \"\(name)\" successfully created\n")
    }
  }

  mutating func extendGroup(_ call: LVMCall, on node: String, _ view: View) -> Answer {
    guard let name = call.names.first, var group = view.group(name) else {
      return noGroup(call.names.first ?? "")
    }
    let paths = Array(call.names.dropFirst())
    switch members(paths, group.extentSize, on: node, view) {
    case .failure(let error): return error.answer
    case .success(let devices):
      group.devices += devices
      put(group, Dictionary(zip(devices.map(\.uuid), paths), uniquingKeysWith: { $1 }), on: node, view)
      return Answer(output: "  Volume group \"\(name)\" successfully extended\n")
    }
  }

  mutating func reduceGroup(_ call: LVMCall, on node: String, _ view: View) -> Answer {
    guard let name = call.names.first, var group = view.group(name) else {
      return noGroup(call.names.first ?? "")
    }
    for path in call.names.dropFirst() {
      guard let uuid = view.devices.first(where: { $0.path == path })?.label?.uuid,
        let index = group.devices.firstIndex(where: { $0.uuid == uuid })
      else { return .failed(5, "  Physical volume \"\(path)\" not in volume group \"\(name)\"\n") }
      guard group.allocated(on: uuid) == 0 else {
        return .failed(5, "  Physical volume \"\(path)\" still in use\n")
      }
      guard group.devices.count > 1 else {
        return .failed(5, "  Can't remove final physical volume \"\(path)\" from volume group \"\(name)\"\n")
      }
      group.devices.remove(at: index)
      label(path, of: node) { $0.label?.group = nil }
    }
    store(group, on: node, view)
    return Answer(output: "  Removed \"\(call.names.last ?? "")\" from volume group \"\(name)\"\n")
  }

  mutating func removeGroup(_ call: LVMCall, on node: String, _ view: View) -> Answer {
    guard let name = call.names.first, let group = view.group(name) else {
      return noGroup(call.names.first ?? "")
    }
    let volumes = group.volumes.filter { !$0.isPrivate || $0.isPool }
    guard volumes.isEmpty else {
      return .failed(
        5,
        "Do you really want to remove volume group \"\(name)\" containing \(volumes.count) logical volumes? "
          + "[y/n]: [n]\n  Volume group \"\(name)\" not removed\n")
    }
    for device in group.devices {
      if let path = view.path(of: device.uuid) { label(path, of: node) { $0.label?.group = nil } }
    }
    return Answer(output: "  Volume group \"\(name)\" successfully removed\n")
  }

  /// The groups that the names or the selection of a call mean.
  private func meant(_ call: LVMCall, _ view: View) -> [VolumeGroup] {
    guard let selection = call.options["select"] else { return view.groups }
    let paths = selection.split(separator: "|").compactMap { part -> String? in
      part.hasPrefix("pv_name=") ? String(part.dropFirst(8)) : nil
    }
    return view.groups.filter { group in
      group.devices.contains { device in view.path(of: device.uuid).map(paths.contains) ?? false }
    }
  }

  mutating func changeGroup(_ call: LVMCall, on node: String, _ view: View) -> Answer {
    var groups = meant(call, view)
    if let name = call.names.first {
      guard let group = view.group(name) else { return noGroup(name) }
      groups = [group]
    }
    guard let word = call.options["activate"] else {
      return Answer(output: groups.map { "  Volume group \"\($0.name)\" successfully changed\n" }.joined())
    }
    var answer = Answer.done
    for group in groups {
      let one = word.hasPrefix("y") ? activate(group, on: node, view) : deactivate(group, on: node)
      answer.output += one.output
      answer.errors += one.errors
      answer.status = max(answer.status, one.status)
    }
    return answer
  }

  private func activeCount(_ group: VolumeGroup, _ node: String) -> Int {
    group.volumes.count { !$0.isPrivate && self[node].active["\(group.name)/\($0.name)"] != nil }
  }

  mutating func activate(_ group: VolumeGroup, on node: String, _ view: View, only name: String? = nil)
    -> Answer
  {
    var answer = Answer.done
    for volume in group.volumes where volume.isActivated && (name == nil || volume.name == name) {
      let base = volume.pool.flatMap { group.volume($0) }.map { group.volumes[$0] } ?? volume
      let uuids = Set(
        (base.isPool ? group.volumes.filter { $0.name.hasPrefix(base.name + "_t") } : [base]).flatMap(
          \.segments
        ).map(\.device))
      let paths = uuids.compactMap(view.path).sorted()
      let isBelow = self[node].resources.flatMap(\.volumes).contains { paths.contains($0.disk ?? "") }
      if isBelow || self[node].refused.contains("\(group.name)/\(volume.name)") {
        answer.status = 5
        answer.errors = "  device-mapper: reload ioctl on  (253:0) failed: Device or resource busy\n"
        continue
      }
      for path in paths where below(path, node) {
        damage.append("\(node): \(group.name)/\(volume.name) activated on \(path), below DRBD")
      }
      machines[node]?.active["\(group.name)/\(volume.name)"] = paths
    }
    answer.output =
      "  \(activeCount(group, node)) logical volume(s) in volume group \"\(group.name)\" now active\n"
    return answer
  }

  private mutating func deactivate(_ group: VolumeGroup, on node: String) -> Answer {
    let held = group.volumes.filter { self[node].open.contains("\(group.name)/\($0.name)") }
    guard held.isEmpty else {
      return .failed(
        5,
        held.map { "  Logical volume \(group.name)/\($0.name) in use.\n" }.joined()
          + "  Can't deactivate volume group \"\(group.name)\" with \(held.count) open logical volume(s)\n")
    }
    for volume in group.volumes { machines[node]?.active["\(group.name)/\(volume.name)"] = nil }
    return Answer(output: "  0 logical volume(s) in volume group \"\(group.name)\" now active\n")
  }
}
