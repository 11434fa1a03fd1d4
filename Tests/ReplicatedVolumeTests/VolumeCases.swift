import HostInterface
import VolumeSimulator

@testable import ReplicatedVolume

extension VolumeCase {
  /// The article's stack without anything on the resource.
  private static func replicated(_ stack: Stack, _ change: (inout Resource) throws -> Void = { _ in })
    async throws
  {
    let resource = try ResourceFileTests.resource(change)
    for node in stack.pair.names {
      try await stack.run(.createResource(resource, wipe: false), .applyFilter, on: node)
    }
    try await stack.run(.firstSync(stack.name))
    stack.pair.write("/dev/drbd0", on: "mike")
  }

  /// A pool on two disks that are not replicated.
  private static func pooled(_ stack: Stack, _ volumes: [VolumeChange] = []) async throws {
    let devices = [try DevicePath("/dev/vdb"), try DevicePath("/dev/vdc")]
    try await stack.driver().perform([.createPool(stack.pool, devices, extentSize: nil)] + volumes)
  }

  private static func volume(_ name: String = "lun1") throws -> VolumePath { try VolumePath("vg1/\(name)") }

  private static func splitBrain(_ stack: Stack) async throws {
    try await replicated(stack)
    try await stack.run(.demote(stack.name))
    stack.pair.setLink(false)
    for node in stack.pair.names {
      try await stack.run(.promote(stack.name), on: node)
      stack.pair.write("/dev/drbd0", on: node)
    }
    try await stack.run(.demote(stack.name))
    stack.pair.setLink(true)
    // The node whose data stay waits.
    try await stack.run(.connect(stack.name), on: "nancy")
  }

  static let all = resources + connections + copies + pools + volumes

  private static let resources = [
    VolumeCase("create resource") { _ in
    } change: { _ in
      .createResource(try ResourceFileTests.resource(), wipe: false)
    },
    VolumeCase("create resource on a file system") {
      $0.pair.put("ext4", on: "/dev/vda", of: "mike")
    } change: { _ in
      .createResource(try ResourceFileTests.resource(), wipe: true)
    },
    VolumeCase("create resource whose peer is up") { stack in
      try await stack.run(.createResource(ResourceFileTests.resource(), wipe: false), on: "nancy")
    } change: { _ in
      .createResource(try ResourceFileTests.resource(), wipe: false)
    },
    VolumeCase("create resource of two volumes, one with its metadata outside") { _ in
    } change: { _ in
      let resource = try ResourceFileTests.resource { resource in
        for index in resource.nodes.indices {
          var volume = try Resource.Volume(number: 1, minor: 1, disk: DevicePath("/dev/vdb"))
          volume.metadata = .device(try DevicePath("/dev/vdc"))
          resource.nodes[index].volumes.append(volume)
        }
      }
      return .createResource(resource, wipe: false)
    },
    VolumeCase("change resource") {
      try await replicated($0)
    } change: { _ in
      .createResource(
        try ResourceFileTests.resource { $0.settings[.net] = ["verify-alg": "crc32c"] }, wipe: false)
    },
    VolumeCase("add a volume to a resource that runs") {
      try await replicated($0)
    } change: { _ in
      let resource = try ResourceFileTests.resource { resource in
        resource.settings[.net] = ["verify-alg": "crc32c"]
        for index in resource.nodes.indices {
          resource.nodes[index].volumes.append(
            try Resource.Volume(number: 1, minor: 1, disk: DevicePath("/dev/vdb")))
        }
      }
      return .createResource(resource, wipe: false)
    },
    VolumeCase("remove resource") { stack in
      try await replicated(stack)
      try await stack.run(.demote(stack.name))
    } change: {
      .removeResource($0.name, wipe: false)
    },
    VolumeCase("remove and wipe resource") { stack in
      try await replicated(stack)
      try await stack.run(.demote(stack.name))
    } change: {
      .removeResource($0.name, wipe: true)
    },
    VolumeCase("up") { stack in
      try await replicated(stack)
      try await stack.run(.demote(stack.name), .down(stack.name))
    } change: {
      .up($0.name)
    },
    VolumeCase("down") { stack in
      try await replicated(stack)
      try await stack.run(.demote(stack.name))
    } change: {
      .down($0.name)
    },
  ]

  private static let connections = [
    VolumeCase("connect") { stack in
      try await replicated(stack)
      try await stack.run(.disconnect(stack.name))
    } change: {
      .connect($0.name)
    },
    VolumeCase("disconnect") {
      try await replicated($0)
    } change: {
      .disconnect($0.name)
    },
    VolumeCase("attach") { stack in
      try await replicated(stack)
      try await stack.run(.detach(stack.name))
    } change: {
      .attach($0.name)
    },
    VolumeCase("detach") {
      try await replicated($0)
    } change: {
      .detach($0.name)
    },
    VolumeCase("adjust") { stack in
      try await replicated(stack)
      try await stack.run(.disconnect(stack.name))
    } change: {
      .adjust($0.name)
    },
  ]

