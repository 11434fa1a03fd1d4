import ArgumentParser
import EmbeddedPool
import HostInterface
import LinuxHost
import ReplicatedVolume

/// What only embedded pools have: legs, and what is between them.
extension PoolCommand {
  struct AttachLeg: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "attach-leg", abstract: "Takes a leg of an embedded pool back, and brings it up to date.",
      discussion: """
        Only what the leg lacks is copied. A leg that was written without the others is refused, unless --discard says
        that what it alone has may be lost. While the pool is served the copying goes on in the background, see
        `quartet pool status`; else this waits for its end.

        EXAMPLES
          quartet pool attach-leg vg1 /mnt/other-disk/b.img
          quartet pool attach-leg vg1 /mnt/other-disk/b.img --discard
        """)
    @OptionGroup var common: VolumeOptions
    @OptionGroup var change: VolumeChangeOptions
    @Flag(help: "Lose what was written to this leg alone.") var discard = false
    @Argument(help: "The pool.") var name: String
    @Argument(help: "The leg, as the pool was made with it.") var leg: String

    func run() async throws {
      let name = try PoolName(name)
      let leg = try known(leg, in: common.requireEmbedded(name))
      _ = try await change.performEmbedded(
        common, on: name, .attachLeg(address: leg.description, discard: discard),
        "attach leg \(leg) of pool \(name)" + (discard ? ", and discard what it alone has" : ""),
        removes: discard)
    }
  }

  struct DetachLeg: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "detach-leg", abstract: "Goes on without a leg of an embedded pool.",
      discussion: """
        What is written meanwhile is noted, and copied when the leg is attached again. The last leg that is up to date
        is refused.

        EXAMPLE
          quartet pool detach-leg vg1 /mnt/other-disk/b.img
        """)
    @OptionGroup var common: VolumeOptions
    @OptionGroup var change: VolumeChangeOptions
    @Argument(help: "The pool.") var name: String
    @Argument(help: "The leg.") var leg: String

    func run() async throws {
      let name = try PoolName(name)
      let description = try common.requireEmbedded(name)
      let leg = try known(leg, in: description)
      guard try await common.embedded.report(description).server != nil else {
        throw Failure(
          .unavailable, "pool \(name)", "is not served, so that no leg is attached",
          remedy: "run `quartet pool serve \(name)` first")
      }
      _ = try await change.performEmbedded(
        common, on: name, .detachLeg(address: leg.description), "detach leg \(leg) of pool \(name)",
        removes: true)
    }
  }

  struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "verify", abstract: "Compares the legs of an embedded pool, block by block.",
      discussion: """
        The pool may be in use. What differs is told in bytes, and fails with status 1. For DRBD see `quartet volume
        verify`.

        EXAMPLE
          quartet pool verify vg1
        """)
    @OptionGroup var common: VolumeOptions
    @Argument(help: "The pool.") var name: String

    func run() async throws {
      let name = try PoolName(name)
      var options = EmbeddedPools.Options()
      options.onEvent = { Report.message("quartet: pool \(name): \($0)") }
      options.progress = PoolProgress.show
      let description = try common.requireEmbedded(name)
      let (_, report) = try await common.embedded.perform(.verify, on: description, options: options)
      PoolProgress.end()
      let differing = report.job?.differing ?? 0
      if common.json {
        Output.json(["compared": report.job?.total ?? 0, "differing": differing])
      } else if differing == 0 {
        let legs = report.legs.filter { $0.status == .upToDate }.count
        Output.text("\(legs) legs of pool \(name) are alike: \(shownBytes(UInt64(report.job?.total ?? 0)))\n")
      }
      guard differing == 0 else {
        throw Failure(
          .notTaken, "pool \(name)", "\(differing) bytes differ between its legs",
          remedy: "detach the leg that is wrong, and attach it again with --discard")
      }
    }
  }

  struct MoveSegment: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "move-segment",
      abstract: "Moves a segment of a volume to other extents of an embedded pool.",
      discussion: """
        The volume may be in use. Segments are counted from 0, see `quartet pool map`. For LVM see pvmove(8).

        EXAMPLES
          quartet pool move-segment vg1/lun1 0
          quartet pool move-segment vg1/lun1 2 --to 100
        """)
    @OptionGroup var common: VolumeOptions
    @OptionGroup var change: VolumeChangeOptions
    @Option(help: "The first extent to move to; the first free ones that are enough without it.")
    var to: UInt32?
    @Argument(help: "POOL/VOLUME.") var path: String
    @Argument(help: "Which of its segments, from 0.") var segment: Int

    func run() async throws {
      let path = try VolumePath(path)
      _ = try common.requireEmbedded(path.pool)
      _ = try await change.performEmbedded(
        common, on: path.pool,
        .moveSegment(name: path.volume.description, segment: segment, to: to),
        "move segment \(segment) of volume \(path)" + (to.map { " to extent \($0)" } ?? ""))
    }
  }

  struct SetOptions: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "set", abstract: "Changes how an embedded pool works.",
      discussion: """
        EXAMPLES
          quartet pool set vg1 --resync-rate 50M
          quartet pool set vg1 --resync-rate none
        """)
    @OptionGroup var common: VolumeOptions
    @OptionGroup var change: VolumeChangeOptions
    @Option(help: "How many bytes a second a resync copies at most, such as 50M; `none` for no limit.")
    var resyncRate: String
    @Argument(help: "The pool.") var name: String

    func run() async throws {
      let name = try PoolName(name)
      _ = try common.requireEmbedded(name)
      let rate = try ResyncRate(resyncRate)
      let words = EmbeddedPoolChange.setResyncRate(name, rate).description
      if change.dryRun { return change.print(common, [words]) }
      let isChanged = try await common.embedded.setResyncRate(rate, of: name)
      change.print(common, isChanged ? [words] : [])
    }
  }
}

/// A leg of a pool, by its address.
private func known(_ text: String, in pool: PoolDescription) throws -> LegAddress {
  let leg = try LegAddress(text)
  guard pool.legs.contains(leg) else {
    throw Failure(
      .notFound, "leg \(leg)", "is none of pool \(pool.name)",
      remedy: "its legs are \(pool.legs.map(\.description).joined(separator: ", "))")
  }
  return leg
}
