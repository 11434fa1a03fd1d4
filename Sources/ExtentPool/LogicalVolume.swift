import BlockEngine
import HostInterface

/// A volume of a pool as a device.
///
/// Its size follows when the volume is extended. A request that spans segments is done in parts, in any order.
package final class LogicalVolume: BlockDevice {
  private let pool: ExtentPool
  let id: UInt64
  /// The extent that is being moved, to which requests wait.
  ///
  /// Reads as well, or one could see what the extent that becomes free holds for its next owner.
  private var moving: UInt32?
  private var held: [(BlockRequest, (Failure?) -> Void)] = []
  /// Requests in flight that began before the last move did, and those since.
  private var inFlight = (old: 0, new: 0)
  private var generation = 0
  private var drained: (() -> Void)?

  init(_ pool: ExtentPool, id: UInt64) {
    self.pool = pool
    self.id = id
  }

  private var volume: MappedVolume? { pool.state.volumes[id] }
  package var name: String { "volume " + (volume?.name.description ?? "that is removed") }
  package var size: Int { Int(volume?.count ?? 0) * pool.extentSize }
  package var logicalBlockSize: Int { pool.device.logicalBlockSize }

  package func submit(_ request: BlockRequest, _ completion: @escaping (Failure?) -> Void) {
    if let refusal = refusal(of: request) { return completion(refusal) }
    guard let range = request.range, !range.isEmpty else {
      if case .flush = request { return pool.device.submit(.flush, completion) }
      return completion(nil)
    }
    if let moving, range.overlaps(bytes(of: moving)) {
      held.append((request, completion))
      return
    }
    inFlight.new += 1
    let generation = self.generation
    submitParts(of: request, range) { [self] failure in
      if generation == self.generation { inFlight.new -= 1 } else { inFlight.old -= 1 }
      completion(failure)
      if inFlight.old == 0, let drained {
        self.drained = nil
        drained()
      }
    }
  }

  private func bytes(of extent: UInt32) -> Range<Int> {
    Int(extent) * pool.extentSize..<(Int(extent) + 1) * pool.extentSize
  }

  private func submitParts(
    of request: BlockRequest, _ range: Range<Int>, _ completion: @escaping (Failure?) -> Void
  ) {
    guard let volume else { return completion(Failure(.notFound, name, "it is gone")) }
    let shift = pool.layout.extentShift
    let parts = Completion(completion)
    var place = range.lowerBound
    while place < range.upperBound {
      let extent = UInt32(place >> shift)
      guard let run = volume.run(at: extent) else { break }
      let within = place - Int(extent) << shift
      let end = min(range.upperBound, place - within + Int(run.count) << shift)
      let target = pool.layout.dataOffset + Int(run.start) << shift + within
      pool.device.submit(request.part(place..<end).moved(by: target - place), parts.expect())
      place = end
    }
    parts.seal()
  }

  /// Lets requests to an extent wait, and calls back when none is in flight.
  func beginMove(of extent: UInt32, _ drained: @escaping () -> Void) {
    moving = extent
    generation += 1
    inFlight = (inFlight.old + inFlight.new, 0)
    if inFlight.old == 0 { drained() } else { self.drained = drained }
  }

  /// Lets requests go on, to wherever the extent stands now.
  func endMove() {
    moving = nil
    let waiting = held
    held = []
    for (request, completion) in waiting { submit(request, completion) }
  }
}

extension ExtentPool {
  /// A volume as a device; each volume can be attached once.
  package func attach(_ name: VolumeName) throws -> LogicalVolume {
    let id = try state.volume(name).id
    guard attached[id] == nil else {
      throw Failure(.inUse, "volume \(name)", "it is in use already", remedy: "detach it first")
    }
    let device = LogicalVolume(self, id: id)
    attached[id] = device
    return device
  }

  /// Ends the use of a volume; its requests must be complete.
  package func detach(_ volume: LogicalVolume) { attached[volume.id] = nil }
}
