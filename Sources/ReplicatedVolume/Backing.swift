import HostInterface
import SystemPackage

/// A block device that is to be exported, as far as DRBD stands below it.
extension VolumeDriver {
  /// Whether this machine has resources at all; without any there is nothing to look for below a device.
  public var hasResources: Bool {
    guard (try? host.status(ResourceFile.directory)) ?? nil != nil else { return false }
    return (try? host.list(ResourceFile.directory))?.contains { $0.hasSuffix(".res") } == true
  }

  /// Refuses a device that must not be exported on this node: on a resource that is not primary here, on the disk below
  /// a resource, or of a pool that is seen only where its resource is primary.
  ///
  /// - Parameters:
  ///   - path: What is to be exported.
  ///   - subject: What the failure is about, such as `lun 1 of iqn.2011-12.com.example:disk1`.
  /// - Throws: ``Failure`` with code `refused` that names the node that is primary.
  public func refuseUnlessPrimary(_ path: String, for subject: String, in state: VolumeState) throws {
    guard let status = try host.status(FilePath(path)) else {
      // A device that is not there may be one that is not there yet.
      guard path.hasPrefix("/dev/") else { return }
      if let secondary = state.running.first(where: { $0.role == .secondary }) {
        throw refusal(subject, path, "is not there, and", secondary.name, state)
      }
      return
    }
    guard status.kind == .blockDevice else { return }
    for device in try devices(below: status.identity) {
      for found in state.files {
        for volume in found.resource.node(state.node)?.volumes ?? [] {
          if device == "147:\(volume.minor)", state.status(found.resource.name)?.role != .primary {
            throw refusal(subject, path, "is on a resource, and", found.resource.name, state)
          }
          guard let disk = volume.disk, try host.status(FilePath(disk.description))?.identity == device else {
            continue
          }
          throw Failure(
            .refused, subject,
            "cannot use \(path): it is on \(disk), below resource \(found.resource.name), where "
              + "the data may be stale",
            remedy:
              "use \(volume.device), or the pool on it; `quartet pool filter --apply` keeps LVM off the disk")
        }
      }
    }
  }

  private func refusal(
    _ subject: String, _ path: String, _ what: String, _ name: ResourceName, _ state: VolumeState
  ) -> Failure {
    let other = state.otherPrimaries(of: name).first
    let role = state.status(name) == nil ? "is down on this node" : "is not primary on this node"
    return Failure(
      .refused, subject,
      "cannot use \(path): it \(what) resource \(name) \(role)" + (other.map { ", it is on \($0)" } ?? ""),
      remedy: other.map { "export it on \($0), or demote it there and promote it here" }
        ?? "run `quartet volume promote \(name)` first")
  }

  /// A device and all that it is made of, down to and with what DRBD has; its disks are DRBD's own business.
  ///
  /// `slaves` in /sys/dev/block has what a device-mapper device is on (Documentation/ABI/stable/sysfs-block).
  private func devices(below identity: String) throws -> [String] {
    var found: [String] = []
    var waiting = [identity]
    while let next = waiting.popLast(), found.count < 64 {
      guard !found.contains(next) else { continue }
      found.append(next)
      let slaves = FilePath("/sys/dev/block/\(next)/slaves")
      guard !next.hasPrefix("147:"), try host.status(slaves) != nil else { continue }
      for name in try host.list(slaves) {
        waiting.append(try host.text(slaves.appending("\(name)/dev")).trimmed)
      }
    }
    return found
  }
}
