import HostInterface
import Testing
import VolumeSimulator

@testable import ReplicatedVolume

/// What the article sets up, on two simulated machines.
struct Stack {
  let pair: SimulatedPair
  let name: ResourceName
  let pool: PoolName

  init(disks: [String: UInt64] = ["/dev/vda": 256 << 20, "/dev/vdb": 128 << 20, "/dev/vdc": 64 << 20]) throws
  {
    pair = SimulatedPair(disks: disks)
    name = try ResourceName("vg1")
    pool = try PoolName("vg1")
  }

  func driver(_ node: String = "mike") -> VolumeDriver { VolumeDriver(on: pair.host(node)) }

  func run(_ changes: VolumeChange..., on node: String = "mike") async throws {
    try await driver(node).perform(changes)
  }

  /// The resource, on both nodes and in sync, the filter, the pool and a volume of three extents.
  func build(resource change: (inout Resource) throws -> Void = { _ in }) async throws {
    let resource = try ResourceFileTests.resource(change)
    for node in pair.names { try await run(.createResource(resource, wipe: false), .applyFilter, on: node) }
    try await run(.firstSync(name))
    try await run(
      .createPool(pool, [DevicePath("/dev/drbd0")], extentSize: nil),
      .createVolume(VolumePath("vg1/lun1"), .extents(3)))
    pair.write("/dev/drbd0", on: "mike")
  }
}

@Suite struct PairTests {
  @Test func theWholeOfTheArticle() async throws {
    let stack = try Stack()
    try await stack.build()
    let state = try await stack.driver().read()
    let volume = try VolumePath("vg1/lun1")
    #expect(state.status(stack.name)?.isWhole == true)
    #expect(state.pools?[volume]?.isActive == true)
    #expect(try await stack.driver("nancy").read().pools?.pools == [])
    try await stack.run(.demote(stack.name))
    try await stack.run(.promote(stack.name), on: "nancy")
    #expect(try await stack.driver("nancy").read().pools?[volume]?.isActive == true)
    let failure = await #expect(throws: Failure.self) { try await stack.run(.promote(stack.name)) }
    #expect(failure?.code == .refused && failure?.problem.contains("nancy") == true)
    #expect(stack.pair.damage == [])
  }
}
