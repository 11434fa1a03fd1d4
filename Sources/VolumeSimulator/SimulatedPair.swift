import HostInterface
import Simulation
import Synchronization
import SystemPackage

/// Two machines in memory with DRBD 8.4 and LVM, and the link between them.
///
/// Held to recordings of kernel 6.1, drbd-utils 9.22 and LVM 2.03.16 (Fixtures/DRBD, Fixtures/LVM). What a test does
/// to the machines behind the back of the code under test is here; what the code does goes through ``host(_:)``.
public final class SimulatedPair: Sendable {
  /// The names of the two machines.
  public let names: [String]
  let world: Mutex<World>
  private let machines: [String: SimulatedHost]
  private let delay = Mutex(Duration.milliseconds(300))
  /// What the machines show.
  private let shown = Mutex(World())

  /// A pair whose machines have these disks each.
  ///
  /// - Parameters:
  ///   - names: Two names, as `uname -n` says them.
  ///   - disks: Sizes in bytes by path.
  ///   - services: What else runs on a machine, by its name.
  public init(
    _ names: [String] = ["mike", "nancy"], disks: [String: UInt64] = ["/dev/vda": 256 << 20],
    services: (String) -> [any SimulatedService] = { _ in [] }
  ) {
    self.names = Array(names.prefix(2))
    var world = World()
    var machines: [String: SimulatedHost] = [:]
    var nodes: [SimulatedNode] = []
    for name in names.prefix(2) {
      var machine = Machine()
      for (index, disk) in disks.sorted(by: { $0.key < $1.key }).enumerated() {
        machine.disks[disk.key] = Disk(size: disk.value, number: "254:\(index * 16)")
      }
      world.machines[name] = machine
      let node = SimulatedNode(name: name)
      nodes.append(node)
      machines[name] = SimulatedHost(services: [node] + services(name))
    }
    self.world = Mutex(world)
    self.machines = machines
    for node in nodes { node.join(self) }
    settle()
  }

  /// One of the machines.
  public func host(_ name: String) -> SimulatedHost { machines[name] ?? SimulatedHost() }

  /// What must never happen, told when it did: data erased, or used where they may be stale.
  public var damage: [String] { world.withLock(\.damage) }

  /// Whether a resync and a verification are over as soon as they begin; they are at first.
  public var syncsAtOnce: Bool {
    get { world.withLock(\.syncsAtOnce) }
    set { world.withLock { $0.syncsAtOnce = newValue } }
  }

  /// How long a node takes to answer what the other one tells it of its disk's size.
  public var answerDelay: Duration {
    get { delay.withLock { $0 } }
    set { delay.withLock { $0 = newValue } }
  }

  /// Cuts the link between the machines, or mends it.
  public func setLink(_ isUp: Bool) {
    change { world in
      world.isLinkUp = isUp
      if !isUp {
        world.loseConnections()
        world.questions = []
      }
      world.meet()
    }
  }

  /// Ends what a machine has in its memory, as a power cut does; its disks stay.
  ///
  /// It is on again at once, or stays off.
  public func powerCut(_ name: String, returns: Bool = true) {
    change { world in
      world.machines[name]?.resources = []
      world.machines[name]?.active = [:]
      world.machines[name]?.open = []
      world.machines[name]?.log = []
      world.machines[name]?.isModuleLoaded = false
      world.machines[name]?.isOn = returns
      world.questions = []
      world.loseConnections()
    }
  }

  /// Lets a resync or a verification of a resource come to its end.
  public func finishSync(_ resource: String) {
    change { world in
      let numbers = Set(world.machines.values.flatMap(\.resources).flatMap(\.volumes).map(\.number))
      for number in numbers { world.finishSync(resource, number) }
    }
  }

  /// Writes to a device of DRBD on a machine on which it is primary: data that can be told from what was there.
  @discardableResult
  public func write(_ device: String, on name: String, kib: UInt64 = 4) -> UInt64? {
    change { world in
      guard let minor = UInt32(device.drop { !$0.isNumber }), let place = world[name].place(ofMinor: minor),
        world[name].resources[place.resource].isPrimary
      else { return nil }
      let mark = world.nextNumber()
      world.write(name, place.resource, place.volume, kib: kib) { $0.data = mark }
      return mark
    }
  }

  /// Puts a file system, or whatever blkid(8) calls by this name, on a disk; nil takes everything away.
  public func put(_ signature: String?, on disk: String, of name: String) {
    change { world in
      let data = signature == nil ? nil : world.nextNumber()
      world.machines[name]?.disks[disk]?.content = DiskContent(
        signatures: signature.map { [$0] } ?? [], data: data)
    }
  }

  /// What is on a disk.
  public func content(of disk: String, on name: String) -> DiskContent? {
    world.withLock { $0[name].disks[disk]?.content }
  }

  /// Gives a disk another size, in bytes; the data stay where they are, and so does DRBD's metadata.
  public func resize(_ disk: String, of name: String, to size: UInt64) {
    change { $0.machines[name]?.disks[disk]?.size = size }
  }

