import HostInterface
import LIOBackend
import LIOSimulator
import Quartet
import Simulation
import SystemPackage
import TargetCore
import Testing

/// A machine with a simulated kernel and files to export.
struct Workbench {
  static let fabric = "/sys/kernel/config/target/iscsi"
  static let core = "/sys/kernel/config/target/core"

  let simulator: SimulatedLIO
  let host: SimulatedHost
  let lio: Implementation
  let name: TargetName
  let initiator: ISCSIName

  init(without modules: Set<String> = [], ready: Bool = true) throws {
    simulator = SimulatedLIO(isReady: ready, without: modules)
    host = SimulatedHost(services: [simulator])
    host.addDirectory("/var/target/pr")
    for number in 1...4 { host.addFile(FilePath("/srv/disk\(number)"), size: 32 << 20) }
    host.addBlockDevice("/dev/sdb", size: 64 << 20, number: "8:16")
    lio = try Implementation(.lio, on: host)
    name = try TargetName("iqn.2011-12.com.example:disk1")
    initiator = try ISCSIName("iqn.1993-08.org.debian:01:web")
  }

  /// The whole state.
  func read() async throws -> LiveState {
    try await lio.read(ReadDetail(parameters: .all, shared: true, statistics: .all))
  }

  func unit(_ lun: Int, _ path: String) throws -> LogicalUnit {
    LogicalUnit(lun: try LUN(lun), backing: try Backing(path: path))
  }

  func account(_ user: String, _ secret: String = "secretsecret12") throws -> CHAPAccount {
    try CHAPAccount(user: CHAPUser(user), secret: Secret(secret.utf8))
  }

  /// A target with two logical units, an initiator, an account and a portal.
  func document() throws -> DesiredState {
    var spec = TargetSpec(name: name)
    spec.units = [try unit(0, "/srv/disk1"), try unit(7, "/srv/disk2")]
    spec.initiators = [.name(initiator)]
    spec.chap = CHAPSpec(incoming: [try account("jack")], outgoing: .some(nil))
    spec.portals = [try Portal("127.0.0.1:3260")]
    return DesiredState(targets: [spec])
  }

  /// What stands in a file of configfs, below `target`.
  func value(_ path: String) throws -> String {
    try host.text(FilePath("/sys/kernel/config/target/\(path)")).trimmed
  }

  /// The folder of the device that a LUN of the target shows, below `target`.
  func device(_ lun: Int) throws -> String {
    let folder = "\(Self.fabric)/\(name)/tpgt_1/lun/lun_\(lun)"
    let link = try #require(
      try host.list(FilePath(folder)).lazy.compactMap { try? host.readLink(FilePath("\(folder)/\($0)")) }
        .first)
    let parts = link.string.split(separator: "/").suffix(3)
    return parts.joined(separator: "/")
  }
}
