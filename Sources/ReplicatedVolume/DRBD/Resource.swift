import HostInterface

/// A DRBD resource as its file describes it: the same on every node.
///
/// Source: drbd.conf(5) of 8.4 and 9.0. Volumes have the same numbers and minors on every node, and the same disk
/// options; a file in which they differ is read, and refused to be written.
public struct Resource: Sendable, Hashable {
  /// The name.
  public var name: ResourceName
  /// The nodes, at least two.
  ///
  /// A node's number for DRBD 9 is its place here, from 0.
  public var nodes: [Node]
  /// When a write is acknowledged; nil leaves it to the common section, and that to C.
  public var replication: Replication?
  /// What a primary does before it goes on without its peer; nil leaves it to the common section.
  public var fencing: Fencing?
  /// What the nodes prove to one another that they know (`shared-secret`, at most 63 bytes).
  public var sharedSecret: Secret?
  /// Further options by section, by drbd.conf(5)'s own names.
  public var settings: [Section: [String: String]]

  /// A resource without any option.
  public init(name: ResourceName, nodes: [Node]) {
    self.name = name
    self.nodes = nodes
    settings = [:]
  }

  /// One machine that has a copy.
  public struct Node: Sendable, Hashable {
    /// The machine's name.
    public var name: NodeName
    /// Where its DRBD listens.
    public var address: Address
    /// Its volumes, one at least.
    public var volumes: [Volume]

    /// A node.
    public init(name: NodeName, address: Address, volumes: [Volume]) {
      self.name = name
      self.address = address
      self.volumes = volumes
    }
  }

  /// An address and a TCP port.
  public struct Address: Sendable, Hashable, CustomStringConvertible {
    /// The address.
    public var address: IPAddress
    /// The port, 1 to 65535.
    public var port: UInt16

    /// An address with its port.
    public init(_ address: IPAddress, port: UInt16) {
      self.address = address
      self.port = port
    }

    /// Reads `ADDRESS:PORT`, IPv6 in brackets.
    ///
    /// - Throws: ``Failure`` with code `invalid`.
    public init(_ text: String) throws {
      let colon = text.lastIndex(of: ":") ?? text.startIndex
      var host = text[..<colon]
      if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
      let digits = text[colon...].dropFirst()
      guard let address = IPAddress(String(host)), let port = UInt16(digits), port > 0 else {
        throw Failure(
          .invalid, "address \(shown(text))", "is no IPv4 or IPv6 address with a port",
          remedy: "write it like 192.168.43.111:7788, an IPv6 address in brackets")
      }
      self.init(address, port: port)
    }

    /// `ADDRESS:PORT`, IPv6 in brackets.
    public var description: String { address.isIPv6 ? "[\(address)]:\(port)" : "\(address):\(port)" }
  }

  /// One replicated block device on one node.
  public struct Volume: Sendable, Hashable {
    /// The number in the resource, 0 to 65535.
    public var number: UInt16
    /// The minor number of the device, 0 to 1048575.
    public var minor: UInt32
    /// The device that is replicated; usually `/dev/drbdMINOR`.
    public var device: DevicePath
    /// The disk that it is on; nil for a node without a copy.
    public var disk: DevicePath?
    /// Where the metadata is.
    public var metadata: MetadataPlace

    /// A volume with internal metadata, at `/dev/drbdMINOR`.
    public init(number: UInt16 = 0, minor: UInt32, disk: DevicePath?) throws {
      self.number = number
      self.minor = minor
      self.device = try DevicePath("/dev/drbd\(minor)")
      self.disk = disk
      metadata = .inside
    }
  }

  /// Where the metadata of a volume is.
  public enum MetadataPlace: Sendable, Hashable, CustomStringConvertible {
    /// At the end of the disk itself (`internal`).
    case inside
    /// On a device of its own, of which it takes what it needs.
    case device(DevicePath)
    /// In one of the slots of 128 MiB of a device (`DEVICE[INDEX]`).
    case slot(DevicePath, UInt16)

    /// Reads `internal`, `DEVICE` or `DEVICE[INDEX]`.
    ///
    /// - Throws: ``Failure`` with code `invalid`.
    public init(_ text: String) throws {
      if text == "internal" {
        self = .inside
      } else if text.hasSuffix("]"), let open = text.lastIndex(of: "["),
        let index = UInt16(text[open...].dropFirst().dropLast())
      {
        self = .slot(try DevicePath(String(text[..<open])), index)
      } else {
        self = .device(try DevicePath(text))
      }
    }

