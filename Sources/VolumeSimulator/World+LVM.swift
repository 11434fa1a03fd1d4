/// What lvm(8) does.
extension World {
  /// A device that LVM sees.
  struct Seen {
    var path: String
    /// In bytes.
    var size: UInt64
    var content: DiskContent
    var label: PhysicalLabel? { content.label }
  }

  /// What one call of lvm(8) knows: the devices, and the groups on them.
  struct View {
    var devices: [Seen]
    var groups: [VolumeGroup]
    /// The devices that have the same label as another one, which is preferred.
    var duplicates: [(path: String, uuid: String, preferred: String)]
    var rejected: Set<String>
    /// Devices that cannot be read, since their node is secondary.
    var unreadable: Set<String>

    func path(of uuid: String) -> String? { devices.first { $0.label?.uuid == uuid }?.path }
    func group(_ name: String) -> VolumeGroup? { groups.first { $0.name == name } }

    var warnings: String {
      duplicates.map { path, uuid, preferred in
        "  WARNING: Not using device \(path) for PV \(uuid).\n"
          + "  WARNING: PV \(uuid) prefers device \(preferred) because device is in subsystem.\n"
      }.joined()
    }
  }

  func view(of node: String, _ filter: LVMFilter) -> View {
    var seen: [Seen] = []
    var unreadable: Set<String> = []
    for (index, resource) in self[node].resources.enumerated() {
      for place in resource.volumes.indices {
        let path = "/dev/drbd\(resource.volumes[place].minor)"
        guard filter.accepts(path) else { continue }
        guard resource.isPrimary, let content = content(of: node, index, place) else {
          unreadable.insert(path)
          continue
        }
        seen.append(Seen(path: path, size: resource.volumes[place].size * 1024, content: content))
      }
    }
    for (path, disk) in self[node].disks.sorted(by: { $0.key < $1.key })
    where filter.accepts(path) && !disk.isBroken {
      seen.append(Seen(path: path, size: disk.size, content: disk.content))
    }
    var duplicates: [(String, String, String)] = []
    for device in seen {
      guard let uuid = device.label?.uuid, let first = seen.first(where: { $0.label?.uuid == uuid }),
        first.path != device.path
      else { continue }
      duplicates.append((device.path, uuid, first.path))
    }
    seen.removeAll { device in duplicates.contains { $0.0 == device.path } }
    var groups: [String: VolumeGroup] = [:]
    for group in seen.compactMap(\.label?.group)
    where (groups[group.uuid]?.sequence ?? 0) < group.sequence { groups[group.uuid] = group }
    let all = Set(self[node].disks.keys).union(
      self[node].resources.flatMap(\.volumes).map { "/dev/drbd\($0.minor)" })
    return View(
      devices: seen, groups: groups.values.sorted { $0.name < $1.name }, duplicates: duplicates,
      rejected: all.filter { !filter.accepts($0) }, unreadable: unreadable)
  }

  /// Writes what LVM has to say onto a device.
  mutating func label(_ path: String, of node: String, _ body: (inout DiskContent) -> Void) {
    if path.hasPrefix("/dev/drbd"), let minor = UInt32(path.dropFirst(9)),
      let place = self[node].place(ofMinor: minor)
    {
      return write(node, place.resource, place.volume, body)
    }
    if self[node].disks[path]?.metadata != nil { damage.append("\(node): LVM wrote to \(path), below DRBD") }
    if var content = self[node].disks[path]?.content {
      body(&content)
      machines[node]?.disks[path]?.content = content
    }
  }

  /// Writes a group to all of its devices, in its next version.
  mutating func store(_ group: VolumeGroup, on node: String, _ view: View) {
    var group = group
    group.sequence += 1
    for device in group.devices {
      guard let path = view.path(of: device.uuid) else { continue }
      label(path, of: node) { $0.label = PhysicalLabel(uuid: device.uuid, group: group) }
    }
  }

  mutating func newUUID() -> String {
    let number = String(nextNumber())
    return "UUID" + String(repeating: "0", count: max(0, 6 - number.count)) + number
  }

  // MARK: - The command

