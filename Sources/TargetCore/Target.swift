import HostInterface

/// A session: one initiator's login to one target.
public struct Session: Sendable, Hashable {
  /// A connection of a session.
  public struct Connection: Sendable, Hashable {
    /// The connection id.
    public var id: UInt32
    /// The initiator's address, if it is told.
    public var address: IPAddress?

    /// A connection.
    public init(id: UInt32, address: IPAddress?) {
      self.id = id
      self.address = address
    }
  }

  /// The implementation's own identifier of the session, unique within the target.
  public var id: String
  /// The initiator's name.
  public var initiator: String
  /// Its connections.
  public var connections: [Connection]
  /// The implementation's counters, by its own names.
  public var statistics: [String: UInt64]

  /// A session.
  public init(id: String, initiator: String, connections: [Connection], statistics: [String: UInt64] = [:]) {
    self.id = id
    self.initiator = initiator
    self.connections = connections
    self.statistics = statistics
  }
}

/// A target as it is found.
public struct Target: Sendable, Hashable {
  /// Its name.
  public var name: TargetName
  /// The implementation's own number of it: tgt's and IET's tid, SCST's relative id.
  public var id: UInt32?
  /// Whether it takes part: commands and logins are served.
  public var enabled: Bool
  /// Whether it is as bare as a run leaves it that is killed while it makes a target; making it takes it over.
  public var isUnfinished: Bool
  /// Its portals; nil where portals belong to the whole implementation.
  public var portals: Set<Portal>?
  /// Who may log in.
  public var initiators: Set<Initiator>
  /// Who has an entry in the access list that lets nobody in as it is, such as one that a killed run left: allowing
  /// them finishes it, denying them removes it.
  public var unfinishedInitiators: Set<Initiator>
  /// Its CHAP accounts, without secrets where they are not shown, in the implementation's order.
  public var chap: CHAPAccounts
  /// Its session parameters; empty when they were not read.
  public var parameters: [SessionParameter: String]
  /// The implementation's own settings.
  public var attributes: [String: String]
  /// Its logical units.
  public var units: [LUN: LogicalUnit]
  /// Its sessions.
  public var sessions: [Session]

  /// A target without anything.
  public init(name: TargetName, id: UInt32? = nil, enabled: Bool = false) {
    self.name = name
    self.id = id
    self.enabled = enabled
    isUnfinished = false
    initiators = []
    unfinishedInitiators = []
    chap = CHAPAccounts()
    parameters = [:]
    attributes = [:]
    units = [:]
    sessions = []
  }
}

/// Everything an implementation has now.
public struct LiveState: Sendable, Hashable {
  /// The targets by name.
  public var targets: [TargetName: Target]
  /// Portals of the whole implementation, where they do not belong to targets.
  public var portals: Set<Portal>
  /// CHAP accounts of discovery.
  public var discovery: CHAPAccounts
  /// Accounts that the implementation keeps apart from the targets that use them.
  public var accounts: Set<CHAPUser>
  /// Ways to reach a backing that this installation offers, each with the flags it takes.
  public var stores: [String: Set<String>]
  /// What the implementation has that the model has no place for, each a sentence.
  public var remarks: [String]
  /// What the backend wants to find again when it plans, by its own keys.
  public var facts: [String: String]
  /// Whom later steps of the plan that is being made will let in.
  public var arriving: [TargetName: Set<Initiator>]

  /// An empty state.
  public init() {
    targets = [:]
    portals = []
    discovery = CHAPAccounts()
    accounts = []
    stores = [:]
    remarks = []
    facts = [:]
    arriving = [:]
  }
}
