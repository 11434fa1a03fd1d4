import ArgumentParser
import EmbeddedPool
import HostInterface
import LinuxHost
import ReplicatedVolume

/// What the commands about pools share when the pool is an embedded one.
extension VolumeOptions {
  /// The embedded pools of this machine.
  var embedded: EmbeddedPools { EmbeddedPools(on: LocalHost()) }

  /// Refuses for an embedded pool what only LVM can do.
  func refuseEmbedded(_ name: PoolName, _ what: String, remedy: String? = nil) throws {
    guard try embedded.description(of: name) != nil else { return }
    throw Failure(
      .unsupported, "pool \(name)", "is an embedded pool, which \(what)",
      remedy: remedy ?? "see `quartet pool --help` for what both kinds can do")
  }

  /// The description of a pool that must be an embedded one.
  func requireEmbedded(_ name: PoolName) throws -> PoolDescription {
    guard let description = try embedded.description(of: name) else {
      throw Failure(
        .notFound, "pool \(name)", "is no embedded pool, and the command is about the legs of one",
        remedy: "see `quartet pool list`; for DRBD see `quartet volume --help`")
    }
    return description
  }
}

extension VolumeChangeOptions {
  /// Carries a request out when the pool is an embedded one, and prints what was done.
  ///
  /// - Parameters:
  ///   - common: How to print.
  ///   - pool: The pool.
  ///   - request: What is asked.
  ///   - change: The change in words.
  ///   - removes: Whether data go.
  /// - Returns: False when the pool is not an embedded one, so that LVM has to do it.
  func performEmbedded(
    _ common: VolumeOptions, on pool: PoolName, _ request: PoolRequest, _ change: String,
    removes: Bool = false
  ) async throws -> Bool {
    guard let description = try common.embedded.description(of: pool) else { return false }
    if dryRun {
      print(common, [change], removes: removes)
      return true
    }
    let (changed, _) = try await common.embedded.perform(
      request, on: description, options: embeddedOptions(pool))
    PoolProgress.end()
    print(common, changed ? [change] : [], removes: removes)
    return true
  }

  /// How requests to an embedded pool are made.
  func embeddedOptions(_ pool: PoolName) -> EmbeddedPools.Options {
    var options = EmbeddedPools.Options()
    options.allowsMissingLegs = missingLegs
    options.onEvent = { Report.message("quartet: pool \(pool): \($0)") }
    options.progress = PoolProgress.show
    return options
  }

  /// Prints changes of an embedded pool.
  func print(_ common: VolumeOptions, _ changes: [String], removes: Bool = false, warnings: [String] = []) {
    for warning in warnings { Report.warning(warning) }
    if common.json {
      return Output.json(VolumeProposalDocument(changes: changes, warnings: warnings, dryRun: dryRun))
    }
    if dryRun {
      Output.text(changes.map { "# \($0)\n" }.joined())
    } else {
      Output.text(changes.map { "\(removes ? "-" : "+") \($0)\n" }.joined())
    }
    if changes.isEmpty { Report.message("quartet: nothing to do") }
  }
}

extension VolumeSize {
  /// The size as an embedded pool takes it.
  var demand: ExtentDemand {
    switch self {
    case .bytes(let bytes): .bytes(bytes)
    case .extents(let extents): .extents(extents)
    }
  }
}
