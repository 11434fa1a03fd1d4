import BlockEngine
import HostInterface
import LinuxBlockDevices
import ReplicatedVolume
import SystemPackage

/// The legs of a pool as devices, those that could be opened.
struct PoolLegs {
  /// The devices, by the places of their addresses; nil for what could not be opened.
  let devices: [(any BlockDevice)?]
  /// Why not.
  let problems: [Failure?]

  /// Opens every leg.
  ///
  /// - Throws: ``Failure`` when one is in use elsewhere, or none can be opened: then the pool is not to be touched.
  init(_ addresses: [LegAddress], on loop: AIOLoop) throws {
    var devices: [(any BlockDevice)?] = []
    var problems: [Failure?] = []
    for address in addresses {
      do {
        devices.append(try Self.open(address, on: loop))
        problems.append(nil)
      } catch let failure as Failure {
        if failure.code == .inUse { throw failure }
        devices.append(nil)
        problems.append(failure)
      }
    }
    if !devices.contains(where: { $0 != nil }), let first = problems.compactMap({ $0 }).first { throw first }
    self.devices = devices
    self.problems = problems
  }

  /// Opens one leg.
  static func open(_ address: LegAddress, on loop: AIOLoop) throws -> any BlockDevice {
    switch address {
    case .path(let path): return try AIOFile(FilePath(path), on: loop)
    case .nbd(let uri):
      throw Failure(.unsupported, "leg \(uri)", "legs behind NBD are not part of this version")
    }
  }
}

extension AIOLoop {
  /// Starts something, and serves requests until it has called back.
  ///
  /// - Throws: ``Failure`` with code `timedOut` when it has not within the limit.
  func finish<Value>(
    _ subject: String, limit: Duration, _ start: (@escaping (Value) -> Void) -> Void
  ) throws -> Value {
    var value: Value?
    var isOver = false
    let timer = schedule(after: limit) { isOver = true }
    start { value = $0 }
    try run { value != nil || isOver }
    timer.cancel()
    guard let value else { throw Failure(.timedOut, subject, "did not end within \(limit)") }
    return value
  }
}
