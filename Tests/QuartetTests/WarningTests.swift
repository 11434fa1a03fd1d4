import HostInterface
import Quartet
import STGTSimulator
import Simulation
import TargetCore
import Testing

/// What is allowed and yet worth a word, and what is refused with a word on who could.
struct WarningTests {
  private let host = SimulatedHost(services: [SimulatedTgtd()])
  private let name: TargetName

  init() throws {
    name = try TargetName("iqn.2011-12.com.example:disk1")
    host.addFile("/srv/disk1", size: 64 << 20)
  }

  private var tgt: Implementation {
    get throws { try Implementation(ImplementationChoice.named("tgt"), on: host) }
  }

  private func account(_ user: String, _ secret: String) throws -> CHAPAccount {
    try CHAPAccount(user: CHAPUser(user), secret: Secret(secret.utf8))
  }

  @Test func aShortSecretIsWarnedOfAndTaken() async throws {
    let proposal = try await tgt.perform([
      .createTarget(name, id: nil), .setAccount(name, .incoming, account("jack", "short"), rewrite: false),
    ])
    #expect(proposal.warnings.contains { $0.contains("jack") && $0.contains("12 bytes") })
    #expect(!proposal.warnings.contains { $0.contains("short:") })
    #expect(try await tgt.read().targets[name]?.chap.incoming.map(\.user.description) == ["jack"])
    let long = try await tgt.perform([
      .setAccount(name, .incoming, account("jill", "long-enough1"), rewrite: false)
    ])
    #expect(long.warnings.isEmpty)
  }

  @Test func anAccountThatIsThereIsWarnedOf() async throws {
    let jack = try account("jack", "secret-of-jack")
    try await tgt.perform([.createTarget(name, id: nil), .setAccount(name, .incoming, jack, rewrite: false)])
    let again = try await tgt.perform([.setAccount(name, .incoming, jack, rewrite: false)])
    #expect(again.warnings.contains { $0.contains("jack") && $0.contains("keeps its secret") })
    #expect(again.plan.isEmpty)
    let anew = try await tgt.perform([.setAccount(name, .incoming, jack, rewrite: true)])
    #expect(anew.warnings.isEmpty && !anew.plan.isEmpty)
  }

  @Test func whatTheModelHasNoPlaceForIsSaid() async throws {
    try await tgt.perform([.createTarget(name, id: nil)])
    let made = try await host.run(
      ["tgtadm", "--mode", "target", "--op", "bind", "--tid", "1", "--initiator-address", "10.0.0.1/24"],
      environment: [:], input: [], limit: .seconds(1))
    #expect(made.status == 0)
    let proposal = try await tgt.perform([.allow(name, .all)])
    #expect(proposal.warnings.contains { $0.contains("10.0.0.1/24") })
  }

  @Test func aRefusalSaysAllThatCannotBeDone() async throws {
    var unit = LogicalUnit(lun: try LUN(1), backing: .path("/srv/disk1"))
    unit.serial = String(repeating: "x", count: 37)
    unit.attributes = ["emulate_tpu": "1"]
    let failure = await #expect(throws: Failure.self) {
      try await tgt.perform([
        .createTarget(name, id: nil), .addUnit(name, unit), .setAttribute(name, "demo_mode_discovery", "0"),
        .addPortal(name, Portal("10.0.0.1")),
      ])
    }
    let text = "\(failure as Any)"
    #expect(failure?.code == .unsupported)
    for part in [
      "serial of 37 bytes", "emulate_tpu", "demo_mode_discovery", "lio can", "portals of one target",
    ] {
      #expect(text.contains(part), "\(part) is not in: \(text)")
    }
    #expect(try await tgt.read().targets.isEmpty)
  }

  /// What nobody can do names nobody.
  @Test func aRefusalNamesNobodyWhereNobodyCan() async throws {
    let failure = await #expect(throws: Failure.self) {
      try await tgt.perform([.createTarget(name, id: nil), .setAttribute(name, "no_such_thing", "1")])
    }
    #expect(failure?.code == .unsupported)
    #expect(
      failure?.description.contains(" can,") == false && failure?.description.hasSuffix(" can") == false)
  }

  @Test func secretsAreInNoText() async throws {
    let jack = try account("jack", "secret-of-jack")
    let texts = Texts()
    var options = PerformOptions()
    options.announce = { proposal in
      texts.add("\(proposal)")
      texts.add(proposal.plan.steps.map(\.operation.display).joined())
    }
    options.observe = { texts.add("\($0)") }
    try await tgt.perform(
      [.createTarget(name, id: nil), .setAccount(name, .incoming, jack, rewrite: false)], options: options)
    #expect(texts.all.contains("jack") && !texts.all.contains("secret-of-jack"))
  }
}
