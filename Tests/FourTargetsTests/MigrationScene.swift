import HostInterface
import Quartet
import Simulation
import Synchronization
import SystemPackage
import TargetCore
import Testing

/// A target of one implementation that is to move to another.
struct MigrationScene {
  let machine: FourTargets
  let (from, to): (String, String)
  let spec: TargetSpec
  var options: Migration.Options

  static let web = "iqn.1993-08.org.debian:01:web"

  static func account(_ name: String) throws -> CHAPAccount {
    try CHAPAccount(user: CHAPUser(name), secret: Secret("secret-of-\(name)".utf8))
  }

  /// Makes the target at the source, with an initiator logged in.
  init(
    _ machine: FourTargets, _ from: String, _ to: String, backing: String = "/srv/disk1",
    _ change: (inout TargetSpec) throws -> Void = { _ in }
  ) async throws {
    (self.machine, self.from, self.to) = (machine, from, to)
    var spec = TargetSpec(name: try TargetName("iqn.2011-12.com.example:disk1"))
    var first = LogicalUnit(lun: try LUN(1), backing: try Backing(path: backing))
    (first.serial, first.scsiID) = ("c0ffee0123456789", "60a98000c0ffee01")
    var second = LogicalUnit(lun: try LUN(4), backing: try Backing(path: "/srv/disk2"))
    second.readOnly = true
    spec.units = [first, second]
    spec.initiators = [try Initiator(Self.web)]
    spec.chap = CHAPSpec(incoming: [try Self.account("jack")])
    try change(&spec)
    self.spec = spec
    let (source, destination) = (try machine.implementation(from), try machine.implementation(to))
    try await source.apply(DesiredState(targets: [spec]))
    options = Migration.Options()
    options.acceptsLosses = true
    options.supplement = DesiredState(targets: [spec])
    // Whose daemon keeps its port is not followed at the same one, and whose daemon has one has no other.
    if source.backend.capabilities.daemonListens { options.portals = [try Portal("192.0.2.1:3261")] }
    if destination.backend.capabilities.daemonListens { options.portals = [try Portal("192.0.2.1:3260")] }
  }

  /// - Parameter host: What the two are driven through.
  func migration(_ options: Migration.Options? = nil, on host: (any Host)? = nil) throws -> Migration {
    try Migration(
      from: machine.implementation(from, on: host), to: machine.implementation(to, on: host),
      options: options ?? self.options)
  }

  /// Whether the target lets its initiator in and shows it something to write to.
  func serves(_ state: LiveState) -> Bool {
    guard let target = state.targets[spec.name] else { return false }
    return target.enabled && !target.initiators.isEmpty && !target.units.isEmpty
  }

  /// Expects that what initiators see is as before, or that a difference was told.
  func expectSeen(_ old: LogicalUnit, _ now: LogicalUnit, _ report: Migration.Report) throws {
    let (source, destination) = (try machine.implementation(from), try machine.implementation(to))
    let wanted = spec.units?.first { $0.lun == old.lun }
    let found = now
    var (old, now) = (old, now)
    for field in UnitField.allCases {
      if old[field] == nil { old[field] = wanted?[field] }
      if now[field] == nil { now[field] = wanted?[field] }
    }
    let differences = source.backend.view(of: old).differences(from: destination.backend.view(of: now))
    for difference in differences {
      // What the destination does not tell was at least said to it.
      let isUntold = UnitField(rawValue: difference.name).map { found[$0] == nil } ?? false
      let said = report.parts.flatMap(\.plan.steps).map(\.operation.display)
      if isUntold, said.contains(where: { $0.contains("=\(difference.mine)") }) { continue }
      #expect(
        report.losses.contains { $0.contains(difference.name) && $0.contains("lun \(old.lun) ") },
        "\(difference) is not told: \(report.losses)")
    }
  }

  /// Whether the initiator can log in.
  func logsIn(at name: String) async throws -> Bool {
    let (target, secret) = ("\(spec.name)", "secret-of-jack")
    do {
      switch name {
      case "iet":
        try machine.iet.logIn(
          Self.web, to: target, at: "192.0.2.1", account: .init(user: "jack", secret: secret),
          on: machine.host)
      case "tgt":
        try machine.tgt.logIn(initiator: Self.web, address: "192.0.2.9", target: target)
      case "lio": try machine.lio.logIn(Self.web, to: target, user: "jack", secret: secret)
      default:
        try machine.scst.logIn(
          Self.web, to: target, portal: "192.0.2.1", account: (name: "jack", secret: secret))
      }
      return true
    } catch {
      return false
    }
  }
}

extension MigrationScene {
  /// How many steps the migration has, from a run on a machine of its own.
  func stepCount() async throws -> Int {
    let report = try await MigrationScene(FourTargets(), from, to).migration().run()
    return report.parts.flatMap(\.plan.steps).count
  }

  /// Runs the migration and cancels it when it begins its step of this number; what it throws.
  func cancelled(atStep number: Int) async -> (any Error)? {
    let canceller = Canceller()
    var options = options
    options.perform.observe = { event in
      if case .starting = event { canceller.count(to: number) }
    }
    let chosen = options
    let task = Task { try await migration(chosen).run() }
    canceller.take { task.cancel() }
    do {
      _ = try await task.value
      return nil
    } catch {
      return error
    }
  }
}

/// Cancels a task at a step.
private final class Canceller: Sendable {
  private let state = Mutex<(count: Int, isDue: Bool, cancel: (@Sendable () -> Void)?)>((0, false, nil))

  func take(_ cancel: @escaping @Sendable () -> Void) {
    let isDue = state.withLock { state in
      state.cancel = cancel
      return state.isDue
    }
    if isDue { cancel() }
  }

  func count(to number: Int) {
    let cancel = state.withLock { state -> (@Sendable () -> Void)? in
      state.count += 1
      guard state.count == number else { return nil }
      state.isDue = true
      return state.cancel
    }
    cancel?()
  }
}