  /// Lets a disk fail, or work again; DRBD detaches one that fails.
  public func setBroken(_ isBroken: Bool, _ disk: String, of name: String) {
    change { world in
      world.machines[name]?.disks[disk]?.isBroken = isBroken
      guard isBroken else { return }
      for index in world[name].resources.indices {
        for place in world[name].resources[index].volumes.indices
        where world[name].resources[index].volumes[place].disk == disk {
          world[name].resources[index].volumes[place].state = .diskless
          world[name].resources[index].volumes[place].disk = nil
          world[name].resources[index].volumes[place].metadataDisk = nil
        }
        world.tellDiskStates(world[name].resources[index].name)
      }
    }
  }

  /// Lets the device mapper refuse a volume, named `GROUP/VOLUME`, as it does one whose device is busy.
  public func refuseActivation(of volume: String, on name: String) {
    change { $0.machines[name]?.refused = [volume] }
  }

  /// Opens a device, or a volume by `GROUP/VOLUME`, or closes it.
  public func setOpen(_ isOpen: Bool, _ what: String, on name: String) {
    change { world in
      if isOpen {
        world.machines[name]?.open.insert(what)
      } else {
        world.machines[name]?.open.remove(what)
      }
    }
  }

  /// Everything that a user sees of the pair and of the files in /etc, a line each, without what chance chose.
  public var summary: [String] {
    let lines = world.withLock { world in names.flatMap { name in world.summary(of: name) } }
    return lines
      + files.sorted { $0.key < $1.key }.flatMap { name, files in
        files.sorted { $0.key < $1.key }.map { "\(name): \($0.key): \($0.value)" }
      }
  }

  /// The pair at one moment: both machines, and their files in /etc.
  public struct Moment: Sendable {
    fileprivate var world: World
    fileprivate var files: [String: [String: String]]
  }

  /// This moment.
  public var moment: Moment { Moment(world: world.withLock { $0 }, files: files) }

  /// Makes everything as it was then.
  public func restore(_ moment: Moment) {
    for (name, files) in files {
      let old = moment.files[name] ?? [:]
      for path in files.keys where old[path] == nil { host(name).remove(FilePath(path)) }
      for (path, text) in old where files[path] != text { host(name).addFile(FilePath(path), text: text) }
      host(name).install(module: "drbd", loaded: moment.world[name].isModuleLoaded)
    }
    change { $0 = moment.world }
  }

  /// The files in /etc of each machine that say something about volumes.
  private var files: [String: [String: String]] {
    machines.mapValues { host in
      var found: [String: String] = [:]
      for folder in ["/etc/drbd.d", "/etc/lvm"] {
        for file in (try? host.list(FilePath(folder))) ?? [] {
          found["\(folder)/\(file)"] = try? host.text(FilePath("\(folder)/\(file)"))
        }
      }
      return found
    }
  }

  /// Changes the world, and then what the machines show of it.
  @discardableResult
  func change<Value: Sendable>(_ body: (inout sending World) -> Value) -> Value {
    let value = world.withLock { body(&$0) }
    settle()
    return value
  }

  /// Brings the files of both machines into agreement with the world.
  func settle() {
    let world = world.withLock { $0 }
    let old = shown.withLock { shown in
      defer { shown = world }
      return shown
    }
    guard old.machines != world.machines else { return }
    for (name, host) in machines { SimulatedNode.show(world, name, on: host) }
  }
}

extension World {
  /// What a cut or a power failure leaves of connections.
  mutating func loseConnections() {
    for (node, machine) in machines {
      for (index, resource) in machine.resources.enumerated() where resource.connection == .connected {
        self[node].resources[index].part(.connecting)
      }
    }
  }

  /// One machine's part of ``SimulatedPair/summary``.
  func summary(of node: String) -> [String] {
    var lines: [String] = []
    for resource in self[node].resources.sorted(by: { $0.name < $1.name }) {
      let role = resource.isPrimary ? "primary" : "secondary"
      lines.append(
        "\(node): \(resource.name) \(role) \(resource.connection.rawValue) \(resource.net.sorted { $0.key < $1.key })"
      )
      for volume in resource.volumes {
        lines.append(
          "\(node): \(resource.name)/\(volume.number) \(volume.state.rawValue) \(volume.replication) "
            + "\(volume.size) KiB, \(volume.outOfSync) out of sync")
      }
    }
    for (path, disk) in self[node].disks.sorted(by: { $0.key < $1.key }) {
      let metadata =
        disk.metadata.map { $0.isConsistent ? "metadata of data" : "new metadata" } ?? "no metadata"
      lines.append(
        "\(node): \(path) \(metadata), \(disk.content.signatures), data \(disk.content.data ?? 0), "
          + (disk.content.label?.summary ?? "no label"))
    }
    for volume in self[node].active.keys.sorted() { lines.append("\(node): \(volume) is active") }
    return lines
  }
}