  mutating func lvm(_ words: [String], on node: String, _ filter: LVMFilter) -> Answer {
    guard let verb = words.first else { return .failed(3, "  No command.\n") }
    let call = LVMCall(words)
    let view = view(of: node, filter)
    var answer: Answer
    switch verb {
    case "fullreport", "pvs", "vgs", "lvs": answer = report(call, on: node, view)
    case "lvmconfig": return config(call, filter)
    case "pvcreate": answer = createPhysical(call, on: node, view)
    case "pvremove": answer = removePhysical(call, on: node, view)
    case "pvresize": answer = resizePhysical(call, on: node, view)
    case "vgcreate": answer = createGroup(call, on: node, view)
    case "vgextend": answer = extendGroup(call, on: node, view)
    case "vgreduce": answer = reduceGroup(call, on: node, view)
    case "vgremove": answer = removeGroup(call, on: node, view)
    case "vgchange": answer = changeGroup(call, on: node, view)
    case "lvchange": answer = changeVolume(call, on: node, view)
    case "lvcreate": answer = createVolume(call, on: node, view)
    case "lvextend", "lvreduce": answer = resizeVolume(call, on: node, view)
    case "lvrename": answer = renameVolume(call, on: node, view)
    case "lvremove": answer = removeVolume(call, on: node, view)
    default: return .failed(3, "  Unknown command \(verb)\n")
    }
    answer.errors = view.warnings + answer.errors
    return answer
  }

  private func config(_ call: LVMCall, _ filter: LVMFilter) -> Answer {
    let values = [
      "devices/global_filter": "global_filter=[" + filter.patterns.map { "\"\($0)\"" }.joined(separator: ",")
        + "]",
      "devices/filter": "filter=[\"a|.*|\"]", "devices/use_devicesfile": "use_devicesfile=0",
    ]
    return Answer(output: call.names.compactMap { values[$0] }.map { $0 + "\n" }.joined())
  }

  // MARK: - Physical volumes

  /// What forbids to use a device, in LVM's words; nil when it may be used.
  func refusal(_ path: String, on node: String, _ view: View) -> String? {
    if view.rejected.contains(path) { return "  Cannot use \(path): device is rejected by filter config\n" }
    if view.unreadable.contains(path) { return "  Cannot use \(path): device is too small (pv_min_size)\n" }
    guard view.devices.contains(where: { $0.path == path }) else { return "  No device found for \(path).\n" }
    if view.duplicates.contains(where: { $0.preferred == path }) {
      return "  Cannot use device \(path) with duplicates.\n"
    }
    let below = self[node].resources.flatMap(\.volumes).contains {
      $0.disk == path || $0.metadataDisk == path
    }
    if below || self[node].open.contains(path) {
      return "  Can't open \(path) exclusively.  Mounted filesystem?\n"
    }
    return nil
  }

  private mutating func createPhysical(_ call: LVMCall, on node: String, _ view: View) -> Answer {
    var output = ""
    for path in call.names {
      if let refusal = refusal(path, on: node, view) { return .failed(5, refusal, output: output) }
      guard let device = view.devices.first(where: { $0.path == path }) else { continue }
      if let group = device.label?.group {
        return .failed(
          5,
          "  Can't initialize physical volume \"\(path)\" of volume group \"\(group.name)\" without -ff\n"
            + "  \(path): physical volume not initialized.\n")
      }
      let signatures = device.content.signatures + (below(path, node) ? ["drbd"] : [])
      if let signature = signatures.first {
        return .failed(
          5, "  Aborted wiping of \(signature).\n  1 existing signature left on the device.\n",
          output: "WARNING: \(signature) signature detected on \(path) at offset 1080. Wipe it? [y/n]: [n]\n")
      }
      let uuid = newUUID()
      label(path, of: node) { $0.label = PhysicalLabel(uuid: uuid, group: nil) }
      output += "  Physical volume \"\(path)\" successfully created.\n"
    }
    return Answer(output: output)
  }

  /// Whether DRBD keeps its metadata on the disk.
  func below(_ path: String, _ node: String) -> Bool { self[node].disks[path]?.metadata != nil }

