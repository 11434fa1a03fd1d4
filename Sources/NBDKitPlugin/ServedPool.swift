import BlockEngine
import ExtentPool
import Glibc
import HostInterface
import LinuxBlockDevices

/// The pool on the engine's thread, and those of its volumes that somebody uses.
final class ServedPool {
  private let described: DescribedPool
  /// By a number that connections know them by; renaming changes nothing there.
  private var volumes: [Int: (device: LogicalVolume, name: VolumeName, users: Int)] = [:]
  private var lastNumber = 0
  private enum Closing {
    case begun([(Failure?) -> Void])
    case over(Failure?)
  }
  private var closing: Closing?
  private let loop: AIOLoop
  private var watch: DescriptorWatch?

  init(_ parameters: Parameters, on loop: AIOLoop) throws {
    guard let name = parameters.pool else { throw Parameters.missing }
    self.loop = loop
    described = try DescribedPool(name, allowsMissingLegs: parameters.allowsMissingLegs, on: loop)
    closeOnSignal()
  }

  var pool: ExtentPool { described.open.pool }

  /// Begins the use of a volume.
  func open(_ name: VolumeName) throws -> (number: Int, size: Int, logicalBlockSize: Int) {
    for (number, volume) in volumes where volume.name == name {
      volumes[number]?.users += 1
      return (number, volume.device.size, volume.device.logicalBlockSize)
    }
    let device = try pool.attach(name)
    lastNumber += 1
    volumes[lastNumber] = (device, name, 1)
    return (lastNumber, device.size, device.logicalBlockSize)
  }

  /// Ends one use of a volume.
  func close(_ number: Int) {
    volumes[number]?.users -= 1
    guard let volume = volumes[number], volume.users == 0 else { return }
    pool.detach(volume.device)
    volumes[number] = nil
  }

  func submit(_ request: BlockRequest, to number: Int, _ completion: @escaping (Failure?) -> Void) {
    guard let device = volumes[number]?.device else {
      return completion(Failure(.notFound, "volume", "it is not in use"))
    }
    device.submit(request, completion)
  }

  func blockStatus(
    of range: Range<Int>, in number: Int, _ completion: @escaping (Result<[BlockStatus], Failure>) -> Void
  ) {
    guard let device = volumes[number]?.device else {
      return completion(.failure(Failure(.notFound, "volume", "it is not in use")))
    }
    device.blockStatus(of: range, completion)
  }

  /// Ends the use of the pool in order: what was begun is finished.
  ///
  /// To be called as often as one likes.
  func close(_ completion: @escaping (Failure?) -> Void) {
    switch closing {
    case .over(let failure): return completion(failure)
    case .begun(let waiting): closing = .begun(waiting + [completion])
    case nil:
      closing = .begun([completion])
      ServiceNotice.send("STOPPING=1")
      described.control.end()
      let done: (Failure?) -> Void = { [self] failure in
        guard case .begun(let waiting) = closing else { return }
        closing = .over(failure)
        for tell in waiting { tell(failure) }
      }
      if let mirror = described.open.mirror { mirror.close(done) } else { pool.device.submit(.flush, done) }
    }
  }

  /// Closes the pool when nbdkit is told to end, and ends the process should idle clients keep it.
  private func closeOnSignal() {
    guard let signals = StopSignals.observe() else { return }
    watch = loop.watch(signals, for: .input) { [self] _ in
      watch?.cancel()
      close { [self] failure in
        loop.schedule(after: Self.patience) { _exit(failure == nil ? 0 : 1) }
      }
    }
  }

  /// How long nbdkit gets, once the pool is closed, to send its last answers and to end by itself.
  private static let patience = Duration.seconds(1)
}
