import HostInterface
import ReplicatedVolume
import TargetCore

/// Pools, of either engine.
extension StateReader {
  /// A pool as one of the two engines has it.
  enum AnyPool {
    case lvm(PoolSpec)
    case embedded(EmbeddedPoolSpec)

    var name: PoolName {
      switch self {
      case .lvm(let spec): spec.name
      case .embedded(let spec): spec.name
      }
    }
  }

  /// A pool: on devices with LVM, on legs with the embedded engine.
  mutating func pool(_ node: YAMLNode, _ place: String) -> AnyPool? {
    guard let fields = fields(of: node, place, Keys.pool, required: ["name"]) else { return nil }
    let name = parsed(fields["name"], "name of \(place)") { try PoolName($0) }
    let subject = name.map { "pool \($0)" } ?? place
    let devices = fields["devices"].flatMap { list($0, "devices of \(subject)") { try DevicePath($0) } }
    let legs = fields["legs"].flatMap { list($0, "legs of \(subject)") { try LegAddress($0) } }
    let size = parsed(fields["size"], "size of \(subject)") { try VolumeSize.byteCount($0) }
    let extentSize = parsed(fields["extentSize"], "extentSize of \(subject)") { try VolumeSize.byteCount($0) }
    let sparse = fields["sparse"].flatMap { boolean($0, "sparse of \(subject)") }
    let rate = parsed(fields["resyncRate"], "resyncRate of \(subject)") { try ResyncRate($0) }
    let nodes = fields["volumes"].flatMap { items($0, "volumes of \(subject)") } ?? []
    let volumes = nodes.enumerated().compactMap { index, node in
      logicalVolume(node, "volume \(index + 1) of \(subject)")
    }
    switch (fields["devices"], fields["legs"]) {
    case (nil, nil):
      problems.add(node.position, subject, "has no devices and no legs", remedy: "add one of them")
    case (_?, let legs?):
      problems.add(legs.position, subject, "has devices and legs", remedy: "remove one of them")
    case (_?, nil):
      for (key, what) in Self.onlyWithLegs {
        if let node = fields[key] { problems.add(node.position, subject, "has \(key), which is for \(what)") }
      }
      guard let name, let devices else { return nil }
      var spec = PoolSpec(name: name, devices: devices)
      (spec.extentSize, spec.volumes) = (extentSize, volumes)
      for problem in spec.problems { problems.add(node.position, subject, problem) }
      return .lvm(spec)
    case (nil, _?):
      guard let name, let legs else { return nil }
      var spec = EmbeddedPoolSpec(name: name, legs: legs)
      (spec.size, spec.sparse, spec.extentSize) = (size, sparse ?? false, extentSize)
      (spec.resyncRate, spec.volumes) = (rate, volumes)
      for problem in spec.problems { problems.add(node.position, subject, problem) }
      return .embedded(spec)
    }
    return nil
  }

  /// What a pool on devices cannot have, and what it is for.
  private static let onlyWithLegs = [
    ("size", "legs that are files"), ("sparse", "legs that are files"),
    ("resyncRate", "legs that are mirrored"),
  ]

  private mutating func logicalVolume(_ node: YAMLNode, _ place: String) -> VolumeSpec? {
    guard let fields = fields(of: node, place, Keys.logicalVolume, required: ["name"]) else { return nil }
    let name = parsed(fields["name"], "name of \(place)") { try VolumeName($0) }
    let type = fields["type"].flatMap { choice($0, "type of \(place)", Keys.volumeTypes) }
    let thinPool = parsed(fields["thinPool"], "thinPool of \(place)") { try VolumeName($0) }
    let size: VolumeSize?
    switch (fields["size"], fields["extents"]) {
    case (let text?, nil):
      size = parsed(text, "size of \(place)") { .bytes(try VolumeSize.byteCount($0)) }
    case (nil, let count?):
      size = integer(count, "extents of \(place)", 1...Int(UInt32.max)).map { .extents(UInt64($0)) }
    case (nil, nil):
      problems.add(node.position, place, "has no size", remedy: "add size, such as 10G, or extents")
      size = nil
    case (_?, let count?):
      problems.add(count.position, place, "has a size and extents", remedy: "remove one of them")
      size = nil
    }
    if let node = fields["thinPool"], let type, type != "thin" {
      problems.add(
        node.position, place, "has a thinPool, and is \(type)",
        remedy: "write type: thin, or remove one of them")
    }
    if type == "thin", fields["thinPool"] == nil {
      problems.add(
        node.position, place, "has no thinPool", remedy: "add the thin pool that it takes blocks from")
    }
    guard let name, let size else { return nil }
    let kind: VolumeSpec.Kind = thinPool.map { .thin($0) } ?? (type == "thin-pool" ? .thinPool : .linear)
    return VolumeSpec(name: name, size: size, kind: kind)
  }
}
