import HostInterface
import ReplicatedVolume
import TargetCore

/// Resources and pools.
extension StateReader {
  /// What stands below the targets; nil parts leave everything as it is.
  mutating func volumes(_ fields: [String: YAMLNode]) -> DesiredVolumes {
    var volumes = DesiredVolumes()
    if let node = fields["resources"] {
      volumes.resources = named(node, "resources", "resource", name: \.resource.name) { reader, node, place in
        reader.resource(node, place)
      }
    }
    if let node = fields["pools"] {
      for pool in named(node, "pools", "pool", name: \.name, { $0.pool($1, $2) }) {
        switch pool {
        case .lvm(let spec): volumes.pools.append(spec)
        case .embedded(let spec): volumes.embeddedPools.append(spec)
        }
      }
    }
    embedded = Set(volumes.embeddedPools.map(\.name))
    return volumes
  }

  /// The items of a list, each of which has a name of its own.
  private mutating func named<Item, Name: Hashable>(
    _ node: YAMLNode, _ list: String, _ word: String, name: KeyPath<Item, Name>,
    _ read: (inout StateReader, YAMLNode, String) -> Item?
  ) -> [Item] {
    var lines: [Name: Int] = [:]
    var found: [Item] = []
    for (index, node) in (items(node, list) ?? []).enumerated() {
      guard let item = read(&self, node, "\(word) \(index + 1) of the list") else { continue }
      if let line = lines.updateValue(node.position.line, forKey: item[keyPath: name]) {
        problems.add(
          node.position, "\(word) \(item[keyPath: name])",
          "is there twice, the other one begins in line \(line)", remedy: "make one of the two")
      }
      found.append(item)
    }
    return found
  }

  private mutating func resource(_ node: YAMLNode, _ place: String) -> ResourceSpec? {
    guard let fields = fields(of: node, place, Keys.resource, required: ["name", "nodes", "volumes"]) else {
      return nil
    }
    let name = parsed(fields["name"], "name of \(place)") { try ResourceName($0) }
    let subject = name.map { "resource \($0)" } ?? place
    let replication = fields["protocol"].flatMap {
      choice($0, "protocol of \(subject)", Resource.Replication.allCases.map(\.rawValue))
    }
    let fencing = fields["fencing"].flatMap {
      choice($0, "fencing of \(subject)", Resource.Fencing.allCases.map(\.rawValue))
    }
    let secret = fields["sharedSecret"].flatMap { self.secret($0, "shared secret of \(subject)") }
    let skips = fields["skipFirstSync"].flatMap { boolean($0, "skipFirstSync of \(subject)") }
    var settings: [Resource.Section: [String: String]] = [:]
    for section in Resource.Section.allCases {
      if let value = fields[section.rawValue] { settings[section] = self.settings(value, section, subject) }
    }
    let volumes = fields["volumes"].flatMap { self.volumes($0, subject) }
    let nodes = fields["nodes"].flatMap { self.nodes($0, subject) }

    guard let name, let volumes, let nodes else { return nil }
    for volume in volumes {
      for (other, position) in volume.exceptions where !nodes.contains(where: { $0.name == other }) {
        problems.add(
          position, "volume \(volume.base.number) of \(subject)", "names \(other), which is no node of it")
      }
    }
    var resource = Resource(
      name: name,
      nodes: nodes.map { node in
        Resource.Node(
          name: node.name, address: node.address, volumes: volumes.map { $0.volume(on: node.name) })
      })
    resource.replication = replication.flatMap(Resource.Replication.init(rawValue:))
    resource.fencing = fencing.flatMap(Resource.Fencing.init(rawValue:))
    resource.sharedSecret = secret
    resource.settings = settings.filter { !$0.value.isEmpty }
    for problem in resource.problems { problems.add(node.position, subject, problem) }
    return ResourceSpec(resource, skipFirstSync: skips ?? false)
  }

  private mutating func settings(_ node: YAMLNode, _ section: Resource.Section, _ subject: String) -> [String:
    String]
  {
    var settings: [String: String] = [:]
    for pair in pairs(of: node, "\(section.rawValue) of \(subject)") ?? [] {
      let what = "option \(ISCSIName.printable(pair.key)) in \(section.rawValue) of \(subject)"
      // What they may be is known to drbd.conf(5), and checked with the resource.
      settings[pair.key] = pair.value.boolean.map { $0 ? "yes" : "no" } ?? printable(pair.value, what)
    }
    return settings
  }

