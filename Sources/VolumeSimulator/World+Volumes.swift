/// Logical volumes.
extension World {
  /// `GROUP/VOLUME`, or the words GROUP VOLUME.
  private func split(_ call: LVMCall, at index: Int = 0) -> (group: String, volume: String) {
    let parts = (call.names.indices.contains(index) ? call.names[index] : "").split(separator: "/")
    return (parts.first.map(String.init) ?? "", parts.count > 1 ? String(parts[1]) : "")
  }

  private func noVolume(_ group: String, _ volume: String) -> Answer {
    .failed(5, "  Failed to find logical volume \"\(group)/\(volume)\"\n")
  }

  private func tooFew(_ group: VolumeGroup, _ needed: UInt64) -> Answer {
    .failed(
      5,
      "  Volume group \"\(group.name)\" has insufficient free space (\(group.free) extents): \(needed) required.\n"
    )
  }

  mutating func createVolume(_ call: LVMCall, on node: String, _ view: View) -> Answer {
    let (groupName, origin) = split(call)
    guard var group = view.group(groupName) else { return noGroup(groupName) }
    let name = call.options["name"] ?? "lvol0"
    guard name.allSatisfy({ $0.isLetter || $0.isNumber || "_.+-".contains($0) }) else {
      return .failed(
        3, "  Logical volume name \"\(name)\" is invalid.\n  Run `lvcreate --help' for more information.\n")
    }
    guard group.volume(name) == nil else {
      return .failed(5, "  Logical Volume \"\(name)\" already exists in volume group \"\(groupName)\"\n")
    }
    let extents = call.extents(of: group.extentSize) ?? 0
    var volume = LogicalVolume(uuid: newUUID(), name: name, extents: extents)
    if call.options["snapshot"] != nil || call.options["s"] != nil {
      guard let index = group.volume(origin) else { return noVolume(groupName, origin) }
      let source = group.volumes[index]
      volume.origin = origin
      if let pool = source.pool {
        volume.pool = pool
        volume.extents = source.extents
        (volume.layout, volume.role) = ("thin,sparse", "public,snapshot,thinsnapshot")
        if group.volumes[index].role == "public" { group.volumes[index].role = "public,origin,thinorigin" }
      } else {
        guard let segments = group.allocate(extents) else { return tooFew(group, extents) }
        volume.segments = segments
        volume.role = "public,snapshot,thicksnapshot"
        if group.volumes[index].role == "public" { group.volumes[index].role = "public,origin,thickorigin" }
      }
      group.volumes.append(volume)
    } else if call.options["type"] == "thin-pool" {
      guard let pooled = makePool(volume, in: group) else { return tooFew(group, extents + 2) }
      group = pooled
    } else if let pool = call.options["thinpool"] {
      guard group.volume(pool) != nil else { return noVolume(groupName, pool) }
      (volume.layout, volume.pool) = ("thin,sparse", pool)
      group.volumes.append(volume)
    } else {
      guard let segments = group.allocate(extents) else { return tooFew(group, extents) }
      volume.segments = segments
      group.volumes.append(volume)
    }
    store(group, on: node, view)
    let answer = activate(group, on: node, view, only: name)
    if answer.status != 0 { return answer }
    if volume.pool == nil, call.options["type"] == "thin-pool" {
      for part in ["_tdata", "_tmeta"] { _ = activate(group, on: node, view, only: name + part) }
    }
    return Answer(output: "  Logical volume \"\(name)\" created.\n")
  }

  /// A thin pool has its data and metadata in volumes of their own, and a group with one has a spare for repairs.
  private mutating func makePool(_ volume: LogicalVolume, in old: VolumeGroup) -> VolumeGroup? {
    var group = old
    func part(_ name: String, _ role: String, _ extents: UInt64, _ uuid: String) -> Bool {
      guard let segments = group.allocate(extents) else { return false }
      group.volumes.append(
        LogicalVolume(uuid: uuid, name: name, role: role, extents: extents, segments: segments))
      return true
    }
    if !group.volumes.contains(where: { $0.role.contains("spare") }) {
      guard part("lvol0_pmspare", "private,pool,spare", 1, newUUID()) else { return nil }
    }
    guard part(volume.name + "_tdata", "private,thin,pool,data", volume.extents, newUUID()),
      part(volume.name + "_tmeta", "private,thin,pool,metadata", 1, newUUID())
    else { return nil }
    var pool = volume
    (pool.layout, pool.role) = ("thin,pool", "private")
    group.volumes.append(pool)
    return group
  }

