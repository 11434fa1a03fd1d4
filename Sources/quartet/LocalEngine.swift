import EmbeddedPool
import HostInterface
import Quartet
import ReplicatedVolume
import SystemPackage

/// The embedded pools of this machine, for state files.
struct LocalEngine: EmbeddedEngine {
  private var pools: EmbeddedPools { EmbeddedPools(on: Machine.host) }

  func has(_ name: PoolName) throws -> Bool { try pools.description(of: name) != nil }

  func changes(to spec: EmbeddedPoolSpec, attaching: Set<VolumePath>) async throws -> [EmbeddedPoolChange] {
    let description = try pools.description(of: spec.name)
    if description == nil { try await Self.refuseGroup(spec.name) }
    var report: PoolReport?
    if let description, !description.isBeingCreated { report = try await pools.report(description) }
    var changes = try PoolReconciler.changes(to: spec, description, report)
    if case .createPool? = changes.first {
      // What stands against making it is told before anything is touched.
      _ = try await creation(spec).proposal(on: pools.host, pools.places)
    }
    for path in attaching.sorted(by: { $0.description < $1.description }) {
      let isThere = report?.volumes.contains { $0.name == path.volume.description } ?? false
      guard isThere || spec.volumes.contains(where: { $0.name == path.volume }) else {
        throw Failure(
          .notFound, "volume \(path)", "is exported by the file, and is neither there nor in the file",
          remedy: "add it to the volumes of pool \(spec.name)")
      }
      switch try attachment(of: path).state(isServed: report?.server != nil) {
      case .nbd, .fuse: break
      case .detached, .stale, .dead: changes.append(.attach(path))
      }
    }
    return changes
  }

  func perform(_ change: EmbeddedPoolChange) async throws -> [String] {
    switch change {
    case .createPool(let spec):
      let lock = try await pools.host.lock("pool-\(spec.name)", limit: .seconds(30))
      defer { lock.release() }
      return try await creation(spec).perform(on: pools.host, pools.places).warnings
    case .setResyncRate(let name, let rate): _ = try await pools.setResyncRate(rate, of: name)
    case .createVolume(let path, let size):
      try await perform(
        .createVolume(name: path.volume.description, size: size.demand, policy: Self.policy), on: path.pool)
    case .extendVolume(let path, let size):
      try await perform(
        .extendVolume(name: path.volume.description, size: size.demand, policy: Self.policy), on: path.pool)
      return try await attachment(of: path).whoSeesAnOldSize(in: pools)
    case .attach(let path): try await attach(path)
    }
    return []
  }

  func oldSizes(of spec: EmbeddedPoolSpec) async throws -> [String] {
    // Without a process that serves the pool nothing of it is attached.
    guard let description = try pools.description(of: spec.name),
      try PoolServer.process(spec.name, in: pools) != nil
    else { return [] }
    let report = try await pools.report(description)
    var lines: [String] = []
    for volume in spec.volumes {
      let attachment = try attachment(of: VolumePath(spec.name, volume.name))
      let size = report.volumes.first { $0.name == volume.name.description }?.size
      switch try attachment.state(isServed: true) {
      case .nbd, .fuse:
        guard let size, let shown = try pools.host.status(attachment.place)?.size, shown < UInt64(size) else {
          continue
        }
        lines += try await attachment.whoSeesAnOldSize(in: pools)
      case .detached, .stale, .dead: break
      }
    }
    return lines
  }

  private static let policy = "normal"

  private func creation(_ spec: EmbeddedPoolSpec) -> PoolCreation {
    var creation = PoolCreation(name: spec.name, legs: spec.legs)
    (creation.size, creation.sparse, creation.extentSize) = (spec.size, spec.sparse, spec.extentSize)
    // A file is applied again and again, and on other machines: it erases nothing.
    creation.wipeRemedy =
      "if that is not needed, run `\(EmbeddedPoolChange.createPool(spec).command) --wipe`, and apply again"
    return creation
  }

  private func perform(_ request: PoolRequest, on pool: PoolName) async throws {
    _ = try await pools.perform(request, on: pools.existing(pool))
  }

  private func attachment(of path: VolumePath) throws -> VolumeAttachment {
    try VolumeAttachment(of: path, in: pools, quartet: VolumeCommand.Attach.program)
  }

  private func attach(_ path: VolumePath) async throws {
    let lock = try await pools.host.lock("attach", limit: .seconds(30))
    defer { lock.release() }
    let attachment = try attachment(of: path)
    let server = try PoolServer.process(path.pool, in: pools)
    let plan = try await attachment.attachPlan(server: server, way: attachment.way(nil))
    try await Executor(judge: VolumeAttachment.judge).run(plan, on: pools.host)
  }

  /// Refuses a name that LVM has.
  static func refuseGroup(_ name: PoolName) async throws {
    guard Machine.host.executable("lvm") != nil,
      try await PoolCommand.pools(VolumeDriver(on: Machine.host))[name] != nil
    else { return }
    throw Failure(.exists, "pool \(name)", "exists already, with LVM", remedy: "choose another name")
  }

  /// What there is, as a state file names it, and what has to be left out of one.
  func found() async -> (pools: [EmbeddedPoolSpec], leftOut: [String]) {
    var found: [EmbeddedPoolSpec] = []
    var leftOut: [String] = []
    for name in ((try? pools.places.names(on: pools.host)) ?? []).sorted() {
      do { found.append(try await spec(of: name)) } catch { leftOut.append("pool \(name): \(error)") }
    }
    return (found, leftOut)
  }

  private func spec(of name: PoolName) async throws -> EmbeddedPoolSpec {
    let description = try pools.existing(name)
    let report = try await pools.report(description)
    var spec = EmbeddedPoolSpec(name: name, legs: description.legs)
    let files = description.legs.compactMap { leg -> UInt64? in
      guard case .path(let path) = leg, let status = (try? pools.host.status(FilePath(path))) ?? nil,
        status.kind == .file
      else { return nil }
      return status.size
    }
    if let size = files.first, files.allSatisfy({ $0 == size }) { spec.size = size }
    spec.extentSize = UInt64(clamping: report.extentSize)
    if spec.legs.count > 1 { spec.resyncRate = ResyncRate(limit: description.resyncRate) }
    spec.volumes = try report.volumes.map {
      VolumeSpec(name: try VolumeName($0.name), size: .bytes(UInt64(clamping: $0.size)))
    }
    return spec
  }
}
