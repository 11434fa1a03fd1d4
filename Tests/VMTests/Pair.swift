import FoundationEssentials
import HostInterface
import LinuxHost
import ReplicatedVolume
import SystemPackage
import Testing
import VirtualMachine

/// Two nodes on a network of their own, each with a disk for one resource.
struct Pair {
  /// In bytes; the first sync copies all of it.
  static let diskSize: Int64 = 40 << 20

  let mike: Node
  let nancy: Node
  private let network: VirtualNetwork
  private let disks: [ScratchDisk]

  /// The words by which both nodes make the resource.
  var creation: [String] { creation(disk: "/dev/vda") }

  /// The words by which both nodes make the resource on a disk that each has.
  func creation(disk: String) -> [String] {
    [
      "volume", "create", "vg1", "--set", "disk.c-plan-ahead=0", "--set", "disk.resync-rate=100M", "--node",
      "mike=10.77.0.1:7788=\(disk)", "--node", "nancy=10.77.0.2:7788=\(disk)",
    ]
  }

  /// Switches both on.
  static func start() async throws -> Pair {
    let network = try VirtualNetwork(ports: 3)
    let disks = try ["mike", "nancy"].map { try ScratchDisk(serial: $0, size: diskSize) }
    async let mike = Node.start("mike", disks[0], network.port(1))
    async let nancy = Node.start("nancy", disks[1], network.port(2))
    return try await Pair(mike: mike, nancy: nancy, network: network, disks: disks)
  }

  /// Switches a third machine on, on the same network, which has no part in the resource.
  func startThird() async throws -> Node { try await Node.start("third", nil, network.port(3)) }

  /// Switches the second node on after its power was cut; what it had in /etc is as it was.
  func restartNancy() async throws -> Node {
    let node = try await Node.start("nancy", disks[1], network.port(2))
    for file in ["/etc/drbd.d/vg1.res", "/etc/lvm/lvmlocal.conf"] {
      let text = String(decoding: try await mike.run(["cat", file]).output, as: UTF8.self)
      let written = try await node.run(["sh", "-c", "printf %s \"$1\" > \"$2\"", "sh", text, file])
      try #require(written.status == 0)
    }
    return node
  }

  /// Does the same on both nodes at once.
  func onBoth(_ work: @Sendable (Node) async throws -> Void) async throws {
    async let first: Void = work(mike)
    async let second: Void = work(nancy)
    _ = try await (first, second)
  }

  /// Waits until both nodes, or those who took their places, see one another.
  func awaitConnection(_ nodes: Node...) async throws {
    for node in nodes.isEmpty ? [mike, nancy] : nodes {
      try await node.awaitState { $0.peers.first?.connection == .connected }
    }
  }
}

/// One node, and what is done on it.
struct Node {
  let guest: Guest
  let program: String

  static func start(_ name: String, _ disk: ScratchDisk?, _ port: VirtualNetwork.Port?) async throws -> Node {
    var configuration = GuestConfiguration()
    configuration.name = name
    configuration.disks = disk.map { [$0] } ?? []
    configuration.network = port
    return try await Node(configuration)
  }

  init(_ configuration: GuestConfiguration) async throws {
    guest = try await Guest.start(configuration, on: GuestKernel.prepare())
    program = try LocalHost().readLink("/proc/self/exe").removingLastComponent().appending("quartet").string
  }

  func run(_ argv: [String]) async throws -> CommandResult { try await guest.run(argv, limit: .seconds(120)) }

  /// Runs a shell's script, which must not fail; returns what it printed.
  @discardableResult
  func shell(_ script: String, _ words: String..., at location: SourceLocation = #_sourceLocation)
    async throws
    -> String
  {
    let result = try await run(["sh", "-e", "-c", script, "sh"] + words)
    let output = String(decoding: result.output, as: UTF8.self)
    try #require(
      result.status == 0, "\(script) \(words): \(output)\(result.errors)", sourceLocation: location)
    return output.trimmed
  }

  /// Runs `quartet`; returns what it printed on both streams.
  @discardableResult
  func quartet(
    _ words: [String], fails status: Int32 = 0, says text: String = "",
    at location: SourceLocation = #_sourceLocation
  ) async throws -> String {
    let result = try await run([program] + words)
    let printed = String(decoding: result.output, as: UTF8.self) + result.errors
    try #require(
      result.status == status && printed.contains(text), "\(words): status \(result.status): \(printed)",
      sourceLocation: location)
    return printed
  }

  @discardableResult
  func quartet(
    _ words: String..., fails status: Int32 = 0, says text: String = "",
    at location: SourceLocation = #_sourceLocation
  ) async throws -> String {
    try await quartet(words, fails: status, says: text, at: location)
  }

  /// The state of the resource, as `--json` tells it.
  func status() async throws -> Status {
    let result = try await run([program, "volume", "status", "vg1", "--json"])
    try #require(result.status == 0, "\(result.errors)")
    return try #require(try JSONDecoder().decode([Status].self, from: Data(result.output)).first)
  }

  /// How many bytes this node has sent to its peer.
  func sent() async throws -> UInt64 { try #require(try await status().peers.first?.volumes.first?.sent) }

  func awaitState(
    at location: SourceLocation = #_sourceLocation, _ condition: (Status) -> Bool
  ) async throws {
    let deadline = ContinuousClock.now + .seconds(120)
    var state = try await status()
    while !condition(state) {
      try #require(ContinuousClock.now < deadline, "\(state)", sourceLocation: location)
      try await Task.sleep(for: .milliseconds(300))
      state = try await status()
    }
  }

  /// Writes random data past all caches and returns its sum.
  func write(_ device: String, megabytes: Int, at place: Int) async throws -> String {
    let script = """
      dd if=/dev/urandom of=/dev/\(device) bs=1M count=\(megabytes) seek=\(place) oflag=direct conv=fsync 2>&1
      """
    let result = try await run(["sh", "-c", script])
    try #require(result.status == 0, "\(result)")
    return try await sum(device, megabytes: megabytes, at: place)
  }

  /// The sum of a part of a device.
  func sum(_ device: String, megabytes: Int, at place: Int) async throws -> String {
    let script = """
      dd if=/dev/\(device) bs=1M count=\(megabytes) skip=\(place) iflag=direct 2>/dev/null | sha256sum
      """
    let result = try await run(["sh", "-c", script])
    try #require(result.status == 0, "\(result)")
    return String(decoding: result.output, as: UTF8.self).trimmed
  }

  /// The parts of `volume status --json` that the tests look at.
  struct Status: Decodable {
    struct Volume: Decodable {
      var disk: String
      var size: UInt64?
    }
    struct Peer: Decodable {
      struct PeerVolume: Decodable {
        var disk, replication: String
        var sent, outOfSync: UInt64
      }
      private var state: String
      var volumes: [PeerVolume]
      var connection: ResourceStatus.Connection? { ResourceStatus.Connection(rawValue: state) }

      enum CodingKeys: String, CodingKey {
        case volumes
        case state = "connection"
      }
    }
    var role: String?
    var volumes: [Volume]
    var peers: [Peer]

    /// In bytes.
    var outOfSync: UInt64? { peers.first?.volumes.first?.outOfSync }

    var isWhole: Bool {
      volumes.allSatisfy { $0.disk == "UpToDate" } && !peers.isEmpty
        && peers.allSatisfy { peer in
          peer.connection == .connected
            && peer.volumes.allSatisfy { $0.disk == "UpToDate" && $0.replication == "Established" }
        }
    }
  }
}
