import CNBDKit
import Glibc
import HostInterface

/// What stands on nbdkit's command line behind the name of the plugin.
struct Parameters: Sendable {
  static let help = """
    leg=PATH      a file or a device that is a leg of the mirror; once for each
    """

  private(set) var legs: [String] = []

  mutating func set(_ key: String, to value: String) throws {
    switch key {
    case "leg": legs.append(try Self.absolute(value))
    default: throw Failure(.invalid, "parameter \(key)", "is not known", remedy: "see nbdkit quartet --help")
    }
  }

  func check() throws {
    if legs.isEmpty {
      throw Failure(.invalid, "parameter leg", "is missing", remedy: "name the legs of the pool")
    }
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