    /// `internal`, `DEVICE` or `DEVICE[INDEX]`.
    public var description: String {
      switch self {
      case .inside: "internal"
      case .device(let device): "\(device)"
      case .slot(let device, let index): "\(device)[\(index)]"
      }
    }
  }

  /// When a write is acknowledged (`protocol` in drbd.conf(5)).
  public enum Replication: String, Sendable, CaseIterable {
    /// When it is on the local disk and in the send buffer.
    case asynchronous = "A"
    /// When it is on the local disk and in the peer's memory.
    case memorySynchronous = "B"
    /// When it is on both disks.
    case synchronous = "C"
  }

  /// What a primary does when it loses its peer (`fencing` in drbd.conf(5)).
  public enum Fencing: String, Sendable, CaseIterable {
    /// Nothing.
    case none = "dont-care"
    /// It calls the handler `fence-peer`, and goes on meanwhile.
    case resourceOnly = "resource-only"
    /// It holds all writes until the handler has answered.
    case resourceAndStonith = "resource-and-stonith"
  }

  /// The sections of a resource that hold options.
  public enum Section: String, Sendable, CaseIterable, Comparable {
    case options, net, disk, startup, handlers

    /// Orders by the name.
    public static func < (left: Section, right: Section) -> Bool { left.rawValue < right.rawValue }
  }

  /// The node of this name.
  public func node(_ name: NodeName) -> Node? { nodes.first { $0.name == name } }
}

extension Resource {
  /// Everything that is wrong with the resource; it can be written when this is empty.
  public var problems: [String] {
    var found: [String] = []
    if nodes.count < 2 { found.append("has \(nodes.count) nodes, at least 2 are needed") }
    if nodes.count > 32 { found.append("has \(nodes.count) nodes, at most 32 are allowed") }
    found += repeated(nodes.map(\.name)).map { "has node \($0) twice" }
    found += repeated(nodes.map(\.address)).map { "uses \($0) on two nodes" }
    for node in nodes {
      let place = "on \(node.name)"
      if node.volumes.isEmpty { found.append("has no volume \(place)") }
      if node.address.address.isUnspecified || node.address.port == 0 {
        found.append("has no usable address \(place) (\(node.address))")
      }
      found += repeated(node.volumes.map(\.number)).map { "has volume \($0) twice \(place)" }
      found += repeated(node.volumes.map(\.minor)).map { "uses minor \($0) twice \(place)" }
      found += repeated(node.volumes.compactMap(\.disk)).map { "uses disk \($0) twice \(place)" }
      for volume in node.volumes where volume.minor >= 1 << 20 {
        found.append("uses minor \(volume.minor) \(place), at most \((1 << 20) - 1) is allowed")
      }
    }
    let numbers = nodes.map { Set($0.volumes.map(\.number)) }
    if Set(numbers).count > 1 { found.append("has other volumes on one node than on another") }
    if let secret = sharedSecret, !(1...63).contains(secret.count) {
      found.append("has a shared secret of \(secret.count) bytes, 1 to 63 are allowed")
    }
    return found + settingProblems
  }

  private var settingProblems: [String] {
    settings.sorted { $0.key < $1.key }.flatMap { section, options in
      options.sorted { $0.key < $1.key }.compactMap { name, value in
        let place = "in \(section.rawValue)"
        guard let first = name.utf8.first, (0x61...0x7a).contains(first),
          name.utf8.allSatisfy({ (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2d })
        else { return "has option \(shown(name)) \(place), which is no option's name" }
        if ["protocol", "fencing", "shared-secret"].contains(name) {
          return "has \(name) among its other options, it has a place of its own"
        }
        // The scanner of drbdadm takes 255 bytes between quotes, and no line break (drbdadm_scanner.fl).
        let plain = value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f } && value.utf8.count <= 200
        return plain ? nil : "has a value of \(name) \(place) with a control character or over 200 bytes"
      }
    }
  }

  private func repeated<Item: Hashable>(_ items: [Item]) -> [Item] {
    var seen: Set<Item> = []
    return items.filter { !seen.insert($0).inserted }
  }
}
