/// What should be exported: the content of a state file.
///
/// What is nil is left as it is; a list that is named is whole.
public struct DesiredState: Sendable, Hashable {
  /// The targets; live targets that are not among them are left alone unless pruning is asked for.
  public var targets: [TargetSpec]
  /// CHAP accounts of discovery.
  public var discovery: CHAPSpec?

  /// A desired state.
  public init(targets: [TargetSpec] = [], discovery: CHAPSpec? = nil) {
    self.targets = targets
    self.discovery = discovery
  }
}

/// Wanted CHAP accounts.
public struct CHAPSpec: Sendable, Hashable {
  /// The whole list of accounts by which initiators prove themselves; nil leaves it alone.
  public var incoming: [CHAPAccount]?
  /// The account by which the target proves itself: outer nil leaves it alone, inner nil removes it.
  public var outgoing: CHAPAccount??

  /// Wanted accounts.
  public init(incoming: [CHAPAccount]? = nil, outgoing: CHAPAccount?? = nil) {
    self.incoming = incoming
    self.outgoing = outgoing
  }
}

/// A target as it should be.
public struct TargetSpec: Sendable, Hashable {
  /// Its name.
  public var name: TargetName
  /// The implementation that should export it; nil leaves the choice to the caller.
  public var implementation: String?
  /// The number it should have, where the implementation numbers targets.
  public var id: UInt32?
  /// Whether it should be in service; a new target is, unless this is false.
  public var enabled: Bool?
  /// The whole list of portals.
  public var portals: [Portal]?
  /// The whole list of who may log in; a new target without it lets nobody in.
  public var initiators: [Initiator]?
  /// The CHAP accounts.
  public var chap: CHAPSpec?
  /// Session parameters.
  public var parameters: [SessionParameter: String]
  /// The implementation's own settings.
  public var attributes: [String: String]
  /// The whole list of logical units.
  public var units: [LogicalUnit]?

  /// A target of which only the name is said.
  public init(name: TargetName) {
    self.name = name
    parameters = [:]
    attributes = [:]
  }
}
