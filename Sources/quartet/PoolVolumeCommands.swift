import ArgumentParser
import EmbeddedPool
import HostInterface
import Quartet
import ReplicatedVolume
import TargetCore

/// The commands about one volume of a pool.
extension PoolCommand {
  struct CreateVolume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "create-volume", abstract: "Makes a volume.",
      discussion: """
        EXAMPLES
          quartet pool create-volume vg1/lun1 --size 10G
          quartet pool create-volume vg1/thin --size 100G --thin-pool
          quartet pool create-volume vg1/lun2 --size 50G --from thin
        """)
    @OptionGroup var common: VolumeOptions
    @OptionGroup var change: VolumeChangeOptions
    @OptionGroup var size: SizeOptions
    @OptionGroup var allocation: AllocationOptions
    @Flag(help: "Make a pool of blocks for thin volumes.") var thinPool = false
    @Option(help: "Take blocks from this thin pool as they are written.") var from: String?
    @Argument(help: "POOL/VOLUME.") var path: String

    func run() async throws {
      let path = try VolumePath(path)
      let size = try size.required()
      if from != nil || thinPool {
        try common.refuseEmbedded(
          path.pool, "has no thin volumes", remedy: "leave --from and --thin-pool away")
      } else if try await change.performEmbedded(
        common, on: path.pool,
        .createVolume(name: path.volume.description, size: size.demand, policy: allocation.policy),
        VolumeChange.createVolume(path, size).description)
      {
        return
      }
      try allocation.refuseForLVM()
      guard let from else {
        return try await change.perform(
          common, [thinPool ? .createThinPool(path, size) : .createVolume(path, size)])
      }
      guard !thinPool, case .bytes(let bytes) = size else {
        throw Failure(
          .invalid, "volume \(path)", "is to be thin, and needs --size and no --thin-pool",
          remedy: "see `quartet pool create-volume --help`")
      }
      try await change.perform(common, [.createThinVolume(path, from: VolumeName(from), bytes: bytes)])
    }
  }

  struct SnapshotVolume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "snapshot", abstract: "Makes a snapshot of a volume.",
      discussion: """
        The size is how much may change while it exists; a snapshot of a thin volume has none.

        EXAMPLE
          quartet pool snapshot vg1/before lun1 --size 1G
        """)
    @OptionGroup var common: VolumeOptions
    @OptionGroup var change: VolumeChangeOptions
    @OptionGroup var size: SizeOptions
    @Argument(help: "The snapshot, POOL/VOLUME.") var path: String
    @Argument(help: "The volume of the same pool.") var origin: String

    func run() async throws {
      try common.refuseEmbedded(VolumePath(path).pool, "has no snapshots")
      try await change.perform(
        common, [.snapshot(VolumePath(path), of: VolumeName(origin), try size.chosen())])
    }
  }

  struct ExtendVolume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "extend-volume", abstract: "Grows a volume to a size.",
      discussion: """
        Logical units that export it show the new size at once, whichever implementation has them. Of an embedded pool,
        NBD clients see it when they connect, and what `quartet volume attach` made when it is attached again: the
        answer says what there is to do.

        EXAMPLE
          quartet pool extend-volume vg1/lun1 --size 20G
        """)
    @OptionGroup var common: VolumeOptions
    @OptionGroup var change: VolumeChangeOptions
    @OptionGroup var size: SizeOptions
    @OptionGroup var allocation: AllocationOptions
    @Argument(help: "POOL/VOLUME.") var path: String

    func run() async throws {
      let path = try VolumePath(path)
      let size = try size.required()
      if try await change.performEmbedded(
        common, on: path.pool,
        .extendVolume(name: path.volume.description, size: size.demand, policy: allocation.policy),
        VolumeChange.extendVolume(path, size).description)
      {
        guard !change.dryRun else { return }
        let attachment = try VolumeAttachment(
          of: path, in: common.embedded, quartet: VolumeCommand.Attach.program)
        for warning in try await attachment.whoSeesAnOldSize(in: common.embedded) { Report.warning(warning) }
        return
      }
      try allocation.refuseForLVM()
      try await change.perform(common, [.extendVolume(path, size)])
      if !change.dryRun { try await resizeUnits(on: path) }
    }

    /// Tells every implementation that runs and exports the volume.
    private func resizeUnits(on path: VolumePath) async throws {
      for descriptor in ImplementationChoice.all {
        let implementation = try Implementation(descriptor, on: Machine.host)
        guard await implementation.backend.probe(implementation.host).running else { continue }
        let units = try await implementation.resizes(of: [path.device: 0], grown: [path.device])
        let remedies = units.compactMap(implementation.remedy)
        for remedy in remedies { Report.warning(remedy) }
        guard !units.isEmpty, remedies.isEmpty else { continue }
        try await implementation.perform(units)
        Output.list(units)
      }
    }
  }

  struct ReduceVolume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "reduce-volume", abstract: "Shrinks a volume to a size.",
      discussion: """
        What is behind that size is lost, so that it needs --force; a volume that is open is refused.

        EXAMPLE
          quartet pool reduce-volume vg1/lun1 --size 5G --force
        """)
    @OptionGroup var common: VolumeOptions
    @OptionGroup var change: VolumeChangeOptions
    @OptionGroup var size: SizeOptions
    @Flag(help: "Lose what is behind the size.") var force = false
    @Argument(help: "POOL/VOLUME.") var path: String

    func run() async throws {
      let path = try VolumePath(path)
      let wanted = VolumeChange.reduceVolume(path, try size.required(), force: force)
      if try common.embedded.description(of: path.pool) != nil, !force {
        throw Failure(
          .refused, "volume \(path)", "would lose what is behind its new end",
          remedy: "say --force to shrink it"
        )
      }
      let isDone = try await change.performEmbedded(
        common, on: path.pool,
        .reduceVolume(name: path.volume.description, size: try size.required().demand), wanted.description,
        removes: true)
      if !isDone { try await change.perform(common, [wanted]) }
    }
  }

  struct RenameVolume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "rename-volume", abstract: "Gives a volume another name in its pool.",
      discussion: "EXAMPLE\n  quartet pool rename-volume vg1/lun1 database")
    @OptionGroup var common: VolumeOptions
    @OptionGroup var change: VolumeChangeOptions
    @Argument(help: "POOL/VOLUME.") var path: String
    @Argument(help: "The new name.") var name: String

    func run() async throws {
      let (path, name) = (try VolumePath(path), try VolumeName(name))
      let wanted = VolumeChange.renameVolume(path, to: name)
      let isDone = try await change.performEmbedded(
        common, on: path.pool, .renameVolume(name: path.volume.description, to: name.description),
        wanted.description)
      if !isDone { try await change.perform(common, [wanted]) }
    }
  }

  struct RemoveVolume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "remove-volume", abstract: "Removes a volume with all that is on it.",
      discussion: "A volume that is open is refused.\n\nEXAMPLE\n  quartet pool remove-volume vg1/lun1")
    @OptionGroup var common: VolumeOptions
    @OptionGroup var change: VolumeChangeOptions
    @Argument(help: "POOL/VOLUME.") var path: String

    func run() async throws {
      let path = try VolumePath(path)
      let isDone = try await change.performEmbedded(
        common, on: path.pool, .removeVolume(name: path.volume.description),
        VolumeChange.removeVolume(path).description, removes: true)
      if !isDone { try await change.perform(common, [.removeVolume(path)]) }
    }
  }
}