  private static let copies = [
    VolumeCase("first sync") { stack in
      for node in stack.pair.names {
        try await stack.run(.createResource(ResourceFileTests.resource(), wipe: false), on: node)
      }
    } change: {
      .firstSync($0.name)
    },
    VolumeCase("skip first sync") { stack in
      for node in stack.pair.names {
        try await stack.run(.createResource(ResourceFileTests.resource(), wipe: false), on: node)
      }
    } change: {
      .skipFirstSync($0.name)
    },
    VolumeCase("promote") { stack in
      try await stack.build()
      try await stack.run(.demote(stack.name))
    } change: {
      .promote($0.name)
    },
    VolumeCase("demote") {
      try await $0.build()
    } change: {
      .demote($0.name)
    },
    VolumeCase("verify", repeats: true) { stack in
      try await replicated(stack) { $0.settings[.net] = ["verify-alg": "crc32c"] }
    } change: {
      .verify($0.name)
    },
    VolumeCase("resize") { stack in
      try await stack.build()
      for node in stack.pair.names { stack.pair.resize("/dev/vda", of: node, to: 320 << 20) }
    } change: {
      .resize($0.name)
    },
    VolumeCase("invalidate", repeats: true) { stack in
      try await replicated(stack)
      try await stack.run(.demote(stack.name))
    } change: {
      .invalidate($0.name)
    },
    VolumeCase("discard mine") {
      try await splitBrain($0)
    } change: {
      .discardMine($0.name)
    },
  ]

  private static let pools = [
    VolumeCase("create pool on DRBD") {
      try await replicated($0)
    } change: {
      .createPool($0.pool, [try DevicePath("/dev/drbd0")], extentSize: nil)
    },
    VolumeCase("create pool of two disks") { _ in
    } change: {
      .createPool($0.pool, [try DevicePath("/dev/vdb"), try DevicePath("/dev/vdc")], extentSize: 1 << 20)
    },
    VolumeCase("extend pool") { stack in
      try await stack.run(.createPool(stack.pool, [DevicePath("/dev/vdb")], extentSize: nil))
    } change: {
      .extendPool($0.pool, try DevicePath("/dev/vdc"))
    },
    VolumeCase("reduce pool") {
      try await pooled($0)
    } change: {
      .reducePool($0.pool, try DevicePath("/dev/vdc"))
    },
    VolumeCase("remove pool") {
      try await pooled($0)
    } change: {
      .removePool($0.pool)
    },
    VolumeCase("activate") { stack in
      try await pooled(stack, [.createVolume(volume(), .extents(3))])
      try await stack.run(.deactivate(stack.pool))
    } change: {
      .activate($0.pool)
    },
    VolumeCase("deactivate") {
      try await pooled($0, [.createVolume(volume(), .extents(3))])
    } change: {
      .deactivate($0.pool)
    },
    VolumeCase("apply filter") { stack in
      for node in stack.pair.names {
        try await stack.run(.createResource(ResourceFileTests.resource(), wipe: false), on: node)
      }
    } change: { _ in
      .applyFilter
    },
  ]

  private static let volumes = [
    VolumeCase("create volume") {
      try await pooled($0)
    } change: { _ in
      .createVolume(try volume(), .bytes(9 << 20))
    },
    VolumeCase("create thin pool") {
      try await pooled($0)
    } change: { _ in
      .createThinPool(try volume("pool"), .extents(8))
    },
    VolumeCase("create thin volume") {
      try await pooled($0, [.createThinPool(volume("pool"), .extents(8))])
    } change: { _ in
      .createThinVolume(try volume(), from: try VolumeName("pool"), bytes: 1 << 30)
    },
    VolumeCase("snapshot") {
      try await pooled($0, [.createVolume(volume(), .extents(3))])
    } change: { _ in
      .snapshot(try volume("before"), of: try VolumeName("lun1"), .extents(2))
    },
    VolumeCase("thin snapshot") { stack in
      try await pooled(
        stack,
        [
          .createThinPool(volume("pool"), .extents(8)),
          .createThinVolume(volume(), from: VolumeName("pool"), bytes: 1 << 30),
        ])
    } change: { _ in
      .snapshot(try volume("before"), of: try VolumeName("lun1"), nil)
    },
    VolumeCase("extend volume") {
      try await pooled($0, [.createVolume(volume(), .extents(3))])
    } change: { _ in
      .extendVolume(try volume(), .extents(5))
    },
    VolumeCase("reduce volume") {
      try await pooled($0, [.createVolume(volume(), .extents(3))])
    } change: { _ in
      .reduceVolume(try volume(), .extents(2), force: true)
    },
    VolumeCase("rename volume") {
      try await pooled($0, [.createVolume(volume(), .extents(3))])
    } change: { _ in
      .renameVolume(try volume(), to: try VolumeName("lun2"))
    },
    VolumeCase("remove volume") {
      try await pooled($0, [.createVolume(volume(), .extents(3))])
    } change: { _ in
      .removeVolume(try volume())
    },
  ]
}
