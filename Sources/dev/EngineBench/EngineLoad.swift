import BlockEngine
import HostInterface
import LinuxBlockDevices

/// Reads or writes a device in this process, as fio does, with so many requests at once.
final class EngineLoad {
  private let device: any BlockDevice
  private let workload: Workload
  private let area: Range<Int>
  private var place = 0
  private var state: UInt64 = 0x9e37_79b9_7f4a_7c15
  private var complete = 0
  private var inFlight = 0
  private var isEnding = false
  private var failure: Failure?

  private init(_ device: any BlockDevice, _ workload: Workload, area: Range<Int>) {
    self.device = device
    self.workload = workload
    self.area = area
  }

  /// How many requests a second the device completes.
  static func rate(
    _ workload: Workload, on device: any BlockDevice, area: Range<Int>, loop: AIOLoop, for time: Duration
  ) throws -> Double {
    let load = EngineLoad(device, workload, area: area)
    let begin = loop.now
    for _ in 0..<workload.depth {
      let buffer = BlockBuffer(count: workload.blockSize)
      for index in 0..<buffer.count { buffer.bytes[index] = UInt8(truncatingIfNeeded: load.random()) }
      load.next(buffer)
    }
    loop.schedule(after: time) { load.isEnding = true }
    try loop.run { load.inFlight == 0 }
    if let failure = load.failure { throw failure }
    return Double(load.complete) / ((loop.now - begin).milliseconds / 1000)
  }

  private func next(_ buffer: BlockBuffer) {
    let blocks = area.count / workload.blockSize
    place = workload.isRandom ? Int(truncatingIfNeeded: random() >> 1) % blocks : (place + 1) % blocks
    let offset = area.lowerBound + place * workload.blockSize
    let request: BlockRequest =
      workload.direction == .read
      ? .read(offset: offset, buffer) : .write(offset: offset, buffer, durable: false)
    inFlight += 1
    device.submit(request) { [self] failure in
      inFlight -= 1
      complete += 1
      if let failure {
        self.failure = failure
        isEnding = true
      }
      if !isEnding { next(buffer) }
    }
  }

  /// xorshift64 (Marsaglia, "Xorshift RNGs", 2003): the load must not be dearer than the engine.
  private func random() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}
