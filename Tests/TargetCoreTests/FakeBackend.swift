import HostInterface
import Synchronization
import TargetCore

/// A backend that makes one step of every change, and remembers what it was asked.
struct FakeBackend: TargetBackend {
  /// What was asked, in order.
  final class Log: Sendable {
    private let entries = Mutex<[Change]>([])
    var changes: [Change] { entries.withLock { $0 } }
    func append(_ change: Change) { entries.withLock { $0.append(change) } }
    /// Whom the plan will let in, as it was said with the last change.
    let arriving = Mutex<[TargetName: Set<Initiator>]>([:])
  }

  var capabilities = Capabilities.ofEverything
  var log = Log()
  let concurrency = 4
  let lockName = "fake"
  let answersAreProof = false

  func probe(_ host: any Host) async -> Probe { Probe(installed: true, running: true, detail: "fake") }
  func startSteps() -> [Step] { [] }
  func read(_ host: any Host, detail: ReadDetail) async throws -> LiveState { LiveState() }
  func view(of unit: LogicalUnit) -> InitiatorView { InitiatorView() }
  func showing(_ view: InitiatorView, _ unit: LogicalUnit, givingUpSerial: Bool) -> LogicalUnit { unit }
  func judge(_ operation: Operation, _ answer: Result<Answer, Failure>) -> Verdict { .done }

  func steps(for change: Change, in state: LiveState) throws -> [Step] {
    log.append(change)
    log.arriving.withLock { $0 = state.arriving }
    return [Step(.removeFile(path: "/fake"), reason: change.description)]
  }
}

extension Capabilities {
  /// An implementation that can do all that the model can say.
  static var ofEverything: Capabilities {
    var all = Capabilities(luns: 0...16383)
    all.targetIDs = 1...65535
    all.initiatorKinds = Set(InitiatorKind.allCases)
    all.unitInitiators = true
    for parameter in SessionParameter.allCases { all.parameters[parameter] = parameter.domain }
    all.mutualCHAP = true
    all.discoveryCHAP = true
    all.iser = true
    for field in UnitField.allCases { all.unitFields[field] = 255 }
    all.fixedUnitFields = [.blockSize, .deviceType]
    all.deviceTypes = Set(DeviceType.allCases)
    all.blockSizes = [512, 4096]
    all.targetAttributes = ["mode"]
    all.unitAttributes = ["flags"]
    return all
  }
}

let alpha = "iqn.2011-12.com.example:alpha"
let beta = "iqn.2011-12.com.example:beta"

func unit(_ lun: Int, _ path: String = "/disk", _ set: (inout LogicalUnit) -> Void = { _ in }) throws
  -> LogicalUnit
{
  var unit = LogicalUnit(lun: try LUN(lun), backing: try Backing(path: path))
  set(&unit)
  return unit
}

func spec(_ name: String, _ set: (inout TargetSpec) throws -> Void = { _ in }) throws -> TargetSpec {
  var spec = TargetSpec(name: try TargetName(name))
  try set(&spec)
  return spec
}

func account(_ user: String, _ secret: String = "123456789012") throws -> CHAPAccount {
  try CHAPAccount(user: CHAPUser(user), secret: Secret(secret.utf8))
}

/// A live state of one target, alpha.
func live(_ set: (inout Target) throws -> Void = { _ in }) throws -> LiveState {
  var state = LiveState()
  var target = Target(name: try TargetName(alpha), id: 1, enabled: true)
  target.portals = []
  try set(&target)
  state.targets[target.name] = target
  return state
}

/// What is live after changes, as a plan has it: in the order of its phases.
func applied(_ changes: [Change], to live: LiveState, _ capabilities: Capabilities) throws -> LiveState {
  let backend = FakeBackend(capabilities: capabilities)
  _ = try Planner(backend: backend).plan(changes, from: live)
  var state = live
  for change in backend.log.changes { state.apply(change) }
  return state
}

/// The changes as sentences, which are easier to compare and to read.
func sentences(
  _ specs: [TargetSpec], from live: LiveState, discovery: CHAPSpec? = nil,
  _ options: Reconciler.Options = Reconciler.Options(), _ set: (inout Capabilities) -> Void = { _ in }
) throws -> [String] {
  var capabilities = Capabilities.ofEverything
  set(&capabilities)
  let desired = DesiredState(targets: specs, discovery: discovery)
  let reconciler = Reconciler(capabilities: capabilities, options: options)
  return try reconciler.changes(to: desired, from: live).map(\.description)
}
