import CNBDKit
import Glibc
import HostInterface
import ReplicatedVolume

/// What stands on nbdkit's command line behind the name of the plugin.
struct Parameters: Sendable {
  static let help = """
    pool=NAME     the pool, as `quartet pool create` has described it
    leg=PATH      in place of it a file or a device that is a leg of the mirror; once for each
    missing-legs=true  serve although a leg is missing that may have newer data
    background=true    go on when the process ends that started the server
    """

  private(set) var legs: [String] = []
  private(set) var pool: PoolName?
  private(set) var allowsMissingLegs = false
  private(set) var isInBackground = false

  mutating func set(_ key: String, to value: String) throws {
    switch key {
    case "leg": legs.append(try Self.absolute(value))
    case "pool": pool = try PoolName(value)
    case "missing-legs": allowsMissingLegs = try Self.flag(key, value)
    case "background": isInBackground = try Self.flag(key, value)
    default: throw Failure(.invalid, "parameter \(key)", "is not known", remedy: "see nbdkit quartet --help")
    }
  }

  func check() throws {
    if legs.isEmpty == (pool == nil) {
      throw Failure(
        .invalid, "parameter pool", "is missing, or legs are named as well", remedy: "name a pool")
    }
  }

  private static func flag(_ key: String, _ value: String) throws -> Bool {
    guard let flag = Bool(value) else {
      throw Failure(.invalid, "parameter \(key)", "is neither true nor false")
    }
    return flag
  }

  /// nbdkit changes to / before it serves.
  private static func absolute(_ path: String) throws -> String {
    guard let absolute = nbdkit_absolute_path(path) else {
      throw Failure(.invalid, path, "cannot be made an absolute path")
    }
    defer { free(absolute) }
    return String(cString: absolute)
  }
}
