import HostInterface
import LinuxHost
import NBDTesting
import SystemPackage
import Testing
import VirtualMachine

/// A machine that serves an embedded pool loses its power under load; nothing that it promised is lost.
@Suite(
  .serialized, .timeLimit(.minutes(15)),
  .enabled(if: Guest.isWanted, "no virtual machines: this is one, or QUARTET_VM=0 is set"))
struct EnginePowerCutTests {
  @Test func whatWasPromisedIsThereAfterPowerCuts() async throws {
    let seed = UInt64.random(in: 0 ... .max)
    let disks = try ["first", "second"].map {
      try ScratchDisk(serial: $0, size: 32 << 20, hasVolatileCache: true)
    }
    var load = VerifyingLoad(size: PoolMachine.volumeSize, seed: seed, risk: .unflushed)

    var machine = try await PoolMachine(disks)
    try await machine.makePool()
    try await machine.serve()
    // Of many requests in flight some are done on one leg only, so that the activity log counts.
    try machine.cutPower(under: &load, depth: 32, after: 400, lastDepth: 32)

    // Cut while a leg is away that was there at first: its disk stays behind by what the bitmap says.
    machine = try await PoolMachine(disks, after: machine)
    try await machine.serve()
    try await machine.check(load, seed)
    try await machine.node.quartet("pool", "detach-leg", "p", "/dev/vda")
    try machine.cutPower(under: &load, depth: 32, after: 400)

    // Cut after a resync that ran while writes went on.
    machine = try await PoolMachine(disks, after: machine)
    try await machine.serve()
    load.run(try machine.client, depth: 4, until: 100)
    try await machine.check(load, seed)
    try machine.cutPower(under: &load, depth: 4, after: 300)

    // Cut while the other disk is not there at all.
    machine = try await PoolMachine([disks[0]], after: machine)
    try await machine.serve(allowingMissingLegs: true)
    #expect(try load.damage(machine.client) == [], "seed \(seed)")
    try machine.cutPower(under: &load, depth: 16, after: 400)

    machine = try await PoolMachine(disks, after: machine)
    try await machine.serve()
    try await machine.check(load, seed)
    #expect(load.failed == 0, "seed \(seed)")
    try await machine.end()
  }
}

/// A guest with a pool on its disks, of which a client on the host uses a volume.
private struct PoolMachine {
  /// In bytes.
  static let volumeSize = 24 << 20

  let node: Node
  private var description = ""
  private var server: Task<CommandResult, any Error>?
  private var connected: NBDClient?

  /// Switches it on; what a machine before had in /etc is as it was.
  init(_ disks: [ScratchDisk], after earlier: PoolMachine? = nil) async throws {
    var configuration = GuestConfiguration()
    configuration.disks = disks
    node = try await Node(configuration)
    // Else the disks lose nothing.
    for disk in disks.indices {
      let name = "vd\(["a", "b"][disk])"
      #expect(try await node.shell("cat /sys/block/$1/queue/write_cache", name) == "write back")
    }
    guard let earlier else { return }
    description = earlier.description
    try await node.shell("mkdir -p /etc/quartet/pools; echo \"$1\" > /etc/quartet/pools/p", description)
  }

  mutating func makePool() async throws {
    try await node.quartet(
      "pool", "create", "p", "--leg", "/dev/vda", "--leg", "/dev/vdb", "--extent-size", "1M")
    try await node.quartet("pool", "create-volume", "p/data", "--size", "\(Self.volumeSize >> 20)M")
    description = try await node.shell("cat /etc/quartet/pools/p")
  }

  /// Starts nbdkit, which speaks to the host's client over the guest's line.
  mutating func serve(allowingMissingLegs: Bool = false) async throws {
    let plugin = FilePath(node.program).removingLastComponent().appending("libnbdkit-quartet-plugin.so")
    let script = """
      for port in /sys/class/virtio-ports/*; do
        [ $(cat $port/name) = quartet.line ] && line=/dev/${port##*/}
      done
      exec nbdkit -s "$1" pool=p background=true missing-legs=$2 0<>$line >&0
      """
    let guest = node.guest
    server = Task {
      try await guest.run(
        ["sh", "-e", "-c", script, "sh", plugin.string, "\(allowingMissingLegs)"], limit: .seconds(300))
    }
    connected = try NBDClient(socket: guest.line().rawValue)
  }

  var client: NBDClient { get throws { try #require(connected) } }

  /// Finds everything that was promised, and the legs alike after the resync.
  func check(_ load: VerifyingLoad, _ seed: UInt64) async throws {
    #expect(try load.damage(client) == [], "seed \(seed)")
    try await node.quartet("pool", "status", "p", "--watch")
    try await node.quartet("pool", "verify", "p", says: "2 legs of pool p are alike")
    #expect(try load.damage(client) == [], "seed \(seed), after the resync")
  }

  /// Cuts its power when so many writes were acknowledged, and something was promised just now.
  ///
  /// - Parameter lastDepth: How many requests are in flight then; of many, one soon flushes what another had to.
  func cutPower(under load: inout VerifyingLoad, depth: Int, after count: Int, lastDepth: Int = 2) throws {
    let goal = load.acknowledged + count
    load.run(try client, depth: depth, until: count)
    load.run(
      try client, depth: lastDepth, while: { $0.acknowledged < goal + 5 || !$0.hasJustPromised },
      whenReached: { node.guest.cutPower() })
    // The machine did not end before.
    #expect(load.acknowledged >= goal)
  }

  /// Ends the server in order, and the machine.
  func end() async throws {
    try client.send(.disconnect)
    let result = try #require(try await server?.value)
    #expect(result.status == 0, "\(result.errors)")
    try await node.guest.shutDown()
  }
}
