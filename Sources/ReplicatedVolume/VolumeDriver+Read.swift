import FoundationEssentials
import HostInterface
import SystemPackage

extension VolumeDriver {
  /// Reads everything: the files of resources, what runs of them, and what LVM sees.
  ///
  /// - Throws: ``Failure`` when a tool that is installed does not answer as it should.
  public func read() async throws -> VolumeState {
    let node = try NodeName(try host.text("/proc/sys/kernel/hostname").trimmed)
    var state = VolumeState(node: node, files: [], running: [], splitBrain: [], pools: nil, unfiltered: [:])
    if host.executable("drbdadm") != nil { try await readResources(into: &state) }
    if host.executable("lvm") != nil { try await readPools(into: &state) }
    return state
  }

  private func readResources(into state: inout VolumeState) async throws {
    let proc = try host.status("/proc/drbd") == nil ? nil : try host.text("/proc/drbd")
    state.generation = try await generation(proc)
    if try hasResourceFiles() {
      let answer = try await output(DRBD.command(["dump-xml"]), allowing: "no resources defined")
      state.files = try ResourceFile.parse(xml: answer)
      for index in state.files.indices {
        state.files[index].isOurs = try host.text(state.files[index].file).hasPrefix(ResourceFile.mark)
      }
    }
    guard let proc else { return }
    switch state.generation {
    case .nine: state.running = try StatusJSON.parse(try await output(Self.tool(["status", "--json"])))
    default:
      let answer = try await output(Self.tool(["events2", "--now", "--statistics"]))
      state.running = try EventLines.parse(String(decoding: answer, as: UTF8.self))
      for index in state.running.indices { state.running[index].add(ProcDRBD.progress(proc)) }
    }
    let alone = state.running.filter { $0.peers.contains { $0.connection == .standAlone } }
    guard !alone.isEmpty else { return }
    let log = String(
      decoding: (try? await output(Command(["dmesg"], environment: DRBD.environment))) ?? [], as: UTF8.self)
    state.splitBrain = Set(
      alone.filter { SplitBrain.isTold(of: $0.volumes.map(\.minor), in: log) }.map(\.name))
  }

  private static func tool(_ words: [Text]) -> Command {
    Command(["drbdsetup"] + words, environment: DRBD.environment)
  }

  private func hasResourceFiles() throws -> Bool {
    guard try host.status(ResourceFile.directory) != nil else { return false }
    return try host.list(ResourceFile.directory).contains { $0.hasSuffix(".res") }
  }

  /// By the module that is loaded, else by the one that would be; nil when the kernel has none.
  private func generation(_ proc: String?) async throws -> Generation? {
    if let proc { return try Generation(proc: proc) }
    guard host.executable("modinfo") != nil else { return nil }
    let result = try await host.run(
      Command(["modinfo", "-F", "version", "drbd"], environment: DRBD.environment, limit: .seconds(10)))
    let version = String(decoding: result.output, as: UTF8.self).trimmed
    return result.status == 0 && !version.isEmpty ? try Generation(version: version) : nil
  }

  private func readPools(into state: inout VolumeState) async throws {
    state.pools = try LVMReport.parse(try await output(withUdev(LVMReport.command)))
    let disks = state.files.flatMap { found in
      (found.resource.node(state.node)?.volumes.compactMap(\.disk) ?? []).map { (found.resource.name, $0) }
    }
    guard !disks.isEmpty else { return }
    guard try await !looksForDevices() else {
      for (name, disk) in disks { state.unfiltered[name, default: []].append(disk) }
      return
    }
    let seen = try LVMReport.devices(try await output(withUdev(LVMReport.devicesCommand)))
    let identities = Set(seen.compactMap { (try? host.status(FilePath($0)))?.identity })
    for (name, disk) in disks {
      guard let identity = try host.status(FilePath(disk.description))?.identity,
        identities.contains(identity)
      else { continue }
      state.unfiltered[name, default: []].append(disk)
    }
  }

  /// Without udev LVM would wait for it to make device nodes; then it makes them itself.
  var hasUdev: Bool { (try? host.status("/run/udev/control")) ?? nil != nil }

