import HostInterface
import SystemPackage

/// What this node has: the resources of its files, those that run, and what LVM sees.
public struct VolumeState: Sendable, Hashable {
  /// This machine's name.
  public var node: NodeName
  /// The generation of DRBD; nil where there is none.
  public var generation: Generation?
  /// The resources that the files describe.
  public var files: [FoundResource]
  /// The resources that the kernel has.
  public var running: [ResourceStatus]
  /// Those of which the kernel's log tells a split brain.
  public var splitBrain: Set<ResourceName>
  /// What LVM has; nil where it is not installed.
  public var pools: PoolState?
  /// The disks below DRBD that LVM looks at nevertheless, by resource.
  public var unfiltered: [ResourceName: [DevicePath]]

  /// The file of a resource.
  public func file(_ name: ResourceName) -> FoundResource? { files.first { $0.resource.name == name } }
  /// The state of a resource that runs.
  public func status(_ name: ResourceName) -> ResourceStatus? { running.first { $0.name == name } }

  /// This node's part of a resource.
  public func mine(_ name: ResourceName) -> Resource.Node? { file(name)?.resource.node(node) }

  /// The devices of a resource on this node.
  func devices(of name: ResourceName) -> [DevicePath] { mine(name)?.volumes.map(\.device) ?? [] }

  /// The pools that have a physical volume on a resource; LVM sees them only while this node is primary.
  public func pools(on name: ResourceName) -> [Pool] {
    let devices = Set(devices(of: name).map(\.description))
    return pools?.pools.filter { pool in pool.devices.contains { devices.contains($0.device) } } ?? []
  }

  /// The resource that a device belongs to, by path.
  func resource(ofDevice path: String) -> ResourceName? {
    files.first { found in
      found.resource.node(node)?.volumes.contains { $0.device.description == path } == true
    }?
    .resource.name
  }

  /// The name of a peer.
  ///
  /// 8.4 does not tell it; of two nodes it is the other one.
  public func name(of peer: ResourceStatus.Peer, in name: ResourceName) -> String {
    let others = file(name)?.resource.nodes.filter { $0.name != node }.map(\.name.description) ?? []
    if others.contains(peer.name) { return peer.name }
    return others.count == 1 ? others[0] : peer.name.isEmpty ? "peer" : peer.name
  }

  /// The names of the nodes that are primary for a resource, but for this one.
  public func otherPrimaries(of name: ResourceName) -> [String] {
    status(name)?.peers.filter { $0.role == .primary }.map { self.name(of: $0, in: name) } ?? []
  }
}

/// What stands on a disk that is to be used.
public struct DiskFacts: Sendable, Hashable {
  /// What is at the path; nil when nothing is.
  public var status: FileStatus?
  /// Who uses it.
  public var holders: [Holder]
  /// The signatures of file systems, volumes, partitions and metadata on it, by their names in blkid(8).
  public var signatures: [String]
}
