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
  private var held: [() -> Void] = []
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
      held.append { [self] in submit(request, completion) }
      return
    }
    let generation = beginRequest()
    submitParts(of: request, range) { [self] failure in
      completion(failure)
      endRequest(generation)
    }
  }

  /// Counts a request, until its end, as one of the generation that it tells.
  private func beginRequest() -> Int {
    inFlight.new += 1
    return generation
  }

  private func endRequest(_ generation: Int) {
    if generation == self.generation { inFlight.new -= 1 } else { inFlight.old -= 1 }
    if inFlight.old == 0, let drained {
      self.drained = nil
      drained()
    }
  }

  /// Asks for the segment in which the range begins.
  package func blockStatus(
    of range: Range<Int>, _ completion: @escaping (Result<[BlockStatus], Failure>) -> Void
  ) {
    if let refusal = refusal(of: range) { return completion(.failure(refusal)) }
    // As a read would: what the extent holds until it is moved is not to be told of after that.
    if let moving, range.overlaps(bytes(of: moving)) {
      held.append { [self] in blockStatus(of: range, completion) }
      return
    }
    guard let (end, target) = segment(at: range.lowerBound) else {
      return completion(.failure(gone))
    }
    let count = min(end, range.upperBound) - range.lowerBound
    let generation = beginRequest()
    pool.device.blockStatus(of: target..<target + count) { [self] answer in
      completion(answer)
      endRequest(generation)
    }
  }

  /// Where in the pool a byte stands, and where in the volume its segment ends.
  private func segment(at place: Int) -> (end: Int, target: Int)? {
    let shift = pool.layout.extentShift
    let extent = UInt32(place >> shift)
    guard let run = volume?.run(at: extent) else { return nil }
    let within = place - Int(extent) << shift
    return (
      place - within + Int(run.count) << shift, pool.layout.dataOffset + Int(run.start) << shift + within
    )
  }

  private func bytes(of extent: UInt32) -> Range<Int> {
    Int(extent) * pool.extentSize..<(Int(extent) + 1) * pool.extentSize
  }

  private func submitParts(
    of request: BlockRequest, _ range: Range<Int>, _ completion: @escaping (Failure?) -> Void
  ) {
    guard let first = segment(at: range.lowerBound) else { return completion(gone) }
    if range.upperBound <= first.end {
      return pool.device.submit(request.moved(by: first.target - range.lowerBound), completion)
    }
    let parts = Completion(completion)
    var place = range.lowerBound
    while place < range.upperBound {
      guard let segment = segment(at: place) else {
        parts.expect()(gone)
        break
      }
      let (end, target) = (min(range.upperBound, segment.end), segment.target)
      pool.device.submit(request.part(place..<end).moved(by: target - place), parts.expect())
      place = end
    }
    parts.seal()
  }

  private var gone: Failure { Failure(.notFound, name, "it is gone") }

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
    for go in waiting { go() }
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