  private mutating func nodes(_ node: YAMLNode, _ subject: String) -> [(
    name: NodeName, address: Resource.Address
  )]? {
    guard let nodes = items(node, "nodes of \(subject)") else { return nil }
    var found: [(name: NodeName, address: Resource.Address)] = []
    for (index, node) in nodes.enumerated() {
      let place = "node \(index + 1) of \(subject)"
      guard let fields = fields(of: node, place, Keys.node, required: Keys.node) else { continue }
      let name = parsed(fields["name"], "name of \(place)") { try NodeName($0) }
      let address = parsed(fields["address"], "address of \(place)") { try Resource.Address($0) }
      if let name, let address { found.append((name, address)) }
    }
    return found.count == nodes.count ? found : nil
  }

  /// A volume as it is on every node, but for some.
  private struct VolumeOnNodes {
    var base: Resource.Volume
    var others: [NodeName: Resource.Volume] = [:]
    var exceptions: [(name: NodeName, position: Position)] = []

    func volume(on node: NodeName) -> Resource.Volume { others[node] ?? base }
  }

  private mutating func volumes(_ node: YAMLNode, _ subject: String) -> [VolumeOnNodes]? {
    guard let nodes = items(node, "volumes of \(subject)") else { return nil }
    let volumes = nodes.enumerated().compactMap { index, node in
      volume(node, index, "volume \(index + 1) of \(subject)")
    }
    return volumes.count == nodes.count ? volumes : nil
  }

  private mutating func volume(_ node: YAMLNode, _ index: Int, _ place: String) -> VolumeOnNodes? {
    guard let fields = fields(of: node, place, Keys.replicatedVolume, required: ["disk"]) else { return nil }
    let number = fields["number"].map { integer($0, "number of \(place)", 0...65535) } ?? index
    if fields["minor"] == nil, fields["device"] == nil {
      problems.add(node.position, place, "has no minor", remedy: "add it: minor 0 is /dev/drbd0")
      return nil
    }
    if let node = fields["device"], fields["minor"] == nil, case .scalar(let text, _) = node.content,
      let device = try? DevicePath(text), minor(of: device) == nil
    {
      problems.add(
        node.position, "device of \(place)", "does not tell its minor",
        remedy: "add the minor, or name it /dev/drbdMINOR")
    }
    guard let number, let start = try? Resource.Volume(number: UInt16(clamping: number), minor: 0, disk: nil),
      let base = placed(start, fields, place)
    else { return nil }
    var volume = VolumeOnNodes(base: base)
    for pair in fields["nodes"].flatMap({ pairs(of: $0, "nodes of \(place)") }) ?? [] {
      let what = "\(place) on \(ISCSIName.printable(pair.key))"
      var key = pair.value
      key.position = pair.keyPosition
      guard let name = checked(key, { try NodeName(pair.key) }),
        let fields = self.fields(of: pair.value, what, Keys.volumeOnNode, required: []),
        let other = placed(base, fields, what)
      else { continue }
      volume.others[name] = other
      volume.exceptions.append((name, pair.keyPosition))
    }
    return volume
  }

  /// A volume with the device, disk and metadata that are named.
  private mutating func placed(_ volume: Resource.Volume, _ fields: [String: YAMLNode], _ place: String)
    -> Resource.Volume?
  {
    var volume = volume
    let device = parsed(fields["device"], "device of \(place)") { try DevicePath($0) }
    let minor = fields["minor"].map { integer($0, "minor of \(place)", 0...1_048_575) } ?? device.map(minor)
    if let minor = minor ?? nil, let usual = try? DevicePath("/dev/drbd\(minor)") {
      volume.minor = UInt32(minor)
      volume.device = usual
    }
    if let device { volume.device = device }
    if let disk = fields["disk"] {
      volume.disk = disk.isNull ? nil : parsed(disk, "disk of \(place)") { try DevicePath($0) }
    }
    if let metadata = parsed(fields["metaDisk"], "metaDisk of \(place)", { try Resource.MetadataPlace($0) }) {
      volume.metadata = metadata
    }
    return volume
  }

  private func minor(of device: DevicePath) -> Int? {
    let prefix = "/dev/drbd"
    guard device.description.hasPrefix(prefix) else { return nil }
    let digits = device.description.dropFirst(prefix.count)
    return Int(digits).flatMap { String($0) == digits && (0...1_048_575).contains($0) ? $0 : nil }
  }

  mutating func parsed<Value>(
    _ node: YAMLNode?, _ what: String, _ read: (String) throws -> Value
  ) -> Value? {
    guard let node, let text = text(node, what) else { return nil }
    return checked(node) { try read(text) }
  }
}
