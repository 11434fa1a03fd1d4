import ArgumentParser
import EmbeddedPool
import HostInterface
import LinuxHost
import ReplicatedVolume

/// `quartet pool create`.
struct PoolCreateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "create",
    abstract: "Makes a pool: of devices with LVM, or of legs with the embedded engine.",
    discussion: """
      With --leg the pool is an embedded one, mirrored over its legs, which needs no kernel module; a leg is a file or a
      block device, and a file that does not exist is made with --size. A leg with anything on it is refused unless
      --wipe is said. With devices it is a volume group of LVM, for which a disk that more than one node has comes
      from `quartet volume create`.

      EXAMPLES
        quartet pool create vg1 /dev/drbd0
        quartet pool create demo --leg /srv/a.img --leg /mnt/other-disk/b.img --size 10G
        quartet pool create fast --leg /dev/sdb --leg /dev/sdc --extent-size 16M
      """)
  @OptionGroup var common: VolumeOptions
  @OptionGroup var change: VolumeChangeOptions
  @Option(
    name: .customLong("leg"),
    help: "A leg of an embedded pool: a file or a block device. Said twice or more, it is mirrored.")
  var legs: [String] = []
  @Option(help: "The size of legs that are files and do not exist, such as 10G.") var size: String?
  @Option(
    help: "The size of an extent, a power of 2; 4M without it. It stays as it is while the pool is there.")
  var extentSize: String?
  @Flag(help: "Erase what is on the legs.") var wipe = false
  @Flag(help: "Let new files get their blocks when they are written.") var sparse = false
  @Argument(help: "The pool.") var name: String
  @Argument(help: "The devices of a pool of LVM.") var devices: [String] = []

  func run() async throws {
    let name = try PoolName(name)
    let extentSize = try extentSize.map(VolumeSize.byteCount)
    guard !legs.isEmpty else {
      guard size == nil, !wipe, !sparse else {
        throw Failure(
          .invalid, "pool \(name)", "has no legs, which --size, --wipe and --sparse are about",
          remedy: "name them with --leg")
      }
      try common.refuseEmbedded(name, "exists already", remedy: "choose another name")
      let devices = try devices.map { try DevicePath($0) }
      return try await change.perform(common, [.createPool(name, devices, extentSize: extentSize)])
    }
    guard devices.isEmpty else {
      throw Failure(
        .invalid, "pool \(name)", "has both legs and devices",
        remedy: "name legs for an embedded pool, or devices for one of LVM")
    }
    if try common.embedded.description(of: name) == nil { try await LocalEngine.refuseGroup(name) }
    try await create(name, extentSize)
  }

  private func create(_ name: PoolName, _ extentSize: UInt64?) async throws {
    var creation = PoolCreation(name: name, legs: try legs.map { try LegAddress($0) })
    creation.size = try size.map(VolumeSize.byteCount)
    (creation.extentSize, creation.wipe, creation.sparse) = (extentSize, wipe, sparse)
    let pools = common.embedded
    if change.dryRun {
      let proposal = try await creation.proposal(on: pools.host, pools.places)
      return change.print(common, proposal.actions, warnings: proposal.warnings)
    }
    let lock = try await pools.host.lock(
      "pool-\(name)", limit: .seconds(max(0, min(change.lockWait, 86_400))))
    defer { lock.release() }
    let done = try await creation.perform(on: pools.host, pools.places)
    change.print(common, done.actions, warnings: done.warnings)
  }
}
