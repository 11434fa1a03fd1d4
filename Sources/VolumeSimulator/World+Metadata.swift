/// What drbdmeta(8) does to disks that are not attached.
extension World {
  func metadataPath(_ volume: ConfiguredResource.Volume) -> String {
    volume.metadata == "internal" ? volume.disk : volume.metadata
  }

  func call(_ volume: ConfiguredResource.Volume, _ words: String, exit status: Int32) -> String {
    "Command 'drbdmeta \(volume.minor ?? 0) v08 \(metadataPath(volume)) internal \(words)' terminated with exit code \(status)\n"
  }

  /// Whether the kernel has attached the disk, or someone else holds it.
  func holder(_ node: String, _ path: String) -> (isDRBD: Bool, minor: UInt32)? {
    for volume in self[node].resources.flatMap(\.volumes)
    where volume.disk == path || volume.metadataDisk == path {
      return (true, volume.minor)
    }
    return self[node].isHeld([path]) ? (false, 0) : nil
  }

  mutating func createMetadata(_ request: Request, _ volume: ConfiguredResource.Volume) -> Answer {
    let path = metadataPath(volume)
    let isForced = request.options.contains("--force")
    let words = "create-md" + (isForced ? " --force" : "")
    let done =
      "initializing activity log\nWriting meta data...\nNew drbd meta data block successfully created.\n"
    if let holder = holder(request.node, path) {
      return .failed(
        20,
        "open(\(path)) failed: Device or resource busy\n\nExclusive open failed. Do it anyways?\n"
          + (isForced
            ? "*** confirmation forced via --force option ***\n"
            : "stdin not a TTY, not waiting for confirmation\n")
          + (holder.isDRBD
            ? "# Output might be stale, since minor \(holder.minor) is attached\nDevice '\(holder.minor)' is configured!\n"
            : "") + call(volume, words, exit: 20))
    }
    guard var disk = self[request.node].disks[path], !disk.isBroken else {
      return .failed(20, "open(\(path)) failed: No such file or directory\n" + call(volume, words, exit: 20))
    }
    guard disk.usableKiB > 0 else {
      return .failed(
        10, "\(path) is too small for internal meta data.\n" + call(volume, words, exit: 10))
    }
    if disk.metadata == nil, let system = disk.content.signatures.first {
      return .failed(
        40, call(volume, words, exit: 40),
        output:
          "\nFound \(system) filesystem\n\nDevice size would be truncated, which\nwould corrupt data and "
          + "result in\n'access beyond end of device' errors.\nOperation refused.\n\n")
    }
    let question: String? =
      disk.metadata != nil
      ? "You want me to create a v08 style flexible-size internal meta data block.\n"
        + "There appears to be a v08 flexible-size internal meta data block\n"
        + "already in place on \(path) at byte offset \(disk.size - 4096)\n\n"
        + "Do you really want to overwrite the existing meta-data?\n"
      : disk.content.label != nil ? "\nDo you want to proceed?\n" : nil
    if let question, !isForced {
      return .failed(
        1, question + "stdin not a TTY, not waiting for confirmation\n",
        output: disk.metadata != nil ? "Operation cancelled.\n" : "Operation canceled.\n")
    }
    if disk.metadata?.isConsistent == true {
      damage.append("\(request.node): metadata of data overwritten on \(path)")
    }
    disk.metadata = Metadata()
    machines[request.node]?.disks[path] = disk
    let errors = question.map { $0 + "*** confirmation forced via --force option ***\n" } ?? ""
    return Answer(output: done, errors: errors + "initializing bitmap (8 KB) to all zero\n")
  }

  mutating func wipeMetadata(_ request: Request, _ volume: ConfiguredResource.Volume) -> Answer {
    let path = metadataPath(volume)
    if let holder = holder(request.node, path) {
      return .failed(
        20,
        holder.isDRBD
          ? "Device '\(holder.minor)' is configured!\n" : "open(\(path)) failed: Device or resource busy\n")
    }
    guard machines[request.node]?.disks[path]?.metadata != nil else {
      return Answer(output: "There appears to be no drbd meta data to wipe out?\n")
    }
    machines[request.node]?.disks[path]?.metadata = nil
    return Answer(output: "Wiping meta data...\nDRBD meta data block successfully wiped out.\n")
  }
}
