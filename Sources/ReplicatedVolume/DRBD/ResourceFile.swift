import HostInterface
import SystemPackage

/// The file of a resource in `/etc/drbd.d`, which drbdadm(8) reads on every node.
public enum ResourceFile {
  /// Where drbd-utils looks for `*.res` (drbd.conf(5)).
  public static let directory: FilePath = "/etc/drbd.d"
  /// The first line of what Quartet wrote; a file without it is somebody else's and is never overwritten.
  public static let mark = "# written by quartet: it is replaced as a whole, keep notes elsewhere"

  /// Where the file of a resource is.
  public static func path(of name: ResourceName) -> FilePath { directory.appending("\(name).res") }

  /// The file's text; the shared secret in it is masked wherever it is shown.
  ///
  /// - Parameter generation: Whose grammar: 8.4 has `fencing` in `disk` and no `node-id`, 9 has it in `net`.
  public static func text(_ resource: Resource, for generation: Generation) -> Text {
    var lines: [Text] = []
    for section in Resource.Section.allCases.sorted() {
      var body = options(resource.settings[section] ?? [:])
      if let fencing = resource.fencing, section == (generation == .eight ? .disk : .net) {
        body.append("fencing \(fencing.rawValue);")
      }
      if section == .net { body = own(resource) + body }
      if !body.isEmpty { lines += block(section.rawValue, body) }
    }
    for (number, node) in resource.nodes.enumerated() {
      let head: [Text] = generation == .eight ? [] : ["node-id \(number);"]
      lines += block("on \(node.name)", head + body(node))
    }
    lines = [Text(mark)] + block("resource \(resource.name)", lines)
    return lines.reduce(Text("")) { $0 + $1 + Text("\n") }
  }

  private static func own(_ resource: Resource) -> [Text] {
    var lines: [Text] = []
    if let replication = resource.replication { lines.append("protocol \(replication.rawValue);") }
    if let secret = resource.sharedSecret { lines.append("shared-secret \(quoted(secret));") }
    return lines
  }

  private static func body(_ node: Resource.Node) -> [Text] {
    let family = node.address.address.isIPv6 ? "ipv6" : "ipv4"
    var lines: [Text] = ["address \(family) \(node.address);"]
    for volume in node.volumes {
      var body: [Text] = ["device \(volume.device) minor \(volume.minor);"]
      body.append(volume.disk.map { "disk \($0);" } ?? "disk none;")
      switch volume.metadata {
      case .inside: body.append("meta-disk internal;")
      case .device(let device): body.append("meta-disk \(device);")
      case .slot(let device, let index): body.append("meta-disk \(device) [\(index)];")
      }
      lines += block("volume \(volume.number)", body)
    }
    return lines
  }

  private static func block(_ head: String, _ body: [Text]) -> [Text] {
    ["\(head) {"] + body.map { Text("  ") + $0 } + ["}"]
  }

  private static func options(_ options: [String: String]) -> [Text] {
    options.sorted { $0.key < $1.key }.map { "\($0.key) \(quoted($0.value));" }
  }

  /// A value in quotes, in which `\` and `"` are escaped (drbdadm_scanner.fl, DQSTRING).
  private static func quoted(_ value: String) -> String {
    "\"" + value.flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] } + "\""
  }

  private static func quoted(_ secret: Secret) -> Text {
    let bytes = secret.withBytes { bytes in
      bytes.flatMap { [0x22, 0x5c].contains($0) ? [UInt8(ascii: "\\"), $0] : [$0] }
    }
    return "\"\(Secret(bytes))\""
  }
}
