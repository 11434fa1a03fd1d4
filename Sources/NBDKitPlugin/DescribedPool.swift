import EmbeddedPool
import HostInterface
import LinuxBlockDevices
import LinuxHost
import ReplicatedVolume
import SystemPackage

/// A pool that has a description, opened, and the socket at which it takes commands.
final class DescribedPool {
  let open: OpenPool
  let control: ControlServer

  init(_ name: PoolName, allowsMissingLegs: Bool, on loop: AIOLoop) throws {
    let pools = EmbeddedPools(on: LocalHost())
    let path = pools.places.control(of: name)
    try pools.places.makeDirectory(path.removingLastComponent(), on: pools.host)
    var options = OpenPool.Options()
    options.allowsMissingLegs = allowsMissingLegs
    options.recordLeg = { try pools.record($1, inPlaceOf: $0, in: name) }
    options.onEvent = { line in
      _ = try? FileDescriptor.standardError.writeAll("quartet: pool \(name): \(line)\n".utf8)
    }
    let open = try OpenPool.open(pools.existing(name), on: loop, options: options)
    self.open = open
    control = try ControlServer(at: path, on: loop) { open.carryOut($0, $1) }
  }

  /// Throws what stands against opening a pool; nothing is written.
  static func examine(_ name: PoolName, allowsMissingLegs: Bool, on loop: AIOLoop) throws {
    var options = OpenPool.Options()
    options.allowsMissingLegs = allowsMissingLegs
    try OpenPool.examine(EmbeddedPools(on: LocalHost()).existing(name), on: loop, options: options)
  }
}