  mutating func resizeVolume(_ call: LVMCall, on node: String, _ view: View) -> Answer {
    let (groupName, name) = split(call)
    guard var group = view.group(groupName) else { return noGroup(groupName) }
    guard let index = group.volume(name) else { return noVolume(groupName, name) }
    let old = group.volumes[index].extents
    guard let new = call.extents(of: group.extentSize, before: old), new > 0 else {
      return .failed(3, "  Invalid size.\n")
    }
    let isGrowth = call.verb == "lvextend"
    guard isGrowth ? new > old : new < old else {
      return .failed(
        5,
        "  New size given (\(new) extents) not \(isGrowth ? "larger" : "less") than existing size (\(old) extents)\n"
      )
    }
    let target = group.volumes[index].isPool ? group.volume(name + "_tdata") ?? index : index
    if isGrowth, group.volumes[index].pool == nil {
      guard let more = group.allocate(new - old) else {
        return .failed(
          5, "  Insufficient free space: \(new - old) extents needed, but only \(group.free) available\n")
      }
      group.volumes[target].segments += more
    } else if !isGrowth, group.volumes[index].pool == nil {
      var left = old - new
      while left > 0, let last = group.volumes[target].segments.last {
        let taken = min(left, last.count)
        left -= taken
        group.volumes[target].segments.removeLast()
        if last.count > taken {
          group.volumes[target].segments.append(
            .init(device: last.device, start: last.start, count: last.count - taken))
        }
      }
    }
    group.volumes[index].extents = new
    group.volumes[target].extents = new
    store(group, on: node, view)
    return Answer(
      output: "  Size of logical volume \(groupName)/\(name) changed from \(Self.shown(old, group)) to "
        + "\(Self.shown(new, group)).\n  Logical volume \(groupName)/\(name) successfully resized.\n",
      errors: isGrowth
        ? ""
        : "  WARNING: Reducing active logical volume to \(Self.shown(new, group).split(separator: "(")[0].dropLast()).\n"
          + "  THIS MAY DESTROY YOUR DATA (filesystem etc.)\n")
  }

  private static func shown(_ extents: UInt64, _ group: VolumeGroup) -> String {
    let kib = extents * group.extentSize / 1024
    let hundredths = kib * 100 / 1024
    let fraction = hundredths % 100
    return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction) MiB (\(extents) extents)"
  }

  mutating func renameVolume(_ call: LVMCall, on node: String, _ view: View) -> Answer {
    guard call.names.count == 3 else { return .failed(3, "  Old and new logical volume names required\n") }
    let (old, new) = (call.names[1], call.names[2])
    guard var group = view.group(call.names[0]) else { return noGroup(call.names[0]) }
    guard let index = group.volume(old) else { return noVolume(group.name, old) }
    guard group.volume(new) == nil else {
      return .failed(5, "  Logical Volume \"\(new)\" already exists in volume group \"\(group.name)\"\n")
    }
    let isPool = group.volumes[index].isPool
    group.volumes[index].name = new
    var names = [(old, new)]
    for other in group.volumes.indices {
      if group.volumes[other].origin == old { group.volumes[other].origin = new }
      if group.volumes[other].pool == old { group.volumes[other].pool = new }
      if isPool, [old + "_tdata", old + "_tmeta"].contains(group.volumes[other].name) {
        names.append((group.volumes[other].name, new + group.volumes[other].name.dropFirst(old.count)))
        group.volumes[other].name = new + group.volumes[other].name.dropFirst(old.count)
      }
    }
    for (old, new) in names {
      if let paths = machines[node]?.active.removeValue(forKey: "\(group.name)/\(old)") {
        machines[node]?.active["\(group.name)/\(new)"] = paths
      }
    }
    store(group, on: node, view)
    return Answer(output: "  Renamed \"\(old)\" to \"\(new)\" in volume group \"\(group.name)\"\n")
  }

  mutating func removeVolume(_ call: LVMCall, on node: String, _ view: View) -> Answer {
    let (groupName, name) = split(call)
    guard var group = view.group(groupName) else { return noGroup(groupName) }
    guard let index = group.volume(name) else { return noVolume(groupName, name) }
    if self[node].open.contains("\(groupName)/\(name)") {
      return .failed(5, "  Logical volume \(groupName)/\(name) in use.\n")
    }
    var gone: Set<String> = [name]
    let volume = group.volumes[index]
    if volume.isPool {
      gone.formUnion([name + "_tdata", name + "_tmeta"])
      gone.formUnion(group.volumes.filter { $0.pool == name }.map(\.name))
      if group.volumes.count(where: \.isPool) == 1 { gone.insert("lvol0_pmspare") }
    } else if volume.pool == nil {
      gone.formUnion(group.volumes.filter { $0.origin == name }.map(\.name))
    }
    group.volumes.removeAll { gone.contains($0.name) }
    for index in group.volumes.indices {
      if let origin = group.volumes[index].origin, gone.contains(origin) { group.volumes[index].origin = nil }
      let isOrigin = group.volumes.contains { $0.origin == group.volumes[index].name }
      if group.volumes[index].role.hasSuffix("origin"), !isOrigin { group.volumes[index].role = "public" }
    }
    for name in gone { machines[node]?.active["\(groupName)/\(name)"] = nil }
    store(group, on: node, view)
    return Answer(output: "  Logical volume \"\(name)\" successfully removed.\n")
  }

  mutating func changeVolume(_ call: LVMCall, on node: String, _ view: View) -> Answer {
    let (groupName, name) = split(call)
    guard let group = view.group(groupName) else { return noGroup(groupName) }
    guard group.volume(name) != nil else { return noVolume(groupName, name) }
    if call.options["activate"]?.hasPrefix("y") == true { return activate(group, on: node, view, only: name) }
    if self[node].open.contains("\(groupName)/\(name)") {
      return .failed(5, "  Logical volume \(groupName)/\(name) in use.\n")
    }
    machines[node]?.active["\(groupName)/\(name)"] = nil
    return .done
  }
}
