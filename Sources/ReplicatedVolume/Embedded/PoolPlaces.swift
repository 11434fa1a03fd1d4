import Glibc
import HostInterface
import SystemPackage

/// Where the files of embedded pools are.
public struct PoolPlaces: Sendable, Hashable {
  /// The directory with a description for each pool.
  public var descriptions: FilePath
  /// The directory for what lasts until the next boot: sockets, and the volumes that are attached.
  public var runtime: FilePath

  /// Names the directories.
  public init(descriptions: FilePath, runtime: FilePath) {
    self.descriptions = descriptions
    self.runtime = runtime
  }

  /// `$QUARTET_POOL_DIR`, else `/etc/quartet/pools`; and `$QUARTET_RUNTIME_DIR`, else `/run/quartet` for root,
  /// `$XDG_RUNTIME_DIR/quartet` for others, and `/tmp/quartet-UID` where that is not set.
  public static var usual: PoolPlaces {
    let runtime =
      if let named = variable("QUARTET_RUNTIME_DIR") { FilePath(named) } else if geteuid() == 0 {
        FilePath("/run/quartet")
      } else if let user = variable("XDG_RUNTIME_DIR") { FilePath(user).appending("quartet") } else {
        FilePath("/tmp/quartet-\(geteuid())")
      }
    return PoolPlaces(
      descriptions: FilePath(variable("QUARTET_POOL_DIR") ?? "/etc/quartet/pools"), runtime: runtime)
  }

  private static func variable(_ name: String) -> String? {
    guard let value = getenv(name), value[0] != 0 else { return nil }
    return String(cString: value)
  }

  /// The description of a pool.
  public func description(of pool: PoolName) -> FilePath { descriptions.appending(pool.description) }

  /// Where the process that serves a pool listens for commands.
  public func control(of pool: PoolName) -> FilePath { runtimeFile(pool, "control") }
  /// Where it serves the volumes by NBD.
  public func socket(of pool: PoolName) -> FilePath { runtimeFile(pool, "nbd") }
  /// What it tells while it starts in the background.
  public func log(of pool: PoolName) -> FilePath { runtimeFile(pool, "log") }
  /// That it was started by attaching a volume, and is to end with the last one.
  public func attachMark(of pool: PoolName) -> FilePath { runtimeFile(pool, "attached") }

  private func runtimeFile(_ pool: PoolName, _ suffix: String) -> FilePath {
    runtime.appending("pools").appending("\(pool).\(suffix)")
  }

  /// The directory with the volumes of a pool that are attached.
  public func volumes(of pool: PoolName) -> FilePath {
    runtime.appending("volumes").appending(pool.description)
  }

  /// Where a volume is while it is attached: a link to a block device, or a file.
  public func volume(_ path: VolumePath) -> FilePath {
    volumes(of: path.pool).appending(path.volume.description)
  }
}
