import HostInterface
import SystemPackage

/// A resource that drbdadm(8) finds in its files.
public struct FoundResource: Sendable, Hashable {
  /// What the files say.
  public var resource: Resource
  /// The file that it begins in.
  public var file: FilePath
  /// What the files say of it and ``Resource`` cannot; it is not written anew while there is any.
  public var foreign: [String]
  /// Whether Quartet wrote the file.
  public var isOurs = false
}

extension ResourceFile {
  /// Reads what `drbdadm dump-xml` prints.
  ///
  /// Options of single volumes and the numbers of nodes are not in it: drbd-utils 9.22 leaves them out.
  ///
  /// - Throws: ``Failure`` with code `garbled` for what is no such document, `unsupported` for a resource with parts
  ///   that cannot be told as a ``Resource`` at all, such as a stacked one.
  public static func parse(xml: [UInt8]) throws -> [FoundResource] {
    let roots = try XMLElement.parse(xml)
    // With a resource's name it prints the resource alone, without one it prints the configuration around all.
    let elements = roots.flatMap { $0.name == "config" ? $0.children : [$0] }
    return try elements.filter { $0.name == "resource" }.map(found)
  }

  private static func found(_ element: XMLElement) throws -> FoundResource {
    let name = try ResourceName(element.attributes["name"] ?? "")
    func unsupported(_ what: String) -> Failure {
      Failure(
        .unsupported, "resource \(name)", "has \(what) in its file",
        remedy: "manage it with drbdadm, or write it without")
    }
    var foreign: [String] = []
    var nodes: [Resource.Node] = []
    for host in element.all("host") {
      guard let text = host.attributes["name"] else { throw unsupported("a floating or stacked node") }
      guard let node = try? NodeName(text) else { throw unsupported("a node of several names (\(text))") }
      let volumes = try host.all("volume").map { try volume($0, of: name) }
      nodes.append(
        Resource.Node(name: node, address: try address(host.first("address"), of: name), volumes: volumes))
      if host.first("section") != nil { foreign.append("options of node \(node)") }
      if host.all("volume").contains(where: { $0.first("section") != nil }) {
        foreign.append("options of volumes of node \(node)")
      }
    }
    if element.all("connection").contains(where: { $0.first("section") != nil || $0.first("volume") != nil })
    {
      foreign.append("options of connections")
    }
    var resource = Resource(name: name, nodes: nodes)
    for section in element.all("section") {
      guard let known = section.attributes["name"].flatMap(Resource.Section.init(rawValue:)) else {
        foreign.append("a section \(shown(section.attributes["name"] ?? ""))")
        continue
      }
      for option in section.all("option") { try set(option, in: known, of: &resource) }
    }
    let place = element.attributes["conf-file-line"] ?? ""
    let file = place.lastIndex(of: ":").map { place[..<$0] } ?? place[...]
    return FoundResource(resource: resource, file: FilePath(String(file)), foreign: foreign)
  }

  private static func set(
    _ option: XMLElement, in section: Resource.Section, of resource: inout Resource
  ) throws {
    guard let name = option.attributes["name"] else { throw garbled("an option has no name", resource.name) }
    // A word without a value switches on (drbd.conf(5)).
    let value = option.attributes["value"] ?? "yes"
    switch (section, name) {
    case (.net, "protocol"):
      guard let known = Resource.Replication(rawValue: value.uppercased()) else {
        throw garbled("protocol is \(shown(value))", resource.name)
      }
      resource.replication = known
    case (.net, "fencing"), (.disk, "fencing"):
      guard let known = Resource.Fencing(rawValue: value) else {
        throw garbled("fencing is \(shown(value))", resource.name)
      }
      resource.fencing = known
    case (.net, "shared-secret"): resource.sharedSecret = Secret(value.utf8)
    default: resource.settings[section, default: [:]][name] = value
    }
  }

  private static func volume(_ element: XMLElement, of name: ResourceName) throws -> Resource.Volume {
    guard let number = element.attributes["vnr"].flatMap(UInt16.init),
      let device = element.first("device"), let minor = device.attributes["minor"].flatMap(UInt32.init)
    else { throw garbled("a volume has no number, device or minor", name) }
    let disk = element.first("disk")?.text ?? "none"
    var volume = try Resource.Volume(
      number: number, minor: minor, disk: disk == "none" ? nil : try DevicePath(disk))
    if !device.text.isEmpty { volume.device = try DevicePath(device.text) }
    guard let metadata = element.first("meta-disk"), metadata.text != "internal" else { return volume }
    let place = try DevicePath(metadata.text)
    if let index = metadata.attributes["index"] {
      guard let index = UInt16(index) else { throw garbled("a metadata index is \(shown(index))", name) }
      volume.metadata = .slot(place, index)
    } else {
      volume.metadata = .device(place)
    }
    return volume
  }

  private static func address(_ element: XMLElement?, of name: ResourceName) throws -> Resource.Address {
    guard let element, let address = IPAddress(element.text),
      let port = element.attributes["port"].flatMap(UInt16.init)
    else { throw garbled("a node has no IPv4 or IPv6 address with a port", name) }
    return Resource.Address(address, port: port)
  }

  private static func garbled(_ what: String, _ name: ResourceName) -> Failure {
    Failure(.garbled, "resource \(name)", "is not told as it should be: \(what)")
  }
}