  private func withUdev(_ command: Command) -> Command {
    var command = command
    if !hasUdev { command.environment["DM_DISABLE_UDEV"] = "1" }
    return command
  }

  /// The standard output of a command that must succeed, or nothing when it fails with a text that is allowed.
  private func output(_ command: Command, allowing allowed: String? = nil) async throws -> [UInt8] {
    let result = try await host.run(command)
    if result.status == 0 { return result.output }
    if let allowed, result.errors.contains(allowed) { return [] }
    switch Self.judge(.run(command), .success(.command(result))) {
    case .busy(let failure), .failed(let failure): throw failure
    case .done: return result.output
    }
  }

  /// What `drbdadm adjust` would do for a change that may be half done, or may have nothing to do at all.
  func pending(_ change: VolumeChange, in state: VolumeState) async throws -> [String] {
    let name: ResourceName
    switch change {
    case .createResource(let resource, _):
      guard state.file(resource.name)?.resource == resource else { return [] }
      name = resource.name
    case .up(let resource), .adjust(let resource): name = resource
    default: return []
    }
    guard state.mine(name) != nil, state.status(name) != nil || change == .adjust(name) else { return [] }
    let answer = try await output(DRBD.command(["--dry-run", "adjust", Text(name.description)]))
    return String(decoding: answer, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  /// What is on the disks that a change wants to use on this node.
  func facts(for change: VolumeChange, in state: VolumeState) async throws -> [DevicePath: DiskFacts] {
    let disks: [DevicePath]
    switch change {
    case .createResource(let resource, _): disks = resource.node(state.node)?.disks ?? []
    case .resize(let name):
      // They are DRBD's, and only their sizes are asked for.
      var facts: [DevicePath: DiskFacts] = [:]
      for disk in state.mine(name)?.disks ?? [] {
        facts[disk] = DiskFacts(
          status: try host.status(FilePath(disk.description)), holders: [], signatures: [])
      }
      return facts
    case .createPool(_, let devices, _): disks = devices
    case .extendPool(_, let device): disks = [device]
    default: disks = []
    }
    var facts: [DevicePath: DiskFacts] = [:]
    for disk in disks { facts[disk] = try await look(at: disk) }
    return facts
  }

  private func look(at disk: DevicePath) async throws -> DiskFacts {
    let path = FilePath(disk.description)
    guard let status = try host.status(path) else {
      return DiskFacts(status: nil, holders: [], signatures: [])
    }
    guard status.kind == .blockDevice else { return DiskFacts(status: status, holders: [], signatures: []) }
    let holders = try host.holders(of: path)
    return DiskFacts(
      status: status, holders: holders, signatures: try await signatures(on: disk.description))
  }

  /// What stands on a file or device, by its names in blkid(8).
  ///
  /// - Throws: ``Failure`` when wipefs(8) is not there, or prints what is not understood.
  package func signatures(on path: String) async throws -> [String] {
    // A secondary's device cannot be opened, and is refused for that later.
    let result = try await host.run(
      Command(["wipefs", "--json", Text(path)], environment: DRBD.environment))
    return result.status == 0 ? try Self.signatures(result.output) : []
  }

  /// Reads what `wipefs --json` prints (wipefs(8)); nothing at all when there is no signature.
  static func signatures(_ bytes: [UInt8]) throws -> [String] {
    struct Document: Decodable {
      struct Signature: Decodable { var type: String }
      var signatures: [Signature]
    }
    guard bytes.contains(where: { $0 > 0x20 }) else { return [] }
    do {
      return try JSONDecoder().decode(Document.self, from: Data(bytes)).signatures.map(\.type)
    } catch {
      throw Failure(.garbled, "wipefs", "prints no list of signatures that is understood", answer: "\(error)")
    }
  }
}

extension Resource.Node {
  /// The disks and the devices for metadata alone.
  fileprivate var disks: [DevicePath] {
    volumes.flatMap { volume in
      var used = volume.disk.map { [$0] } ?? []
      if case .device(let device) = volume.metadata { used.append(device) }
      return used
    }
  }
}
