import BlockEngine
import HostInterface

/// One use of a simulated disk: when the disk dies or loses power it is broken for ever, as a descriptor or a socket is.
package final class SimulatedConnection: BlockDevice {
  let disk: SimulatedDisk
  private let clock: any EngineClock
  /// Whether requests go to the disk.
  package var isBroken = false

  /// A connection to a disk.
  package init(_ disk: SimulatedDisk, clock: any EngineClock) {
    self.disk = disk
    self.clock = clock
  }

  package var name: String { disk.name }
  package var size: Int { disk.size }
  package var logicalBlockSize: Int { disk.logicalBlockSize }

  package func submit(_ request: BlockRequest, _ completion: @escaping (Failure?) -> Void) {
    guard !isBroken else { return refuse(completion) }
    disk.submit(request, completion)
  }

  package func blockStatus(
    of range: Range<Int>, _ completion: @escaping (Result<[BlockStatus], Failure>) -> Void
  ) {
    guard !isBroken else { return refuse { if let failure = $0 { completion(.failure(failure)) } } }
    disk.blockStatus(of: range, completion)
  }

  private func refuse(_ completion: @escaping (Failure?) -> Void) {
    clock.schedule(after: .microseconds(5)) { [name] in
      completion(Failure(.refused, name, "the simulated connection is broken"))
    }
  }
}
