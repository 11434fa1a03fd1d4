import ArgumentParser
import HostInterface
import LinuxHost
import ReplicatedVolume
import StateFile

/// `quartet volume create`.
struct VolumeCreateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "create",
    abstract: "Describes a resource, makes its metadata on this node, and brings it up.",
    discussion: """
      The same command is run on every node, then `sync` or `skip-sync` on one. A disk with anything on it is refused
      unless --wipe is said. A run that was killed is finished by running it again.

      EXAMPLES
        quartet volume create vg1 \\
          --node mike=192.168.43.111:7788=/dev/sdb --node nancy=192.168.43.112:7788=/dev/sdb
        quartet volume create vg1 --set net.verify-alg=crc32c --set disk.on-io-error=detach \\
          --node mike=10.0.0.1:7788=/dev/sdb,/dev/sdc1 --node nancy=10.0.0.2:7788=/dev/sdb,/dev/sdc1
      """)
  @OptionGroup var common: VolumeOptions
  @OptionGroup var change: VolumeChangeOptions
  @Option(
    name: .customLong("node"),
    help: "A node, NAME=ADDRESS:PORT=DISK; behind the disk a comma and a device for the metadata may stand.")
  var nodes: [String] = []
  @Option(help: "The minor of the device, /dev/drbdMINOR.") var minor: UInt32 = 0
  @Option(
    name: .customLong("protocol"),
    help: "When a write is acknowledged: A when sent, B when received, C when on both disks.")
  var replication = "C"
  @Option(help: "What a primary without its peer does: dont-care, resource-only or resource-and-stonith.")
  var fencing: String?
  @Option(name: .customLong("set"), help: "A further option, SECTION.NAME=VALUE, as in drbd.conf(5).")
  var settings: [String] = []
  @Option(help: "A file of mode 0600 with the secret that the nodes prove to one another.")
  var secretFile: String?
  @Flag(help: "Erase what is on this node's disks.") var wipe = false
  @Argument(help: "The resource.") var name: String

  func run() async throws {
    try await change.perform(common, [.createResource(try resource(), wipe: wipe)])
  }

  private func resource() throws -> Resource {
    var resource = Resource(name: try ResourceName(name), nodes: try nodes.map(node))
    guard let replication = Resource.Replication(rawValue: replication.uppercased()) else {
      throw Failure(.invalid, "protocol \(replication.debugDescription)", "is none of A, B and C")
    }
    resource.replication = replication
    if let fencing {
      guard let known = Resource.Fencing(rawValue: fencing) else {
        let names = Resource.Fencing.allCases.map(\.rawValue).joined(separator: ", ")
        throw Failure(
          .invalid, "fencing \(fencing.debugDescription)", "is not known", remedy: "use one of \(names)")
      }
      resource.fencing = known
    }
    for setting in settings {
      let (path, value) = try nameAndValue(setting)
      let parts = path.split(separator: ".", maxSplits: 1).map(String.init)
      guard parts.count == 2, let section = Resource.Section(rawValue: parts[0]) else {
        let names = Resource.Section.allCases.map(\.rawValue).joined(separator: ", ")
        throw Failure(
          .invalid, "option \(path.debugDescription)", "is no SECTION.NAME",
          remedy: "the sections are \(names)")
      }
      resource.settings[section, default: [:]][parts[1]] = value
    }
    if let secretFile { resource.sharedSecret = try secret(secretFile) }
    return resource
  }

  private func node(_ text: String) throws -> Resource.Node {
    let parts = text.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 3 else {
      throw Failure(
        .invalid, "node \(text.debugDescription)", "is not of the form NAME=ADDRESS:PORT=DISK",
        remedy: "write it like mike=192.168.43.111:7788=/dev/sdb, an IPv6 address in brackets")
    }
    let disks = parts[2].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard (1...2).contains(disks.count) else {
      throw Failure(
        .invalid, "node \(text.debugDescription)", "has more than a disk and a device for its metadata")
    }
    var volume = try Resource.Volume(minor: minor, disk: DevicePath(disks[0]))
    if disks.count == 2 { volume.metadata = .device(try DevicePath(disks[1])) }
    return Resource.Node(
      name: try NodeName(parts[0]), address: try Resource.Address(parts[1]), volumes: [volume])
  }

  private func secret(_ path: String) throws -> Secret {
    let fetched = try HostSecrets(files: LocalHost()).secret(from: .file(path))
    if let warning = fetched.warning { Report.warning(warning) }
    return fetched.secret
  }
}
