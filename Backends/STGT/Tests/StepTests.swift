import HostInterface
import SystemPackage
import TargetCore
import Testing

@testable import STGTBackend

/// The steps of every kind of change, as a dry run shows them; below each what would undo it.
///
/// `GOLDEN_UPDATE=1 swift test --filter StepTests` writes Fixtures/STGT/steps.txt anew.
@Suite struct StepTests {
  @Test func stepsAreThoseOfTheTable() throws {
    var text =
      "What each change to the state of SamplePlans.swift is planned as; what undoes a step stands below it.\n"
    for (change, steps) in try SamplePlans().plans() {
      text += "\n== \(change)\(change.details)\n"
      for step in steps {
        text += step.operation.display + "\n" + step.undo.map { "    \($0.display)\n" }.joined()
      }
    }
    #expect(!text.contains("secretsecret"), "a dry run shows a secret")
    try expectGolden(
      text,
      FilePath(#filePath).removingLastComponent().appending("../../../Fixtures/STGT/steps.txt")
        .lexicallyNormalized())
  }

  @Test func everyKindOfChangeIsInTheTable() throws {
    #expect(Set(try SamplePlans().changes.map(\.kind)) == Set(0...18))
  }

  @Test func whatWaitsForInitiatorsIsPatient() throws {
    for (change, steps) in try SamplePlans().plans() {
      for step in steps where step.operation.display.contains("--op delete") {
        let words = step.operation.display
        let isRemoval = words.contains("--mode logicalunit") || words.contains("--mode target")
        #expect((step.patience != nil) == isRemoval, "\(change): \(words)")
      }
    }
  }

  @Test func aChangeToWhatIsNotThereIsNotFound() throws {
    let sample = try SamplePlans()
    let nobody = try TargetName("iqn.2011-12.com.example:nobody")
    for change: Change in try [
      .deleteTarget(nobody, force: true), .addUnit(nobody, LogicalUnit(lun: LUN(1), backing: .none)),
      .removeUnit(sample.name, LUN(99), force: true),
      .clearAccount(sample.name, .incoming, CHAPUser("nobody")),
      .closeSession(sample.name, id: "99"), .enableTarget(nobody),
    ] {
      let failure = #expect(throws: Failure.self) {
        _ = try sample.backend.steps(for: change, in: sample.state)
      }
      #expect(failure?.code == .notFound, "\(change)")
    }
  }

  @Test func whatTgtdWouldMishandleIsRefused() throws {
    let sample = try SamplePlans()
    var unknown = LogicalUnit(lun: try LUN(3), backing: .path("/srv/a"))
    unknown.store = "rbd"
    let me = try CHAPAccount(user: CHAPUser("me"), secret: Secret("secretsecret".utf8))
    var alone = sample.state
    alone.discovery = CHAPAccounts()
    for (change, state) in [
      (Change.addUnit(sample.name, unknown), sample.state),
      (.setAccount(nil, .outgoing, me, rewrite: false), alone),
      (.clearAccount(nil, .incoming, try CHAPUser("joan")), sample.state),
    ] {
      let failure = #expect(throws: Failure.self) { _ = try sample.backend.steps(for: change, in: state) }
      #expect(failure?.code == .unsupported, "\(change)")
    }
  }

  @Test func anAccountWithoutASecretCannotBeMade() throws {
    let sample = try SamplePlans()
    let account = CHAPAccount(user: try CHAPUser("new"))
    let failure = #expect(throws: Failure.self) {
      _ = try sample.backend.steps(
        for: .setAccount(sample.name, .incoming, account, rewrite: false), in: sample.state)
    }
    #expect(failure?.code == .invalid)
  }
}

extension Change {
  /// A number for each kind of change.
  fileprivate var kind: Int {
    switch self {
    case .createTarget: 0
    case .deleteTarget: 1
    case .enableTarget: 2
    case .disableTarget: 3
    case .addUnit: 4
    case .replaceUnit: 5
    case .setUnit: 6
    case .resizeUnit: 7
    case .removeUnit: 8
    case .setParameter: 9
    case .setAttribute: 10
    case .allow: 11
    case .deny: 12
    case .setAccount(_, .incoming, _, _): 13
    case .setAccount(_, .outgoing, _, _): 14
    case .clearAccount: 15
    case .addPortal: 16
    case .removePortal: 17
    case .closeSession: 18
    }
  }

  /// What the description leaves out.
  fileprivate var details: String {
    switch self {
    case .deleteTarget(_, true), .removeUnit(_, _, true), .replaceUnit(_, _, true): ", by force"
    case .setAccount(_, _, _, true): ", rewriting it"
    default: ""
    }
  }
}
