import HostInterface
import SystemPackage

/// Making and removing resources.
extension VolumePlanner {
  func createResource(_ resource: Resource, wipe: Bool, _ change: VolumeChange) throws -> ([Step], [String]) {
    let name = resource.name
    let subject = "resource \(name)"
    if let problem = resource.problems.first {
      throw Failure(.invalid, subject, problem)
    }
    guard let generation = state.generation else {
      throw Failure(
        .unavailable, subject, "cannot be made: the kernel has no DRBD, or drbd-utils is not installed",
        remedy: "install drbd-utils, and a kernel with the module drbd")
    }
    guard let mine = resource.node(state.node) else {
      throw Failure(
        .invalid, subject, "has no node \(state.node), which is this machine",
        remedy: "name this machine as `uname -n` does")
    }
    try refuseCollisions(resource, mine)
    var steps: [Step] = []
    let isNew = state.file(name) == nil
    if state.file(name)?.resource != resource {
      steps.append(try write(resource, for: generation, change))
    }
    if let status = state.status(name) {
      let isWritten = steps.isEmpty
      // A volume that comes to a resource that runs has no metadata yet.
      let old = Set(status.volumes.map(\.number))
      let new = mine.volumes.filter { $0.disk != nil && !old.contains($0.number) }
      for volume in new {
        steps += try createMetadata(of: volume, in: name, isNew: !isWritten, wipe: wipe, change)
      }
      // A run that was killed behind the file, or by a kernel that knew the resource only in part, is finished here.
      // Whether it is connected is another matter.
      let isPart = pending.contains { !$0.split(separator: " ").dropFirst().prefix(1).contains("connect") }
      if isPart || !steps.isEmpty || !new.isEmpty { steps.append(step(DRBD.run("adjust", name), change)) }
      return (steps, sizeWarnings(mine, of: new))
    }
    steps.insert(step(.loadModule(name: "drbd"), change), at: 0)
    for volume in mine.volumes where volume.disk != nil {
      steps += try createMetadata(of: volume, in: name, isNew: isNew, wipe: wipe, change)
    }
    let last = steps.removeLast()
    return (steps + bringUp(name, after: last, change), sizeWarnings(mine, of: mine.volumes))
  }

  /// Brings a resource up behind a step.
  ///
  /// `drbdadm up` that fails leaves what it has done so far, so that the step before it takes that back as well.
  func bringUp(_ name: ResourceName, after last: Step, _ change: VolumeChange) -> [Step] {
    var last = last
    let down = DRBD.run("down", name)
    last.undo.insert(down, at: 0)
    return [last, step(DRBD.run("up", name), undo: [down], change, patience: .seconds(5))]
  }

  /// Minors and ports are the machine's, whatever resource uses them.
  private func refuseCollisions(_ resource: Resource, _ mine: Resource.Node) throws {
    for other in state.files where other.resource.name != resource.name {
      guard let theirs = other.resource.node(state.node) else { continue }
      func refuse(_ what: String) -> Failure {
        Failure(
          .exists, "resource \(resource.name)",
          "cannot use \(what), which resource \(other.resource.name) has",
          remedy: "choose another one")
      }
      if mine.address == theirs.address { throw refuse("\(mine.address)") }
      for volume in mine.volumes {
        if theirs.volumes.contains(where: { $0.minor == volume.minor }) {
          throw refuse("minor \(volume.minor)")
        }
        if let disk = volume.disk, theirs.volumes.contains(where: { $0.disk == disk }) {
          throw refuse("disk \(disk)")
        }
      }
    }
  }

  private func write(_ resource: Resource, for generation: Generation, _ change: VolumeChange) throws -> Step
  {
    let path = ResourceFile.path(of: resource.name)
    var undo: [Operation] = [.removeFile(path: Text(path.string))]
    if let found = state.file(resource.name) {
      guard found.file == path, found.foreign.isEmpty, found.isOurs else {
        let why =
          found.foreign.isEmpty
          ? "its file \(found.file) was not written by Quartet" : "its file has \(found.foreign[0])"
        throw Failure(
          .exists, "resource \(resource.name)", "is described already, and otherwise: \(why)",
          remedy: "change that file, then run `quartet volume adjust \(resource.name)`")
      }
      undo = [
        .replaceFile(
          path: Text(path.string), contents: ResourceFile.text(found.resource, for: generation), mode: 0o600)
      ]
      if state.status(resource.name) != nil { undo.append(DRBD.run("adjust", resource.name)) }
    }
    return step(
      .replaceFile(
        path: Text(path.string), contents: ResourceFile.text(resource, for: generation), mode: 0o600),
      undo: undo, change)
  }