  private mutating func removePhysical(_ call: LVMCall, on node: String, _ view: View) -> Answer {
    var output = ""
    for path in call.names {
      if let refusal = refusal(path, on: node, view) { return .failed(5, refusal, output: output) }
      guard let device = view.devices.first(where: { $0.path == path }), let label = device.label else {
        return .failed(5, "  No PV found on device \(path).\n", output: output)
      }
      if let group = label.group {
        return .failed(
          5,
          "  PV \(path) is used by VG \(group.name) so please use vgreduce first.\n"
            + "  (If you are certain you need pvremove, then confirm by using --force twice.)\n"
            + "  \(path): physical volume label not removed.\n")
      }
      self.label(path, of: node) { $0.label = nil }
      output += "  Labels on physical volume \"\(path)\" successfully wiped.\n"
    }
    return Answer(output: output)
  }

  private mutating func resizePhysical(_ call: LVMCall, on node: String, _ view: View) -> Answer {
    for path in call.names {
      guard let device = view.devices.first(where: { $0.path == path }), let label = device.label else {
        return .failed(5, "  Failed to find physical volume \"\(path)\".\n")
      }
      guard var group = label.group, let index = group.devices.firstIndex(where: { $0.uuid == label.uuid })
      else {
        continue
      }
      let extents = Self.extents(device.size, group.extentSize)
      let used = group.volumes.flatMap(\.segments).filter { $0.device == label.uuid }.map {
        $0.start + $0.count
      }
      guard extents >= used.max() ?? 0 else {
        return .failed(
          5,
          "  \(path): cannot resize to \(extents) extents as \(group.allocated(on: label.uuid)) are allocated.\n"
        )
      }
      group.devices[index].extents = extents
      store(group, on: node, view)
    }
    return Answer(
      output: call.names.map { "  Physical volume \"\($0)\" changed\n" }.joined()
        + "  \(call.names.count) physical volume(s) resized or updated / 0 physical volume(s) not resized\n")
  }

  /// The extents on a device, whose first MiB is LVM's own.
  static func extents(_ size: UInt64, _ extentSize: UInt64) -> UInt64 {
    size > 1 << 20 ? (size - (1 << 20)) / extentSize : 0
  }

  // MARK: - wipefs

  /// wipefs(8): lists the signatures of a device, or erases them.
  mutating func wipefs(_ words: [String], on node: String) -> Answer {
    guard let path = words.last(where: { $0.hasPrefix("/") }) else {
      return .failed(1, "wipefs: no device specified\n")
    }
    var found: [String]
    if path.hasPrefix("/dev/drbd"), let minor = UInt32(path.dropFirst(9)) {
      guard let place = self[node].place(ofMinor: minor), self[node].resources[place.resource].isPrimary,
        let content = content(of: node, place.resource, place.volume)
      else { return .failed(1, "wipefs: error: \(path): probing initialization failed: Wrong medium type\n") }
      found = content.signatures + (content.label == nil ? [] : ["LVM2_member"])
    } else {
      guard let disk = self[node].disks[path] else {
        return .failed(
          1, "wipefs: error: \(path): probing initialization failed: No such file or directory\n")
      }
      found = disk.content.signatures + (disk.content.label == nil ? [] : ["LVM2_member"])
      if disk.metadata != nil { found.append("drbd") }
    }
    guard words.contains("--all") || words.contains("-a") else {
      guard !found.isEmpty else { return .done }
      let rows = found.map {
        "      {\n         \"device\": \"\(path.dropFirst(5))\",\n         \"offset\": \"0x438\",\n"
          + "         \"type\": \"\($0)\",\n         \"uuid\": null,\n         \"label\": null\n      }"
      }
      return Answer(output: "{\n   \"signatures\": [\n" + rows.joined(separator: ",") + "\n   ]\n}\n")
    }
    if self[node].isHeld([path])
      || self[node].resources.flatMap(\.volumes).contains(where: { $0.disk == path })
    {
      return .failed(1, "wipefs: error: \(path): probing initialization failed: Device or resource busy\n")
    }
    if self[node].disks[path]?.metadata?.isConsistent == true {
      damage.append("\(node): wiped \(path), which has data")
    }
    machines[node]?.disks[path]?.content = DiskContent()
    machines[node]?.disks[path]?.metadata = nil
    return Answer(
      output: found.map { "\(path): 2 bytes were erased at offset 0x00000438 (\($0)): 53 ef\n" }.joined())
  }
}
