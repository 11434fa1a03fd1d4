import ArgumentParser
import HostInterface
import ReplicatedVolume

/// Options of every command about resources and pools.
struct VolumeOptions: ParsableArguments {
  @Flag(help: "Print the result as JSON.") var json = false
  @Flag(name: .shortAndLong, help: "Show the steps as they run.") var verbose = false

  var driver: VolumeDriver { VolumeDriver(on: Machine.host) }
}

/// Options of those that change something.
struct VolumeChangeOptions: ParsableArguments {
  @Flag(
    name: [.customLong("dry-run"), .customShort("n")], help: "Print the exact operations and change nothing.")
  var dryRun = false

  @Option(help: "How many seconds to wait for another quartet.") var lockWait = 30

  @Flag(help: "Use an embedded pool although a leg is missing that may have newer data; it is behind then.")
  var missingLegs = false

  /// Makes changes and prints what was done.
  func perform(_ common: VolumeOptions, _ changes: [VolumeChange]) async throws {
    guard !missingLegs else {
      throw Failure(.unsupported, "--missing-legs", "is for embedded pools", remedy: "leave it away")
    }
    var options = VolumeDriver.Options()
    options.dryRun = dryRun
    options.lockLimit = .seconds(max(0, min(lockWait, 86_400)))
    options.observe = Report.observer(verbose: common.verbose)
    let proposal = try await common.driver.perform(changes, options: options)
    for warning in proposal.warnings { Report.warning(warning) }
    if common.json { return Output.json(VolumeProposalDocument(proposal, dryRun: dryRun)) }
    if dryRun {
      Output.steps(proposal.plan)
    } else {
      Output.text(proposal.changes.map { "\($0.removes ? "-" : "+") \($0)\n" }.joined())
    }
    if proposal.changes.isEmpty { Report.message("quartet: nothing to do") }
  }
}

/// The size of a volume, as one of two options.
struct SizeOptions: ParsableArguments {
  @Option(help: "The size: a number of bytes, or with K, M, G, T or P of 1024, 1024², ... bytes.")
  var size: String?
  @Option(help: "The size in extents of the pool.") var extents: UInt64?

  /// The size; nil when none is said.
  func chosen() throws -> VolumeSize? {
    switch (size, extents) {
    case (nil, nil): return nil
    case (let size?, nil): return .bytes(try VolumeSize.byteCount(size))
    case (nil, let extents?): return .extents(extents)
    case (_?, _?): throw Failure(.invalid, "the size", "is said twice", remedy: "say --size or --extents")
    }
  }

  func required() throws -> VolumeSize {
    guard let chosen = try chosen() else {
      throw Failure(.invalid, "the size", "is missing", remedy: "say --size, such as 10G, or --extents")
    }
    return chosen
  }
}

/// Which extents a volume of an embedded pool gets.
struct AllocationOptions: ParsableArguments {
  @Option(
    help: "Which extents an embedded pool gives: contiguous, normal or anywhere, as lvm(8) names them.")
  var alloc: String?

  /// The policy's name.
  var policy: String { alloc ?? "normal" }

  /// Refuses what LVM is not asked for here.
  func refuseForLVM() throws {
    guard alloc != nil else { return }
    throw Failure(
      .unsupported, "--alloc", "is for embedded pools", remedy: "leave it away, or use lvcreate(8)")
  }
}

/// A number of bytes for people, in the largest unit in which it is whole, or has five digits at most.
func shownBytes(_ bytes: UInt64) -> String {
  let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
  var value = bytes
  var unit = 0
  while value >= 10 << 10 || (value > 0 && value % 1024 == 0), unit < units.count - 1 {
    value >>= 10
    unit += 1
  }
  return "\(value) \(units[unit])"
}
