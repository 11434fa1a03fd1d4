import ArgumentParser
import EmbeddedPool
import HostInterface
import ReplicatedVolume

/// `quartet pool replace-leg`.
struct ReplaceLegCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replace-leg", abstract: "Puts another disk in the place of a leg of an embedded pool.",
    discussion: """
      All of the pool is copied to the new leg, and nothing is read from it before it is up to date; the former disk is
      refused from then on, should it come back. The former leg may be gone, dropped, or work still: then it is left
      when the new one is known to be good. Both may have the same path, when a new disk came up under the name of the
      old one. The new leg is at least as large as a leg has to be; one with anything on it is refused unless --wipe is
      said.

      While the pool is served the copying goes on in the background, see `quartet pool status`; else this waits for its
      end. A run that was killed is finished by running it again. A pool that nobody serves, and that lost a leg while
      nobody did, needs --missing-legs: say it when the legs that are there have the newest data.

      EXAMPLES
        quartet pool replace-leg vg1 /dev/sdb /dev/sdc
        quartet pool replace-leg vg1 /dev/sdb /dev/sdb
        quartet pool replace-leg vg1 /mnt/old-disk/b.img /mnt/new-disk/b.img --size 10G
      """)
  @OptionGroup var common: VolumeOptions
  @OptionGroup var change: VolumeChangeOptions
  @Option(help: "The size of a new leg that is a file and does not exist, such as 10G.") var size: String?
  @Flag(help: "Lose what is on the new leg.") var wipe = false
  @Flag(help: "Let a new file get its blocks when they are written.") var sparse = false
  @Argument(help: "The pool.") var name: String
  @Argument(help: "The leg to replace, as `quartet pool status` shows it.") var former: String
  @Argument(help: "The new leg: a file, a block device or an NBD export.") var new: String

  func run() async throws {
    let name = try PoolName(name)
    var replacement = LegReplacement(
      of: try LegAddress(former), by: try LegAddress(new), in: try common.requireEmbedded(name))
    replacement.size = try size.map(VolumeSize.byteCount)
    (replacement.wipe, replacement.sparse) = (wipe, sparse)
    if change.dryRun {
      let proposal = try await replacement.proposal(in: common.embedded)
      return change.print(common, proposal.actions, warnings: proposal.warnings)
    }
    let done = try await replacement.perform(in: common.embedded, options: change.embeddedOptions(name))
    PoolProgress.end()
    change.print(common, done.actions, warnings: done.warnings)
  }
}
