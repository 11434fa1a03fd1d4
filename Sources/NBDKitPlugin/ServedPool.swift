import BlockEngine
import ExtentPool
import HostInterface
import LinuxBlockDevices
import SystemPackage

/// The pool on the engine's thread, and those of its volumes that somebody uses.
final class ServedPool {
  let pool: ExtentPool
  private let mirror: Mirror?
  /// By a number that connections know them by; renaming changes nothing there.
  private var volumes: [Int: (device: LogicalVolume, name: VolumeName, users: Int)] = [:]
  private var lastNumber = 0

  init(legs: [String], on loop: AIOLoop) throws {
    let files = try legs.map { try AIOFile(FilePath($0), on: loop) }
    var mirror: Mirror?
    if files.count > 1 {
      mirror = try loop.finish {
        Mirror.open(on: files, clock: loop, random: { .random(in: 1 ... .max) }, $0)
      }
    }
    let device: any BlockDevice = mirror ?? files[0]
    pool = try loop.finish { ExtentPool.open(on: device, $0) }
    self.mirror = mirror
  }

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

  /// Ends the use of the pool in order.
  func close(_ completion: @escaping (Failure?) -> Void) {
    if let mirror { mirror.close(completion) } else { pool.device.submit(.flush, completion) }
  }
}

extension AIOLoop {
  /// Starts something, and runs until it has called back.
  fileprivate func finish<Value>(
    _ start: (@escaping (Result<Value, Failure>) -> Void) -> Void
  ) throws -> Value {
    var result: Result<Value, Failure>?
    start { result = $0 }
    try run { result != nil }
    return try result?.get() ?? { throw Failure(.timedOut, "pool", "did not open") }()
  }
}
