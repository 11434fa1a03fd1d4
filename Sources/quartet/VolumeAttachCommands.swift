import ArgumentParser
import EmbeddedPool
import HostInterface
import LinuxHost
import Quartet
import ReplicatedVolume
import TargetCore

/// `quartet volume attach` and `detach`: of a DRBD resource's disks, or of a volume of an embedded pool.
extension VolumeCommand {
  struct Attach: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "attach",
      abstract: "Makes a device of an embedded pool's volume, or takes a resource's disks into use again.",
      discussion: """
        A volume of an embedded pool is then at /run/quartet/volumes/POOL/VOLUME, whichever way there is: a block
        device of the kernel's NBD client, or a file by nbdfuse where the kernel has no nbd module. The pool is
        served in the background unless it is served already. A run that was killed is finished by running it again.

        EXAMPLES
          quartet volume attach demo/lun1
          quartet volume attach demo/lun1 --by fuse --dry-run
          quartet volume attach vg1
        """)
    @OptionGroup var common: VolumeOptions
    @OptionGroup var change: VolumeChangeOptions
    @Option(help: "How a volume gets its path: nbd or fuse; what there is without it.") var by: String?
    @Argument(help: "POOL/VOLUME of an embedded pool, or a resource.") var name: String

    func run() async throws {
      guard name.contains("/") else {
        return try await change.perform(common, [.attach(ResourceName(name))])
      }
      let path = try VolumePath(name)
      let description = try common.requireEmbedded(path.pool)
      let wanted = try by.map { text in
        guard let way = VolumeAttachment.Way(rawValue: text) else {
          throw Failure(.invalid, "--by \(text.debugDescription)", "is neither nbd nor fuse")
        }
        return way
      }
      let attachment = try VolumeAttachment(of: path, in: common.embedded, quartet: Self.program)
      let lock = try await change.lock(common)
      defer { lock?.release() }
      let report = try await common.embedded.report(description)
      guard report.volumes.contains(where: { $0.name == path.volume.description }) else {
        throw Failure(.notFound, "volume \(path)", "does not exist", remedy: "see `quartet pool list`")
      }
      let plan = try await attachment.attachPlan(server: report.server, way: attachment.way(wanted))
      try await change.run(plan, common, "attach volume \(path) at \(attachment.place)")
    }

    /// This program, by which steps call it.
    static var program: String {
      get throws { try LocalHost().readLink("/proc/self/exe").string }
    }
  }

  struct Detach: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "detach",
      abstract: "Takes away the device of an embedded pool's volume, or goes on without a resource's disks.",
      discussion: """
        A volume that is exported, mounted or open is refused. With the last volume the pool is no longer served, if
        `attach` began that.

        EXAMPLES
          quartet volume detach demo/lun1
          quartet volume detach vg1
        """)
    @OptionGroup var common: VolumeOptions
    @OptionGroup var change: VolumeChangeOptions
    @Argument(help: "POOL/VOLUME of an embedded pool, or a resource.") var name: String

    func run() async throws {
      guard name.contains("/") else {
        return try await change.perform(common, [.detach(ResourceName(name))])
      }
      let path = try VolumePath(name)
      _ = try common.requireEmbedded(path.pool)
      let attachment = try VolumeAttachment(of: path, in: common.embedded, quartet: Attach.program)
      let lock = try await change.lock(common)
      defer { lock?.release() }
      try await refuseExported(attachment)
      let server = try PoolServer.process(path.pool, in: common.embedded)
      try await change.run(
        attachment.detachPlan(server: server), common, "detach volume \(path)", removes: true)
    }

    /// Refuses a volume that a target exports, or that this machine uses.
    private func refuseExported(_ attachment: VolumeAttachment) async throws {
      let host = LocalHost()
      guard let status = try? host.status(attachment.place) else { return }
      if let holder = try host.holders(ofEach: [(attachment.place, status)])[0].first {
        throw Failure(.inUse, "volume \(attachment.path)", "is \(holder)", remedy: "release it first")
      }
      guard let (target, lun) = try await attachment.export() else { return }
      throw Failure(
        .inUse, "volume \(attachment.path)", "is exported as lun \(lun) of \(target)",
        remedy: "run `quartet lun remove \(target) \(lun)` first")
    }
  }
}

extension VolumeAttachment {
  /// The logical unit that exports the volume, of whichever implementation runs; nil when none does.
  func export() async throws -> (target: TargetName, lun: LUN)? {
    let host = LocalHost()
    guard let status = try? host.status(place) else { return nil }
    for descriptor in ImplementationChoice.all {
      let settings = try ImplementationOptions.parse([]).settings(for: descriptor)
      let implementation = try Implementation(descriptor, settings: settings, on: host)
      guard await implementation.backend.probe(implementation.host).running else { continue }
      for target in try await implementation.read().targets.values {
        for unit in target.units.values {
          guard case .path(let path)? = Optional(unit.backing),
            path == place.string || (try? host.status(.init(path)))??.identity == status.identity
          else { continue }
          return (target.name, unit.lun)
        }
      }
    }
    return nil
  }
}

extension VolumeAttachment {
  /// Who does not see the new size of the volume, and what is to be done: neither the kernel's client nor nbdfuse asks
  /// for it again while it is connected.
  func whoSeesAnOldSize(in pools: EmbeddedPools) async throws -> [String] {
    let server = try PoolServer.process(path.pool, in: pools)
    switch try state(isServed: server != nil) {
    case .nbd, .fuse:
      let (detach, attach) = ("quartet volume detach \(path)", "quartet volume attach \(path)")
      guard let unit = try await export() else {
        return [
          "volume \(path) is attached, and shows its new size when it is attached again: end its use, and run "
            + "`\(detach)` and `\(attach)`"
        ]
      }
      return [
        "volume \(path) is exported as lun \(unit.lun) of \(unit.target), and shows its new size when it is attached "
          + "again: run `quartet lun remove \(unit.target) \(unit.lun)`, `\(detach)`, `\(attach)`, and add the lun again"
      ]
    case .detached, .stale, .dead:
      let report = try await pools.report(pools.existing(path.pool))
      let isOpen = report.volumes.contains { $0.name == path.volume.description && $0.isOpen }
      return isOpen ? ["volume \(path) is open: NBD clients see its new size when they connect again"] : []
    }
  }
}

extension VolumeChangeOptions {
  /// The lock of attaching and detaching, which pick a device of the kernel; none in a dry run.
  func lock(_ common: VolumeOptions) async throws -> (any HostLock)? {
    guard !dryRun else { return nil }
    return try await common.embedded.host.lock(
      "attach", limit: .seconds(max(0, min(lockWait, 86_400))))
  }

  /// Runs a plan, and prints what was done.
  func run(_ plan: Plan, _ common: VolumeOptions, _ change: String, removes: Bool = false) async throws {
    if !dryRun, !plan.isEmpty {
      let executor = Executor(
        judge: VolumeAttachment.judge, observe: Report.observer(verbose: common.verbose))
      try await executor.run(plan, on: common.embedded.host)
    }
    if common.json {
      var document = VolumeProposalDocument(
        changes: plan.isEmpty ? [] : [change], warnings: [], dryRun: dryRun)
      document.steps = plan.steps.map { .init(reason: $0.reason, operation: $0.operation.display) }
      return Output.json(document)
    }
    if dryRun, !plan.isEmpty {
      for stage in plan.stages {
        Output.text("# \(stage.title)\n")
        for step in stage.chains.flatMap(\.steps) { Output.text(step.operation.display + "\n") }
      }
      return
    }
    print(common, plan.isEmpty ? [] : [change], removes: removes)
  }
}