  private func createMetadata(
    of volume: Resource.Volume, in name: ResourceName, isNew: Bool, wipe: Bool, _ change: VolumeChange
  ) throws -> [Step] {
    var disks = volume.disk.map { [$0] } ?? []
    if case .device(let device) = volume.metadata { disks.append(device) }
    try refuseSmallMetadata(volume, in: name)
    var steps: [Step] = []
    var hasMetadata = false
    for disk in disks {
      let facts = try usable(disk)
      if volume.metadata == .inside { _ = try MetadataSize(disk: facts.status?.size ?? 0) }
      // A run that was killed after it had made the metadata is finished by the next one. A disk that has metadata
      // under a file with a physical volume inside it holds a resource's data, which stay as well.
      if !isNew, facts.signatures.contains("drbd") {
        hasMetadata = true
        continue
      }
      guard !facts.signatures.isEmpty else { continue }
      guard wipe else {
        let found = Set(facts.signatures).sorted().joined(separator: ", ")
        throw Failure(
          .inUse, "resource \(name)", "cannot use \(disk), which has something on it: \(found)",
          remedy: "choose another disk, or say --wipe if it may be erased")
      }
      steps.append(
        step(
          .run(Command(["wipefs", "--all", Text(disk.description)], environment: DRBD.environment)), change))
    }
    guard !hasMetadata else { return steps }
    let place: Text = "\(name)/\(volume.number)"
    // Without a terminal its question is answered no: drbdmeta looks deeper than for signatures.
    let force: [Text] = wipe ? ["--force"] : []
    return steps + [
      step(
        .run(DRBD.command(["create-md"] + force + [place])),
        undo: [.run(DRBD.command(["--", "--force", "wipe-md", place]))], change)
    ]
  }

  /// What the kernel would refuse to attach, or of which it would use a part.
  private func refuseSmallMetadata(_ volume: Resource.Volume, in name: ResourceName) throws {
    guard case .device(let device) = volume.metadata, let disk = volume.disk,
      let size = facts[disk]?.status?.size, let room = facts[device]?.status?.size
    else { return }
    let needed = MetadataSize.onDeviceOfItsOwn(disk: size)
    guard room < needed else { return }
    throw Failure(
      .invalid, "resource \(name)",
      "cannot keep its metadata on \(device), which has \(room) bytes: \(disk) needs \(needed)",
      remedy: "use a larger device for the metadata")
  }

  /// A disk that is there and that nobody uses.
  func usable(_ disk: DevicePath) throws -> DiskFacts {
    guard let facts = facts[disk], let status = facts.status else {
      throw Failure(.notFound, "disk \(disk)", "does not exist", remedy: "see lsblk(8)")
    }
    guard status.kind == .blockDevice else {
      throw Failure(
        .invalid, "disk \(disk)", "is no block device", remedy: "attach a file with losetup(8) first")
    }
    if let holder = facts.holders.first {
      throw Failure(
        .inUse, "disk \(disk)", "is \(holder)", remedy: "unmount or release it first, or choose another disk")
    }
    return facts
  }

  private func sizeWarnings(_ mine: Resource.Node, of volumes: [Resource.Volume]) -> [String] {
    volumes.compactMap { volume in
      guard let disk = volume.disk, volume.metadata == .inside, let size = facts[disk]?.status?.size,
        let metadata = try? MetadataSize(disk: size)
      else { return nil }
      return
        "\(volume.device) will have \(metadata.usable) bytes at most: \(disk) has \(size), metadata takes "
        + "\(metadata.bytes); the smallest node decides"
    }
  }

  func removeResource(_ name: ResourceName, wipe: Bool, _ change: VolumeChange) throws -> [Step] {
    guard state.file(name) != nil || state.status(name) != nil else { return [] }
    let found = try known(name)
    guard found.isOurs, let generation = state.generation else {
      throw Failure(
        .refused, "resource \(name)", "is described in \(found.file), which was not written by Quartet",
        remedy: "bring it down with `quartet volume down \(name)` and remove the file by hand")
    }
    var steps: [Step] = []
    if let status = state.status(name) {
      try refusePrimary(status)
      steps.append(
        step(DRBD.run("down", name), undo: [DRBD.run("up", name)], change, patience: .seconds(5)))
    }
    let path = Text(found.file.string)
    if wipe {
      let disks = found.resource.node(state.node)?.volumes.filter { $0.disk != nil } ?? []
      for volume in disks {
        let place: Text = "\(name)/\(volume.number)"
        steps.append(step(.run(DRBD.command(["--", "--force", "wipe-md", place])), change))
      }
    }
    return steps + [
      step(
        .removeFile(path: path),
        undo: [
          .replaceFile(path: path, contents: ResourceFile.text(found.resource, for: generation), mode: 0o600)
        ], change)
    ]
  }

  func refusePrimary(_ status: ResourceStatus) throws {
    guard status.role == .primary else { return }
    throw Failure(
      .inUse, "resource \(status.name)", "is primary on this node",
      remedy: "run `quartet volume demote \(status.name)` first")
  }
}
