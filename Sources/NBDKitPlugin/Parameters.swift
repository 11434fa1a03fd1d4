import HostInterface
import ReplicatedVolume

/// What stands on nbdkit's command line behind the name of the plugin.
struct Parameters: Sendable {
  static let help = """
    pool=NAME          the pool, as `quartet pool create` has described it
    missing-legs=true  serve although a leg is missing that may have newer data
    background=true    go on when the process ends that started the server
    """

  private(set) var pool: PoolName?
  private(set) var allowsMissingLegs = false
  private(set) var isInBackground = false

  mutating func set(_ key: String, to value: String) throws {
    switch key {
    case "pool": pool = try PoolName(value)
    case "missing-legs": allowsMissingLegs = try Self.flag(key, value)
    case "background": isInBackground = try Self.flag(key, value)
    default: throw Failure(.invalid, "parameter \(key)", "is not known", remedy: "see nbdkit quartet --help")
    }
  }

  func check() throws { if pool == nil { throw Self.missing } }

  static var missing: Failure {
    Failure(.invalid, "parameter pool", "is missing", remedy: "see nbdkit quartet --help")
  }

  private static func flag(_ key: String, _ value: String) throws -> Bool {
    guard let flag = Bool(value) else {
      throw Failure(.invalid, "parameter \(key)", "is neither true nor false")
    }
    return flag
  }
}
