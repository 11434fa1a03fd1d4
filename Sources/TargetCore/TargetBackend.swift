import HostInterface

/// Whether an implementation is there, and which.
public struct Probe: Sendable, Hashable {
  /// Whether its tools or kernel interface are installed.
  public var installed: Bool
  /// Whether it answers now.
  public var running: Bool
  /// Its version, as it calls itself.
  public var version: String?
  /// What is missing, or what was found.
  public var detail: String

  /// The outcome of a probe.
  public init(installed: Bool, running: Bool, version: String? = nil, detail: String) {
    self.installed = installed
    self.running = running
    self.version = version
    self.detail = detail
  }
}

/// How much of the state a read brings; every read brings the targets with their logical units, access lists,
/// accounts and sessions.
public struct ReadDetail: Sendable, Hashable {
  /// Some targets, or all.
  public enum Scope: Sendable, Hashable {
    case none
    case some(Set<TargetName>)
    case all

    /// Whether a target is in the scope.
    public func contains(_ name: TargetName) -> Bool {
      switch self {
      case .none: false
      case .some(let names): names.contains(name)
      case .all: true
      }
    }
  }

  /// Whose session parameters, attributes and single connections are read.
  public var parameters: Scope
  /// Whether what all targets share is read: portals, accounts, discovery, stores.
  public var shared: Bool
  /// Whose counters are read.
  public var statistics: Scope
  /// Whose logical units are read with their settings; of others it may be their numbers only.
  public var units: Scope

  /// What to read; by default no more than the targets.
  public init(
    parameters: Scope = .none, shared: Bool = false, statistics: Scope = .none, units: Scope = .all
  ) {
    self.units = units
    self.parameters = parameters
    self.shared = shared
    self.statistics = statistics
  }
}

/// One of Linux's iSCSI targets: two pure translators around its own interface.
///
/// ### Writing one
/// `read` asks the host for what the implementation has and puts it into the model; what the implementation does
/// not tell stays nil. `steps` says, for one change, what to do to the host, as data: it reads nothing, and it is
/// given a state in which the changes planned before are taken in. `judge` says what the implementation's answer
/// to such a step means. Choosing, checking, ordering, running, undoing and reading back are not its business.
public protocol TargetBackend: Sendable {
  /// What it can express.
  var capabilities: Capabilities { get }
  /// How many chains of one stage may run at once.
  var concurrency: Int { get }
  /// The same where logical units go.
  var removalConcurrency: Int { get }
  /// Whether the answer to an operation tells what became of it, as the error number of a write into configfs does;
  /// reading back then looks at what is there, and not at every setting again.
  var answersAreProof: Bool { get }
  /// The name of the lock that keeps its writers apart.
  var lockName: String { get }

  /// Finds out whether the implementation is installed and answers. Never throws: what is wrong stands in
  /// ``Probe/detail``.
  func probe(_ host: any Host) async -> Probe

  /// What makes an installed implementation answer: loading modules, starting daemons.
  func startSteps() -> [Step]

  /// Reads the state.
  ///
  /// - Throws: ``Failure`` with code `unavailable` when the implementation does not answer, `garbled` when its
  ///   answer is none that its interface allows.
  func read(_ host: any Host, detail: ReadDetail) async throws -> LiveState

  /// The steps of one change.
  ///
  /// - Parameters:
  ///   - change: A change that ``capabilities`` does not refuse, to objects that exist in `state` as it needs.
  ///   - state: The state in which the change will find the implementation.
  /// - Throws: ``Failure`` when the implementation would not do it, or would do harm.
  func steps(for change: Change, in state: LiveState) throws -> [Step]

  /// What is to be changed before a change is made, so that it is done side by side: the logical units that go with
  /// their target. The steps of the change are then asked for in a state without them.
  func prelude(to change: Change, in state: LiveState) -> [Change]

  /// What initiators see of a logical unit that has these settings; what depends on settings that are nil, and that the
  /// implementation does not choose by itself, is nil.
  func view(of unit: LogicalUnit) -> InitiatorView

  /// The unit with settings of the implementation's own, chosen so that initiators see a WWID, and may go on with
  /// writes that are durable by themselves; unchanged where that cannot be had.
  ///
  /// - Parameter givingUpSerial: Whether the serial number may be another one for that.
  func showing(_ view: InitiatorView, _ unit: LogicalUnit, givingUpSerial: Bool) -> LogicalUnit

  /// Reads the host's answer to an operation that ``steps(for:in:)`` or ``startSteps()`` made.
  func judge(_ operation: Operation, _ answer: Result<Answer, Failure>) -> Verdict
}

extension TargetBackend {
  /// As many as of other stages.
  public var removalConcurrency: Int { concurrency }
  /// Nothing.
  public func prelude(to change: Change, in state: LiveState) -> [Change] { [] }
}

/// What the registry says of an implementation.
public struct BackendDescriptor: Sendable {
  /// The name that users give: `iet`, `tgt`, `lio`, `scst`.
  public var name: String
  /// Other names that are accepted, such as `stgt` and `lio-t`.
  public var aliases: [String]
  /// One line on what it is.
  public var summary: String
  /// The settings that ``make`` takes, with what they mean.
  public var settings: [String: String]
  /// Its own configuration files by their names, such as `ietd.conf`.
  public var formats: [String: ConfigurationFormat]
  /// Makes the backend with settings by name.
  public var make: @Sendable ([String: String]) throws -> any TargetBackend

  /// Describes an implementation.
  public init(
    name: String, aliases: [String] = [], summary: String, settings: [String: String] = [:],
    formats: [String: ConfigurationFormat] = [:],
    make: @escaping @Sendable ([String: String]) throws -> any TargetBackend
  ) {
    self.name = name
    self.aliases = aliases
    self.summary = summary
    self.settings = settings
    self.formats = formats
    self.make = make
  }
}
