import HostInterface
import LinuxHost
import Quartet
import SystemPackage
import TargetCore
import Testing

/// A target that Quartet makes in a guest, and the guest's own initiator beside it.
struct Exported {
  /// The implementations that a guest has.
  enum Kind: String, CaseIterable, CustomTestStringConvertible {
    case lio, tgt

    var testDescription: String { rawValue }
    /// Where each listens: both are there at once.
    var portal: String { self == .lio ? "127.0.0.1:3260" : "127.0.0.1:3261" }
  }

  static let initiator = OpenISCSI.name

  let kind: Kind
  let implementation: Implementation
  let name: TargetName
  let initiator: OpenISCSI
  private let host = LocalHost()

  /// Starts the implementation, and removes what a test before left.
  init(_ kind: Kind) async throws {
    self.kind = kind
    let settings = kind == .tgt ? ["portals": kind.portal] : [:]
    implementation = try Implementation(
      ImplementationChoice.named(kind.rawValue), settings: settings, on: host)
    name = try TargetName("iqn.2011-12.com.example:disk1")
    initiator = try await OpenISCSI(name, at: kind.portal)
    try await OpenISCSI.forgetAll()
    _ = try await implementation.start()
    let left = try await implementation.read(ReadDetail(shared: true))
    for target in left.targets.keys {
      try await implementation.perform([.deleteTarget(target, force: true)])
    }
    for account in left.discovery.incoming {
      try await implementation.perform([.clearAccount(nil, .incoming, account.user)])
    }
    try await shell("rm -rf /run/disks && mkdir -p /run/disks /run/mounted")
  }

  /// Gives a backing file this many MiB, making it if it is not there.
  @discardableResult
  func backing(_ name: String, mebibytes: Int) async throws -> String {
    try await shell("truncate -s \(mebibytes)M /run/disks/\(name); echo /run/disks/\(name)")
  }

  /// A logical unit of 16 MiB on a file of its own.
  func unit(_ lun: Int, _ edit: (inout LogicalUnit) -> Void = { _ in }) async throws -> LogicalUnit {
    var unit = LogicalUnit(
      lun: try LUN(lun), backing: try Backing(path: try await backing("lun\(lun)", mebibytes: 16)))
    edit(&unit)
    return unit
  }

  /// Makes the target what a document says that names its logical units; by default the guest may log in.
  func apply(_ units: [LogicalUnit], _ edit: (inout TargetSpec) throws -> Void = { _ in }) async throws {
    var spec = TargetSpec(name: name)
    if kind == .lio { spec.portals = [try Portal(kind.portal)] }
    spec.initiators = [try Initiator(Self.initiator)]
    spec.units = units
    try edit(&spec)
    try await implementation.apply(DesiredState(targets: [spec]))
  }

  /// Makes changes by Quartet.
  func perform(_ changes: Change...) async throws { try await implementation.perform(changes) }

  /// The target as it is read, with all that is told of its logical units.
  func target() async throws -> Target {
    try #require(try await implementation.read(ReadDetail(parameters: .all)).targets[name])
  }

  /// Logs in, which must not fail.
  func logIn(_ settings: [String: String] = [:]) async throws {
    let status = try await initiator.logIn(settings)
    try #require(status == 0, "\((try? host.text("/run/iscsid.log")) ?? "no log")")
  }

  /// Logs out and removes the target, which nobody uses then.
  func end() async throws {
    if try initiator.state() != nil { try await initiator.logOut() }
    try await perform(.deleteTarget(name, force: false))
  }
}
