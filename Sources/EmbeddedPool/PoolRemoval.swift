import BlockEngine
import ExtentPool
import HostInterface
import LinuxBlockDevices
import ReplicatedVolume

/// Removes an embedded pool: its description, and what makes its legs legs where that is asked for.
package struct PoolRemoval: Sendable {
  private let description: PoolDescription
  private let pools: EmbeddedPools
  private let wipe: Bool

  /// The removal of a pool.
  package init(of description: PoolDescription, in pools: EmbeddedPools, wipe: Bool) {
    (self.description, self.pools, self.wipe) = (description, pools, wipe)
  }

  private var name: PoolName { description.name }

  /// What is to be done, in words.
  ///
  /// - Throws: ``Failure`` with code `inUse` while the pool is served or has volumes.
  package func actions() async throws -> [String] {
    if let process = try PoolServer.process(name, in: pools) {
      throw Failure(
        .inUse, "pool \(name)", "is served by process \(process)", remedy: "run `quartet pool stop \(name)`")
    }
    // One that is not complete, or whose legs are gone, can be removed as well.
    if !description.isBeingCreated, let report = try? await pools.report(description),
      let first = report.volumes.first
    {
      throw Failure(
        .inUse, "pool \(name)", "has \(report.volumes.count) volumes, such as \(first.name)",
        remedy: "remove them first")
    }
    return (wipe ? description.legs.map { "erase the metadata on \($0)" } : [])
      + ["remove \(pools.places.description(of: name))"]
  }

  /// Removes the pool.
  package func perform() async throws {
    let lock = try await pools.host.lock("pool-\(name)", limit: .seconds(30))
    defer { lock.release() }
    _ = try await actions()
    if wipe { try erase() }
    try pools.host.removeFile(pools.places.description(of: name))
    for file in [pools.places.log(of: name), pools.places.attachMark(of: name)] {
      try? pools.host.removeFile(file)
    }
  }

  private func erase() throws {
    let loop = try AIOLoop()
    for address in description.legs {
      let device = try PoolLegs.open(address, on: loop)
      let end = device.size & ~4095
      let found: Result<ExtentPool, Failure> = try loop.finish("leg \(address)", limit: OpenPool.limit) {
        ExtentPool.open(on: ReadOnlyView(device, size: device.size), $0)
      }
      // The pool's label has a copy behind its metadata; a leg's own are at its end.
      let own = (try? found.get().metadataSize) ?? 64 << 10
      let ranges = [0..<min(end, own), max(0, end - (64 << 10))..<end]
      let requests: [BlockRequest] = ranges.map {
        .writeZeroes(offset: $0.lowerBound, count: $0.count, durable: true)
      }
      let failure: Failure? = try loop.finish("leg \(address)", limit: OpenPool.limit) {
        device.submitInOrder(requests, $0)
      }
      if let failure { throw failure }
    }
  }
}
