import HostInterface
import Quartet
import STGTBackend
import STGTSimulator
import Simulation
import SystemPackage
import TargetCore
import Testing

/// A tgtd whose socket speaks another version: everything goes by its tgtadm, and no secret does.
@Suite struct FallbackTests {
  private let hidden = SimulatedTgtd(socket: "/run/hidden/socket")
  private let host: SimulatedHost
  private let name: TargetName

  init() throws {
    name = try TargetName("iqn.2011-12.com.example:disk1")
    host = SimulatedHost(services: [StrangeTgtd(tgtd: hidden), hidden])
    host.addFile("/srv/disk1", size: 64 << 20)
  }

  private func implementation() throws -> Implementation { try Implementation(.stgt, on: host) }

  @Test func changesGoByTgtadm() async throws {
    let unit = LogicalUnit(lun: try LUN(1), backing: try Backing(path: "/srv/disk1"))
    let proposal = try await implementation().perform([
      .createTarget(name, id: nil), .addUnit(name, unit), .allow(name, .all),
    ])
    #expect(proposal.warnings.contains { $0.contains("unknown version") })
    let isByCommand = proposal.plan.steps.allSatisfy { step in
      guard case .run(let command) = step.operation else { return false }
      return command.argv.first?.display == "tgtadm"
    }
    #expect(isByCommand)
    let target = try #require(try await implementation().read().targets[name])
    #expect(target.initiators == [.all] && target.units[unit.lun]?.backing == unit.backing)
    try await implementation().perform([.deleteTarget(name, force: false)])
    #expect(try await implementation().read().targets.isEmpty)
  }

  @Test func noSecretIsOnACommandLine() async throws {
    let account = try CHAPAccount(user: CHAPUser("jack"), secret: Secret("secretsecret".utf8))
    try await implementation().perform([.createTarget(name, id: nil)])
    let before = try await implementation().read(ReadDetail(shared: true))
    let failure = await #expect(throws: Failure.self) {
      try await implementation().perform([
        .allow(name, .all), .setAccount(name, .incoming, account, rewrite: false),
      ])
    }
    #expect(failure?.code == .unsupported)
    #expect(failure.map { "\($0)".contains("secretsecret") } == false)
    #expect(try await implementation().read(ReadDetail(shared: true)) == before)
  }

  @Test func anAccountThatIsThereCanBeBound() async throws {
    let socket = ["TGT_IPC_SOCKET": "/run/hidden/socket"]
    let made = try await host.run(
      ["tgtadm", "--mode", "account", "--op", "new", "--user", "jack", "--password", "secretsecret"],
      environment: socket, input: [], limit: .seconds(1))
    #expect(made.status == 0)
    let user = CHAPAccount(user: try CHAPUser("jack"))
    try await implementation().perform([
      .createTarget(name, id: nil), .setAccount(name, .outgoing, user, rewrite: false),
    ])
    #expect(try await implementation().read().targets[name]?.chap.outgoing == user)
  }

  @Test func withoutTgtadmItIsGarbled() async throws {
    host.remove("/usr/sbin/tgtadm")
    let failure = await #expect(throws: Failure.self) { _ = try await implementation().read() }
    #expect(failure?.code == .garbled)
  }

  @Test func whereTgtadmFailsTooTheSocketIsToBlame() async throws {
    hidden.die(on: host)
    let failure = await #expect(throws: Failure.self) { _ = try await implementation().read() }
    #expect(failure?.code == .garbled)
  }
}

/// Answers with noise at the usual socket; its tgtadm speaks to another.
private struct StrangeTgtd: SimulatedService {
  let tgtd: SimulatedTgtd

  var programs: [String] { ["tgtadm"] }

  func attach(to host: SimulatedHost) { host.listen(at: "/var/run/tgtd/socket.0", for: self) }

  func exchange(_ request: [UInt8], at path: FilePath, on host: SimulatedHost) -> SimulatedReply {
    .bytes([0xff, 0xff, 0xff, 0xff, 12, 0, 0, 0, 1, 2, 3, 4])
  }

  func run(_ invocation: SimulatedInvocation, on host: SimulatedHost) -> SimulatedOutcome? {
    var invocation = invocation
    invocation.environment["TGT_IPC_SOCKET"] = "/run/hidden/socket"
    return tgtd.run(invocation, on: host)
  }
}
