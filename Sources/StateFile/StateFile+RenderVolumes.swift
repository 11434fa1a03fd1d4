import HostInterface
import ReplicatedVolume
import TargetCore

/// Resources and pools as a state file.
extension StateFile {
  static func write(_ state: VolumeState?, _ embedded: [EmbeddedPoolSpec], to writer: inout YAMLWriter) {
    let files = (state?.files ?? []).sorted { $0.resource.name < $1.resource.name }
    for found in files {
      if let why = refusal(of: found) { leaveOut("resource \(found.resource.name)", why, &writer) }
    }
    let resources = files.filter { refusal(of: $0) == nil }.map(\.resource)
    if !resources.isEmpty {
      writer.pair("resources", verbatim: "")
      writer.nested { writer in
        for resource in resources { writer.item { write(resource, to: &$0) } }
      }
    }
    let pools = (state?.pools?.pools ?? []).sorted { $0.name < $1.name }
    for pool in pools { if let why = refusal(of: pool) { leaveOut("pool \(pool.name)", why, &writer) } }
    let good = pools.filter { refusal(of: $0) == nil }
    guard !good.isEmpty || !embedded.isEmpty else { return }
    writer.pair("pools", verbatim: "")
    writer.nested { writer in
      for pool in good { writer.item { write(pool, to: &$0) } }
      for pool in embedded { writer.item { write(pool, to: &$0) } }
    }
  }

  private static func write(_ pool: EmbeddedPoolSpec, to writer: inout YAMLWriter) {
    writer.pair("name", pool.name.description)
    write("legs", pool.legs.map(\.description), to: &writer)
    if let size = pool.size { writer.pair("size", verbatim: "\(size)") }
    if pool.sparse { writer.pair("sparse", verbatim: "true") }
    if let size = pool.extentSize { writer.pair("extentSize", verbatim: "\(size)") }
    if let rate = pool.resyncRate { writer.pair("resyncRate", verbatim: "\(rate)") }
    writer.pair("volumes", verbatim: pool.volumes.isEmpty ? "[]" : "")
    writer.nested { writer in
      for volume in pool.volumes {
        writer.item { writer in
          writer.pair("name", volume.name.description)
          switch volume.size {
          case .bytes(let bytes): writer.pair("size", verbatim: "\(bytes)")
          case .extents(let count): writer.pair("extents", verbatim: "\(count)")
          }
        }
      }
    }
  }

  private static func leaveOut(_ what: String, _ why: String, _ writer: inout YAMLWriter) {
    writer.comment("Left out: \(what): \(why)")
  }

  private static func refusal(of found: FoundResource) -> String? {
    if let foreign = found.foreign.first { return "its file has \(foreign)" }
    let odd = found.resource.settings.values.contains { $0.values.contains { !StateReader.isPrintable($0) } }
    return odd ? "has an option that is not printable ASCII" : found.resource.problems.first
  }

  private static func refusal(of pool: Pool) -> String? {
    if pool.devices.contains(where: \.isMissing) { return "a device of it is missing" }
    return refusal {
      _ = try PoolName(pool.name)
      for device in pool.devices { _ = try DevicePath(device.device) }
    }
  }

  private static func write(_ resource: Resource, to writer: inout YAMLWriter) {
    writer.pair("name", resource.name.description)
    if let replication = resource.replication { writer.pair("protocol", replication.rawValue) }
    if let fencing = resource.fencing { writer.pair("fencing", fencing.rawValue) }
    if resource.sharedSecret != nil {
      writer.comment("Secrets are not exported; put it into this file, with mode 0600.")
      writer.pair("sharedSecret", verbatim: "")
      writer.nested { $0.pair("file", "/etc/quartet/\(resource.name).secret") }
    }
    for (section, settings) in resource.settings.sorted(by: { $0.key < $1.key }) where !settings.isEmpty {
      writer.pair(section.rawValue, verbatim: "")
      writer.nested { writer in
        for (name, value) in settings.sorted(by: { $0.key < $1.key }) { writer.pair(name, value) }
      }
    }
    writer.pair("nodes", verbatim: "")
    writer.nested { writer in
      for node in resource.nodes {
        writer.item { writer in
          writer.pair("name", node.name.description)
          writer.pair("address", node.address.description)
        }
      }
    }
    writer.pair("volumes", verbatim: "")
    writer.nested { writer in
      for volume in resource.nodes.first?.volumes ?? [] {
        writer.item { write(volume, of: resource, to: &$0) }
      }
    }
  }

  /// A volume as it is on the first node, and what is otherwise on the others.
  private static func write(_ volume: Resource.Volume, of resource: Resource, to writer: inout YAMLWriter) {
    writer.pair("number", verbatim: "\(volume.number)")
    writer.pair("minor", verbatim: "\(volume.minor)")
    if volume.device != usualDevice(of: volume) { writer.pair("device", volume.device.description) }
    writeDisk(volume.disk, to: &writer)
    writer.pair("metaDisk", volume.metadata.description)
    let others = resource.nodes.dropFirst().compactMap { node in
      node.volumes.first { $0.number == volume.number && $0 != volume }.map { (node.name, $0) }
    }
    guard !others.isEmpty else { return }
    writer.pair("nodes", verbatim: "")
    writer.nested { writer in
      for (name, other) in others {
        writer.pair(name.description, verbatim: "")
        writer.nested { writer in
          if other.minor != volume.minor || other.device != volume.device {
            writer.pair("minor", verbatim: "\(other.minor)")
            if other.device != usualDevice(of: other) { writer.pair("device", other.device.description) }
          }
          if other.disk != volume.disk { writeDisk(other.disk, to: &writer) }
          if other.metadata != volume.metadata { writer.pair("metaDisk", other.metadata.description) }
        }
      }
    }
  }

  private static func usualDevice(of volume: Resource.Volume) -> DevicePath? {
    try? DevicePath("/dev/drbd\(volume.minor)")
  }

  private static func writeDisk(_ disk: DevicePath?, to writer: inout YAMLWriter) {
    if let disk { writer.pair("disk", disk.description) } else { writer.pair("disk", verbatim: "null") }
  }

  private static func write(_ pool: Pool, to writer: inout YAMLWriter) {
    writer.pair("name", pool.name)
    write("devices", pool.devices.map(\.device).sorted(), to: &writer)
    writer.pair("extentSize", verbatim: "\(pool.extentSize)")
    var good: [Pool.Volume] = []
    for volume in pool.volumes where !volume.isHidden {
      if let why = refusal(of: volume) {
        writer.comment("Left out: volume \(volume.name): \(why)")
      } else {
        good.append(volume)
      }
    }
    writer.pair("volumes", verbatim: good.isEmpty ? "[]" : "")
    writer.nested { writer in
      for volume in good {
        writer.item { writer in
          writer.pair("name", volume.name)
          writer.pair("size", verbatim: "\(volume.size)")
          if volume.isThinPool { writer.pair("type", "thin-pool") }
          if let pool = volume.thinPool { writer.pair("thinPool", pool) }
        }
      }
    }
  }

  private static func refusal(of volume: Pool.Volume) -> String? {
    if let why = refusal({ _ = try VolumeName(volume.name) }) { return why }
    if volume.thinPool != nil || volume.isThinPool { return nil }
    if let origin = volume.origin { return "is a snapshot of \(origin)" }
    return volume.layout == "linear" ? nil : "is \(volume.layout), which this file cannot say"
  }
}
