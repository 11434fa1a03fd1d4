import HostInterface
import Quartet
import STGTSimulator
import Simulation
import Synchronization
import SystemPackage
import TargetCore
import Testing

/// A daemon that says that all went well is believed only when reading back shows it.
struct ProofTests {
  private let name: TargetName
  private let unit: LogicalUnit

  init() throws {
    name = try TargetName("iqn.2011-12.com.example:disk1")
    unit = LogicalUnit(lun: try LUN(1), backing: try Backing(path: "/srv/disk1"))
  }

  private func machine(_ conduct: DoubtfulTgtd.Conduct) -> (SimulatedHost, DoubtfulTgtd) {
    let daemon = DoubtfulTgtd(conduct)
    let host = SimulatedHost(services: [daemon])
    host.install(program: "tgtadm")
    host.addFile("/srv/disk1", size: 64 << 20)
    return (host, daemon)
  }

  private func tgt(_ host: SimulatedHost) throws -> Implementation {
    try Implementation(ImplementationChoice.named("tgt"), on: host)
  }

  @Test func whatWasNotDoneIsNotTaken() async throws {
    let (host, daemon) = machine(.honest)
    try await tgt(host).perform([.createTarget(name, id: nil), .addUnit(name, unit), .allow(name, .all)])
    daemon.turn(.idle)
    var patch = LogicalUnit(lun: unit.lun, backing: .none)
    patch.serial = "0123"
    let account = try CHAPAccount(user: CHAPUser("jack"), secret: Secret("secretsecret".utf8))
    for change: Change in try [
      .createTarget(TargetName("iqn.2011-12.com.example:disk2"), id: nil), .deleteTarget(name, force: false),
      .disableTarget(name), .removeUnit(name, unit.lun, force: false), .setUnit(name, patch),
      .setParameter(name, .defaultTime2Wait, "7"), .setAttribute(name, "nop_interval", "7"),
      .deny(name, .all),
      .allow(name, Initiator("10.0.0.1")), .setAccount(name, .incoming, account, rewrite: false),
      .addPortal(nil, Portal("10.0.0.1")),
    ] {
      let failure = await #expect(throws: Failure.self) { try await tgt(host).perform([change]) }
      #expect(failure?.code == .notTaken, "\(change): \(failure as Any)")
      #expect(failure?.answer?.contains("\(change)") == true, "\(change): \(failure as Any)")
    }
  }

  /// Some take effect a moment later, which is waited for.
  @Test func whatIsDoneLaterIsWaitedFor() async throws {
    let (host, _) = machine(.late(.seconds(2)))
    try await tgt(host).perform([.createTarget(name, id: nil)])
    #expect(try await tgt(host).read().targets[name] != nil)
    #expect(host.now >= .seconds(2) && host.now < .seconds(5))
  }

  @Test func whatIsDoneTooLateIsNotTaken() async throws {
    let (host, _) = machine(.late(.seconds(60)))
    let start = host.now
    let failure = await #expect(throws: Failure.self) {
      try await tgt(host).perform([.createTarget(name, id: nil)])
    }
    #expect(failure?.code == .notTaken)
    #expect(host.now - start < .seconds(10), "it waits for \(host.now - start)")
  }

  @Test func anotherProgramThatUndoesItIsNoticed() async throws {
    let (host, daemon) = machine(.honest)
    try await tgt(host).perform([.createTarget(name, id: nil)])
    daemon.turn(.undoneByAnother)
    let failure = await #expect(throws: Failure.self) { try await tgt(host).perform([.allow(name, .all)]) }
    #expect(failure?.code == .notTaken && failure?.remedy?.contains("another program") == true)
  }
}

/// A tgtd that does not always do what it says.
private final class DoubtfulTgtd: SimulatedService {
  enum Conduct: Sendable, Equatable {
    case honest
    /// It answers every change with success, and does nothing.
    case idle
    /// It does what it said when so much time is over.
    case late(Duration)
    /// It does it, and somebody else takes access away again.
    case undoneByAnother
  }

  private let tgtd = SimulatedTgtd()
  private let conduct: Mutex<Conduct>

  init(_ conduct: Conduct) { self.conduct = Mutex(conduct) }

  func turn(_ conduct: Conduct) { self.conduct.withLock { $0 = conduct } }

  func attach(to host: SimulatedHost) { host.listen(at: tgtd.socketPath, for: self) }

  func exchange(_ request: [UInt8], at path: FilePath, on host: SimulatedHost) -> SimulatedReply {
    let success = SimulatedReply.bytes([0, 0, 0, 0, 8, 0, 0, 0])
    guard SimulatedTgtd.isChange(.exchange(path, request)) else {
      return tgtd.exchange(request, at: path, on: host)
    }
    switch conduct.withLock({ $0 }) {
    case .honest: return tgtd.exchange(request, at: path, on: host)
    case .idle: return success
    case .late(let delay):
      host.perform(after: delay) { [tgtd] host in _ = tgtd.exchange(request, at: path, on: host) }
      return success
    case .undoneByAnother:
      let reply = tgtd.exchange(request, at: path, on: host)
      var undoing = request
      // `enum tgtadm_op` stands in the second number of a request: 3 binds, 4 unbinds.
      undoing[4] = 4
      _ = tgtd.exchange(undoing, at: path, on: host)
      return reply
    }
  }
}
