import HostInterface
import SystemPackage

/// Turns one change into steps, or refuses it before anything is touched; it looks at nothing but what it was given.
struct VolumePlanner {
  let state: VolumeState
  let facts: [DevicePath: DiskFacts]
  let hasUdev: Bool
  /// The filter file, for the change that writes it.
  let filter: FilterFile?
  /// What `drbdadm adjust` would do, for the changes that may need it: a drbdsetup(8) command a line.
  var pending: [String] = []

  /// The steps of a change; none when it is so already.
  ///
  /// - Throws: ``Failure`` when the change cannot be made.
  func steps(for change: VolumeChange) throws -> (steps: [Step], warnings: [String]) {
    switch change {
    case .createResource(let resource, let wipe): return try createResource(resource, wipe: wipe, change)
    case .removeResource(let name, let wipe): return (try removeResource(name, wipe: wipe, change), [])
    case .up, .down, .connect, .disconnect, .attach, .detach, .adjust:
      return (try connectionSteps(change), [])
    case .firstSync(let name): return (try firstSync(name, change), [])
    case .skipFirstSync(let name): return (try skipFirstSync(name, change), [])
    case .promote(let name): return (try promote(name, change), [])
    case .demote(let name): return (try demote(name, change), [])
    case .verify(let name): return (try verify(name, change), [])
    case .resize(let name): return (try resize(name, change), [])
    case .invalidate(let name): return (try invalidate(name, change), [])
    case .discardMine(let name): return (try discardMine(name, change), [])
    case .createPool, .extendPool, .reducePool, .removePool, .activate, .deactivate:
      return (try poolSteps(change), [])
    case .createVolume, .createThinPool, .createThinVolume, .snapshot, .extendVolume, .reduceVolume,
      .renameVolume, .removeVolume:
      return (try volumeSteps(change), [])
    case .applyFilter: return (try filterSteps(change), [])
    }
  }

  /// A step with the change as its reason.
  func step(_ operation: Operation, undo: [Operation] = [], _ change: VolumeChange, patience: Duration? = nil)
    -> Step
  {
    Step(operation, undo: undo, reason: change.description, patience: patience)
  }

  /// The operation of `lvm WORDS`.
  func lvm(_ words: [Text]) -> Operation {
    var command = LVM.command(words)
    if !hasUdev { command.environment["DM_DISABLE_UDEV"] = "1" }
    return .run(command)
  }

  /// The file of a resource that is to be worked with here.
  func known(_ name: ResourceName) throws -> FoundResource {
    guard let found = state.file(name) else {
      throw Failure(
        .notFound, "resource \(name)", "is not described by any file of this node",
        remedy: "see `quartet volume status`, or create it")
    }
    guard found.resource.node(state.node) != nil else {
      throw Failure(
        .invalid, "resource \(name)", "has no node \(state.node), which is this machine",
        remedy: "its nodes are \(found.resource.nodes.map(\.name.description).joined(separator: ", "))")
    }
    return found
  }

  /// The state of a resource that must be up.
  func running(_ name: ResourceName) throws -> ResourceStatus {
    _ = try known(name)
    guard let status = state.status(name) else {
      throw Failure(.notFound, "resource \(name)", "is not up on this node", remedy: "bring it up first")
    }
    return status
  }
}
