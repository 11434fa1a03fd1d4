/// What the reports of lvm(8) print with `--reportformat json --units b --nosuffix`.
extension World {
  private typealias Row = [String: String]

  func report(_ call: LVMCall, on node: String, _ view: View) -> Answer {
    var groups = view.groups
    if let name = call.names.first.map({ String($0.prefix { $0 != "/" }) }), call.verb != "pvs" {
      guard let group = view.group(name) else { return noGroup(name) }
      if call.verb == "lvs", let slash = call.names[0].firstIndex(of: "/"),
        group.volume(String(call.names[0][call.names[0].index(after: slash)...])) == nil
      {
        return .failed(5, "  Failed to find logical volume \"\(call.names[0])\"\n")
      }
      groups = [group]
    }
    if call.verb == "pvs", let path = call.names.first, let refusal = refusal(path, on: node, view),
      !refusal.contains("exclusively")
    {
      return .failed(5, refusal)
    }
    guard call.verb != "fullreport" else { return fullReport(call, on: node, view) }
    let fields = call.fields[""] ?? []
    let name: String
    var rows: [Row] = []
    switch call.verb {
    case "vgs":
      name = "vg"
      rows = groups.map(row)
    case "lvs":
      name = "lv"
      rows = groups.flatMap { group in
        group.volumes.filter { !$0.isPrivate || $0.isPool || call.options["all"] != nil }
          .sorted { $0.name < $1.name }.map { row($0, group, node) }
      }
    default:
      name = "pv"
      let isAll = call.options["all"] != nil
      rows = view.devices.filter { isAll || $0.label != nil }.map { row($0, view) }
      if isAll {
        rows += view.duplicates.map { ["pv_name": $0.path, "vg_name": "[unknown]", "pv_uuid": ""] }
      }
      rows.sort { $0["pv_name"] ?? "" < $1["pv_name"] ?? "" }
    }
    return Answer(output: Self.json([[(name, Self.chosen(rows, fields))]]))
  }

  private func fullReport(_ call: LVMCall, on node: String, _ view: View) -> Answer {
    func fields(_ name: String) -> [String] { call.fields[name] ?? [] }
    var parts: [[(String, [String])]] = view.groups.map { group in
      let devices = group.devices.map { device -> Row in
        if let seen = view.devices.first(where: { $0.label?.uuid == device.uuid }) {
          return row(seen, view, group)
        }
        return [
          "pv_uuid": device.uuid, "pv_name": "[unknown]", "dev_size": "0", "pv_pe_count": "\(device.extents)",
          "pv_pe_alloc_count": "\(group.allocated(on: device.uuid))", "pv_missing": "missing",
          "vg_name": group.name,
        ]
      }
      let volumes = group.volumes.sorted { $0.name < $1.name }
      let segments = volumes.flatMap { volume in volume.segments.map { (volume, $0) } }
      var areas = segments.map { volume, segment -> Row in
        [
          "pvseg_start": "\(segment.start)", "pvseg_size": "\(segment.count)", "pv_uuid": segment.device,
          "lv_uuid": volume.uuid,
        ]
      }
      areas += group.devices.flatMap(group.freeAreas).map { area -> Row in
        [
          "pvseg_start": "\(area.start)", "pvseg_size": "\(area.count)", "pv_uuid": area.device,
          "lv_uuid": "",
        ]
      }
      let kinds = volumes.map { volume -> Row in ["lv_uuid": volume.uuid, "segtype": volume.segmentType] }
      return [
        ("vg", Self.chosen([row(group)], fields("vg"))), ("pv", Self.chosen(devices, fields("pv"))),
        ("lv", Self.chosen(volumes.map { row($0, group, node) }, fields("lv"))),
        ("pvseg", Self.chosen(areas, fields("pvseg"))), ("seg", Self.chosen(kinds, fields("seg"))),
      ]
    }
    let unused = view.devices.filter { $0.label != nil && $0.label?.group == nil }
    if !unused.isEmpty {
      parts.append([("pv", Self.chosen(unused.map { row($0, view) }, fields("pv")))])
    }
    return Answer(output: Self.json(parts))
  }

  private func row(_ group: VolumeGroup) -> Row {
    [
      "vg_name": group.name, "vg_uuid": group.uuid, "vg_extent_size": "\(group.extentSize)",
      "vg_extent_count": "\(group.extentCount)", "vg_free_count": "\(group.free)",
      "vg_size": "\(group.extentCount * group.extentSize)", "vg_free": "\(group.free * group.extentSize)",
      "pv_count": "\(group.devices.count)", "lv_count": "\(group.volumes.count { !$0.isPrivate })",
      "vg_seqno": "\(group.sequence)", "vg_attr": "wz--n-",
    ]
  }

  private func row(_ device: Seen, _ view: View, _ group: VolumeGroup? = nil) -> Row {
    let group = group ?? device.label?.group.flatMap { view.group($0.name) }
    let member = group?.devices.first { $0.uuid == device.label?.uuid }
    return [
      "pv_name": device.path, "pv_uuid": device.label?.uuid ?? "", "dev_size": "\(device.size)",
      "vg_name": group?.name ?? "", "pv_pe_count": "\(member?.extents ?? 0)",
      "pv_pe_alloc_count": "\(member.map { group?.allocated(on: $0.uuid) ?? 0 } ?? 0)", "pv_missing": "",
    ]
  }

  private func row(_ volume: LogicalVolume, _ group: VolumeGroup, _ node: String) -> Row {
    let path = "\(group.name)/\(volume.name)"
    let isActive = self[node].active[path] != nil
    let users = group.volumes.contains { other in
      (other.pool == volume.name || volume.name.hasPrefix(other.name + "_t") && other.isPool)
        && self[node].active["\(group.name)/\(other.name)"] != nil
    }
    let isOpen = isActive && (self[node].open.contains(path) || users)
    let isMeasured = volume.layout.hasPrefix("thin") || volume.role.hasPrefix("public,snapshot")
    return [
      "lv_uuid": volume.uuid, "lv_name": volume.shownName, "vg_name": group.name,
      "lv_size": "\(volume.extents * group.extentSize)", "lv_layout": volume.layout, "lv_role": volume.role,
      "lv_active": isActive ? "active" : "", "lv_device_open": isActive ? isOpen ? "open" : "" : "unknown",
      "origin": volume.origin ?? "", "pool_lv": volume.pool ?? "",
      "data_percent": isMeasured && isActive ? "0.00" : "", "segtype": volume.segmentType,
      "lv_path": volume.isPrivate ? "" : "/dev/\(path)",
    ]
  }

  /// The rows with the fields that are asked for, as JSON; those that this model does not know are left out.
  private static func chosen(_ rows: [Row], _ fields: [String]) -> [String] {
    rows.map { row in
      let known = fields.filter { row[$0] != nil }
      return "{" + known.map { "\"\($0)\":\"\(row[$0] ?? "")\"" }.joined(separator: ", ") + "}"
    }
  }

  private static func json(_ parts: [[(String, [String])]]) -> String {
    let reports = parts.map { part in
      let lists = part.map { name, rows in
        "              \"\(name)\": [\n"
          + rows.map { "                  \($0)" }.joined(separator: ",\n") + (rows.isEmpty ? "" : "\n")
          + "              ]\n"
      }
      return "          {\n" + lists.joined(separator: "              ,\n") + "          }\n"
    }
    return "  {\n      \"report\": [\n" + reports.joined(separator: "          ,\n") + "      ]\n  }\n"
  }
}
