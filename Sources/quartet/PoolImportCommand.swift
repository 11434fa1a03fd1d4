import ArgumentParser
import EmbeddedPool
import HostInterface
import ReplicatedVolume

/// `quartet pool import`.
struct PoolImportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Takes an embedded pool into use that another machine made, or whose description is lost.",
    discussion: """
      Everything but the paths of the legs stands on the legs, so all of them are named: one that is not there just
      now, where it is to be. Nothing is written to them. A leg that is in use is refused; a pool on NBD exports must not
      be in use by its former machine, see the README.

      EXAMPLES
        quartet pool import demo --leg /srv/a.img --leg /mnt/other-disk/b.img
        quartet pool import demo --leg /dev/sdb --leg nbd://storage/demo-b --dry-run
      """)
  @OptionGroup var common: VolumeOptions
  @OptionGroup var change: VolumeChangeOptions
  @Option(name: .customLong("leg"), help: "A leg: a file, a block device, or the URI of an NBD export.")
  var legs: [String]
  @Argument(help: "What the pool is to be called here.") var name: String

  func run() async throws {
    let name = try PoolName(name)
    let pools = common.embedded
    if try pools.description(of: name) == nil { try await LocalEngine.refuseGroup(name) }
    let wanted = PoolImport(name: name, legs: try legs.map { try LegAddress($0) })
    guard !change.dryRun else {
      return print(try wanted.proposal(on: pools.host, pools.places), pools)
    }
    let lock = try await pools.host.lock(
      "pool-\(name)", limit: .seconds(max(0, min(change.lockWait, 86_400))))
    defer { lock.release() }
    print(try wanted.perform(on: pools.host, pools.places), pools)
  }

  private func print(_ proposal: PoolImport.Proposal, _ pools: EmbeddedPools) {
    let actions = proposal.description.map { description in
      let shown = description.legs.map(\.description).joined(separator: ", ")
      return [
        "import pool \(description.name) of \(shown)",
        "write \(pools.places.description(of: description.name))",
      ]
    }
    change.print(common, actions ?? [], warnings: proposal.warnings)
  }
}
