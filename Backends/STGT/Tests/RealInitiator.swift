import HostInterface
import LinuxHost
import Quartet
import STGTBackend
import TargetCore
import Testing

/// The initiators of libiscsi and QEMU.
enum RealInitiator {
  /// Whether those of libiscsi and a tgtd are installed.
  static let isInstalled =
    RealTgtd.isInstalled
    && ["iscsi-inq", "iscsi-ls", "iscsi-readcapacity16", "iscsi-perf", "iscsi-test-cu"].allSatisfy {
      LocalHost().executable($0) != nil
    }
  /// What a skipped test says.
  static let reason: Comment =
    "tgtd or libiscsi's tools are not installed (Debian's packages tgt and libiscsi-bin)"

  /// The text of a shell that reads from a logical unit, and logs in again whenever its session is closed.
  static func busy(_ url: String, as name: String) -> String {
    "iscsi-perf -i \(name) -x -1 -n -m 1 '\(url)' >/dev/null 2>&1 </dev/null & read line; kill -9 $!; wait"
  }

  /// Runs one of the tools to its end.
  static func run(_ argv: String..., environment: [String: String] = [:]) async throws -> CommandResult {
    // Where a login is refused libiscsi tries again, and by itself never ends.
    try await LocalHost().run(
      argv, environment: environment.merging(["LIBISCSI_TCP_SYNCNT": "1"]) { $1 }, input: [],
      limit: .seconds(60))
  }

  /// Whether an initiator can log in to a logical unit and ask what it is.
  static func getsIn(_ url: String, as name: String = "iqn.1993-08.org.debian:01:tester") async throws -> Bool
  {
    let result = try await run("iscsi-inq", "-i", name, url)
    let output = String(decoding: result.output, as: UTF8.self)
    if result.status == 0 {
      try #require(output.contains("Peripheral Device Type"), "\(output)")
      return true
    }
    return false
  }

  /// What a tool prints about a logical unit; the test fails where it cannot.
  static func output(_ argv: String...) async throws -> String {
    let result = try await LocalHost().run(argv, environment: [:], input: [], limit: .seconds(60))
    let output = String(decoding: result.output, as: UTF8.self)
    try #require(result.status == 0, "\(argv): \(output)\(result.errors)")
    return output
  }
}

/// A real tgtd with a target that Quartet made.
struct Exported: Sendable {
  let tgtd: RealTgtd
  let name: TargetName

  /// A target without anything.
  init() async throws {
    tgtd = try await RealTgtd()
    name = try TargetName("iqn.2011-12.com.example:disk1")
    try await perform(.createTarget(name, id: nil))
  }

  /// A target for everyone, with one disk at lun 1.
  static func disk(bytes: UInt64 = 32 << 20, _ edit: (inout LogicalUnit) -> Void = { _ in }) async throws
    -> Exported
  {
    let exported = try await Exported()
    try await exported.addUnit(1, bytes: bytes, edit)
    try await exported.perform(.allow(exported.name, .all))
    return exported
  }

  /// Makes changes by Quartet.
  func perform(_ changes: Change...) async throws {
    try await tgtd.implementation().perform(changes)
  }

  /// Adds a logical unit on a file of its own, as the command line does.
  @discardableResult
  func addUnit(_ lun: Int, bytes: UInt64 = 32 << 20, _ edit: (inout LogicalUnit) -> Void = { _ in })
    async throws
    -> String
  {
    let path = try tgtd.backing("lun\(lun)", bytes: bytes)
    var unit = LogicalUnit(lun: try LUN(lun), backing: try Backing(path: path))
    edit(&unit)
    let implementation = try tgtd.implementation()
    unit = Reconciler(capabilities: implementation.backend.capabilities).completed(unit, of: name)
    try await implementation.perform([.addUnit(name, unit)])
    return path
  }

  func url(lun: Int = 1, _ account: String? = nil) -> String { tgtd.url(name, lun: lun, account: account) }

  /// The target as it is read.
  func target(statistics: Bool = false) async throws -> Target {
    let state = try await tgtd.implementation().read(
      ReadDetail(parameters: .all, shared: true, statistics: statistics ? .all : .none))
    return try #require(state.targets[name])
  }
}

/// An account with a secret of enough bytes.
func account(_ user: String, _ secret: String) throws -> CHAPAccount {
  try CHAPAccount(user: CHAPUser(user), secret: Secret(secret.utf8))
}
