import ArgumentParser
import EmbeddedPool
import HostInterface
import ReplicatedVolume

struct PoolCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pool", abstract: "Manages pools of extents and the volumes in them.",
    discussion: """
      A pool is either LVM's, made of devices, or an embedded one, made of legs over which Quartet's own engine mirrors
      it: for one machine, without a kernel module. As soon as a second node is named, use LVM on a resource of
      `quartet volume`. A volume is written POOL/VOLUME; its device is /dev/POOL/VOLUME with LVM, and what
      `quartet volume attach` makes with the embedded engine.

      EXAMPLES
        A mirror over two files, and a volume to export:
          quartet pool create demo --leg /srv/a.img --leg /mnt/b.img --size 10G
          quartet pool create-volume demo/lun1 --size 4G
          quartet volume attach demo/lun1
        A leg has failed and works again:
          quartet pool attach-leg demo /mnt/b.img
          quartet pool status demo --watch
        A disk has died, and a new one is there:
          quartet pool replace-leg demo /mnt/b.img /dev/sdc
        The machine has died, and its disks are in another one:
          quartet pool import demo --leg /srv/a.img --leg /mnt/b.img
      """,
    subcommands: [
      List.self, Map.self, Filter.self, PoolCreateCommand.self, PoolImportCommand.self, Extend.self,
      Reduce.self, Remove.self, Activate.self, Deactivate.self, CreateVolume.self, SnapshotVolume.self,
      ExtendVolume.self, ReduceVolume.self, RenameVolume.self, RemoveVolume.self, VolumeStatusCommand.self,
      Serve.self, Stop.self, AttachLeg.self,
      DetachLeg.self, ReplaceLegCommand.self, Verify.self, MoveSegment.self, SetOptions.self,
    ])

  /// What LVM has.
  static func pools(_ driver: VolumeDriver) async throws -> PoolState {
    guard let pools = try await driver.read().pools else {
      throw Failure(.unavailable, "pools", "cannot be shown: LVM is not installed", remedy: "install lvm2")
    }
    return pools
  }

  /// LVM's pools; none where it is not installed and there are embedded ones.
  static func poolsOfLVM(_ driver: VolumeDriver, beside embedded: Bool) async throws -> [Pool] {
    if embedded, driver.host.executable("lvm") == nil { return [] }
    return try await pools(driver).pools
  }

  /// How the embedded pools do; one that cannot even be looked at is told on standard error.
  static func reports(_ common: VolumeOptions) async throws -> [PoolReport] {
    var reports: [PoolReport] = []
    for name in try common.embedded.places.names(on: common.embedded.host) {
      do {
        reports.append(try await common.embedded.report(common.embedded.existing(name)))
      } catch let failure as Failure { Report.failure(failure) }
    }
    return reports
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "Lists the pools and their volumes.",
      discussion: "A pool on a resource is seen only where that is primary.\n\nEXAMPLE\n  quartet pool list")
    @OptionGroup var common: VolumeOptions

    func run() async throws {
      let embedded = try await PoolCommand.reports(common)
      let pools = try await PoolCommand.poolsOfLVM(common.driver, beside: !embedded.isEmpty)
      if common.json {
        return Output.json(embedded.map { PoolDocument($0) } + pools.map { PoolDocument($0) })
      }
      Output.table(
        ["POOL", "VOLUME", "SIZE", "FREE", "LAYOUT", "STATE", "ON"],
        embedded.flatMap(rows)
          + pools.flatMap { pool in
            [
              [
                pool.name, "-", shownBytes(pool.extents * pool.extentSize),
                shownBytes(pool.free * pool.extentSize),
                "\(pool.extents) x \(shownBytes(pool.extentSize))", "-",
                pool.devices.map { $0.device + ($0.isMissing ? " (missing)" : "") }.joined(separator: ","),
              ]
            ] + pool.volumes.filter { !$0.isHidden }.map { row($0, in: pool) }
          })
    }

    private func rows(_ pool: PoolReport) -> [[String]] {
      func bytes(_ extents: Int) -> String { shownBytes(UInt64(extents) * UInt64(pool.extentSize)) }
      let state = pool.server == nil ? "-" : "served"
      return [
        [
          pool.name, "-", bytes(pool.extents), bytes(pool.free),
          "\(pool.extents) x \(shownBytes(UInt64(pool.extentSize)))", state,
          pool.legs.map { $0.address + ($0.status == .missing ? " (missing)" : "") }.joined(separator: ","),
        ]
      ]
        + pool.volumes.map { volume in
          [
            pool.name, volume.name, shownBytes(UInt64(volume.size)), "-",
            pool.legs.count > 1 ? "mirror" : "linear", volume.isOpen ? "open" : state, "-",
          ]
        }
    }

    private func row(_ volume: Pool.Volume, in pool: Pool) -> [String] {
      let used = volume.usedPercent.map { "\(Int($0.rounded()))% used" } ?? "-"
      let place = volume.origin.map { "snapshot of \($0)" } ?? volume.thinPool ?? "-"
      return [
        pool.name, volume.name, shownBytes(volume.size), used, volume.layout,
        volume.isOpen ? "open" : volume.isActive ? "active" : "inactive", place,
      ]
    }
  }

  struct Map: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "map", abstract: "Shows which extents of which device belong to which volume.",
      discussion: "EXAMPLE\n  quartet pool map vg1")
    @OptionGroup var common: VolumeOptions
    @Argument(help: "The pool.") var name: String

    func run() async throws {
      let name = try PoolName(name)
      if let description = try common.embedded.description(of: name) {
        let report = try await common.embedded.report(description)
        if common.json { return Output.json(PoolDocument(report)) }
        return Self.show(report)
      }
      guard let pool = try await PoolCommand.pools(common.driver)[name] else {
        throw Failure(
          .notFound, "pool \(name)", "does not exist, or is not visible here",
          remedy: "see `quartet pool list`")
      }
      if common.json { return Output.json(PoolDocument(pool)) }
      Output.table(
        ["DEVICE", "FIRST", "LAST", "EXTENTS", "VOLUME"],
        pool.map.map { segment in
          [
            segment.device, "\(segment.start)", "\(segment.start + segment.count - min(segment.count, 1))",
            "\(segment.count)", segment.volume ?? "free",
          ]
        })
    }

    private static func show(_ report: PoolReport) {
      Output.table(
        ["DEVICE", "FIRST", "LAST", "EXTENTS", "VOLUME"],
        report.map.map { segment, volume in
          [
            report.mapDevice, "\(segment.start)", "\(segment.start + segment.count - 1)", "\(segment.count)",
            volume ?? "free",
          ]
        })
    }
  }

  struct Filter: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "filter", abstract: "Shows or applies what keeps LVM off the disks below DRBD.",
      discussion: """
        LVM that sees such a disk may activate a stale copy of a pool, after which DRBD cannot use the disk. The
        filter lets DRBD's devices in and the physical volumes that are in use now; a new disk for LVM has to be
        added to it. It is written to /etc/lvm/lvmlocal.conf. A devices file (lvmdevices(8)) is put out of use by it:
        LVM would enter the disk below DRBD into it by itself.

        EXAMPLE
          quartet pool filter --apply
        """)
    @OptionGroup var common: VolumeOptions
    @OptionGroup var change: VolumeChangeOptions
    @Flag(help: "Write it.") var apply = false

    func run() async throws {
      if apply { return try await change.perform(common, [.applyFilter]) }
      let state = try await common.driver.read()
      let disks = state.unfiltered.values.flatMap { $0 }.sorted().map(\.description)
      if common.json { return Output.json(["unfiltered": disks]) }
      if disks.isEmpty { return Report.message("quartet: LVM looks at no disk below DRBD") }
      Report.warning("LVM looks at \(disks.joined(separator: ", ")), below DRBD; --apply writes:")
      Output.text(try await common.driver.filter(for: state))
    }
  }

  struct Extend: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "extend", abstract: "Adds devices to a pool.",
      discussion: "EXAMPLE\n  quartet pool extend vg1 /dev/drbd1")
    @OptionGroup var common: VolumeOptions
    @OptionGroup var change: VolumeChangeOptions
    @Argument(help: "The pool.") var name: String
    @Argument(help: "The devices.") var devices: [String]

    func run() async throws {
      let name = try PoolName(name)
      try common.refuseEmbedded(name, "has the size of its legs")
      try await change.perform(common, devices.map { .extendPool(name, try DevicePath($0)) })
    }
  }

  struct Reduce: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "reduce", abstract: "Takes a device that holds nothing out of a pool.",
      discussion: "EXAMPLE\n  quartet pool reduce vg1 /dev/drbd1")
    @OptionGroup var common: VolumeOptions
    @OptionGroup var change: VolumeChangeOptions
    @Argument(help: "The pool.") var name: String
    @Argument(help: "The device.") var device: String

    func run() async throws {
      let name = try PoolName(name)
      try common.refuseEmbedded(
        name, "has the same on every leg", remedy: "see `quartet pool detach-leg` to go on without a leg")
      try await change.perform(common, [.reducePool(name, DevicePath(device))])
    }
  }

  struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "remove", abstract: "Removes a pool without volumes.",
      discussion: """
        The files of an embedded pool's legs stay; with --wipe they are no legs any more.

        EXAMPLE
          quartet pool remove vg1
        """)
    @OptionGroup var common: VolumeOptions
    @OptionGroup var change: VolumeChangeOptions
    @Argument(help: "The pool.") var name: String

    @Flag(help: "Erase the metadata on the legs of an embedded pool as well.") var wipe = false

    func run() async throws {
      let name = try PoolName(name)
      guard let description = try common.embedded.description(of: name) else {
        guard !wipe else {
          throw Failure(.unsupported, "--wipe", "is for embedded pools", remedy: "leave it away")
        }
        return try await change.perform(common, [.removePool(name)])
      }
      let removal = PoolRemoval(of: description, in: common.embedded, wipe: wipe)
      let actions = try await removal.actions()
      if !change.dryRun { try await removal.perform() }
      change.print(common, actions, removes: true)
    }
  }

  struct Activate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "activate", abstract: "Makes the block devices of a pool's volumes.",
      discussion:
        "`quartet volume promote` does it for a pool on a resource.\n\nEXAMPLE\n  quartet pool activate vg1")
    @OptionGroup var common: VolumeOptions
    @OptionGroup var change: VolumeChangeOptions
    @Argument(help: "The pool.") var name: String

    func run() async throws {
      let name = try PoolName(name)
      try common.refuseEmbedded(
        name, "has no devices of its own", remedy: "use `quartet volume attach \(name)/VOLUME`")
      try await change.perform(common, [.activate(name)])
    }
  }

  struct Deactivate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "deactivate", abstract: "Takes the block devices of a pool's volumes away.",
      discussion: "EXAMPLE\n  quartet pool deactivate vg1")
    @OptionGroup var common: VolumeOptions
    @OptionGroup var change: VolumeChangeOptions
    @Argument(help: "The pool.") var name: String

    func run() async throws {
      let name = try PoolName(name)
      try common.refuseEmbedded(
        name, "has no devices of its own", remedy: "use `quartet volume detach \(name)/VOLUME`")
      try await change.perform(common, [.deactivate(name)])
    }
  }
}
