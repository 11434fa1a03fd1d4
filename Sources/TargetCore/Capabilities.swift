import HostInterface

/// What an implementation can express.
public struct Capabilities: Sendable {
  /// The kinds of ``Initiator``.
  public enum InitiatorKind: String, Sendable, Hashable, CaseIterable {
    case all, name, address, network
    /// A name that stands for all that match it.
    case pattern
  }

  /// Whom portals belong to.
  public enum PortalScope: Sendable, Hashable {
    /// Each target has its own.
    case target
    /// All targets share them.
    case implementation
  }

  /// What it calls every address of the machine.
  public enum Wildcards: Sendable, Hashable {
    /// 0.0.0.0 stands for IPv4, :: for IPv6.
    case apart
    /// 0.0.0.0 stands for both.
    case inIPv4
    /// :: stands for both, 0.0.0.0 for IPv4.
    case inIPv6
  }

  /// The logical unit numbers it takes.
  public var luns: ClosedRange<Int>
  /// The numbers it gives to targets; nil when targets have none.
  public var targetIDs: ClosedRange<UInt32>?
  /// Who can be let in.
  public var initiatorKinds: Set<InitiatorKind>
  /// Whether a logical unit can be shown to some initiators only.
  public var unitInitiators: Bool
  /// The session parameters it has, with the values that it takes.
  public var parameters: [SessionParameter: SessionParameter.Domain]
  /// What it does instead, for parameters that it does not have.
  public var parameterNotes: [SessionParameter: String]
  /// What it reads back for a value that it takes, where that differs.
  public var parameterReadsAs: [SessionParameter: [String: String]]
  /// Whether the target can prove itself to initiators.
  public var mutualCHAP: Bool
  /// Whether discovery can ask for CHAP.
  public var discoveryCHAP: Bool
  /// How many accounts may prove initiators to one target; nil when there is no limit.
  public var incomingAccountLimit: Int?
  /// Whether one CHAP name has one secret for all targets.
  public var sharedAccounts: Bool
  /// Whom portals belong to.
  public var portalScope: PortalScope
  /// What stands for every address.
  public var wildcards: Wildcards
  /// Whether one daemon listens for all targets, at addresses that it keeps for as long as it runs; else each portal is a
  /// socket of its own, which comes and goes with it.
  public var daemonListens: Bool
  /// Whether it speaks iSER.
  public var iser: Bool
  /// The settings of logical units that it has, each with its longest value in bytes.
  public var unitFields: [UnitField: Int]
  /// The store that a logical unit gets by the kind of its backing when none is named.
  public var storesByKind: [FileStatus.Kind: String]
  /// The store that a logical unit of a kind of device gets, whatever its backing is.
  public var storesByType: [DeviceType: String]
  /// Stores that hold a block device alone, so that nothing else that does so can open it.
  public var exclusiveStores: Set<String>
  /// Stores that look at no file, so that their path is only a name.
  public var unbackedStores: Set<String>
  /// Whether a logical unit can be made to show that its backing has grown.
  public var resizesUnits: Bool
  /// The settings that only a new logical unit can be given.
  public var fixedUnitFields: Set<UnitField>
  /// The kinds of device that it emulates.
  public var deviceTypes: Set<DeviceType>
  /// The logical block sizes that it takes, in bytes.
  public var blockSizes: Set<UInt32>
  /// Its own settings of targets.
  public var targetAttributes: Set<String>
  /// Its own settings of logical units.
  public var unitAttributes: Set<String>
  /// What its own settings are when nobody set them, as far as that is known; an empty set stands for whatever it is,
  /// where that follows from something else.
  public var attributeDefaults: [String: Set<String>]
  /// Characters that its interface reads as syntax, so that no backing path and no text of a logical unit may
  /// have them.
  public var reservedCharacters: Set<Character>
  /// Further characters that no backing path may have.
  public var reservedPathCharacters: Set<Character>
  /// Attributes of logical units that only a new one can be given.
  public var fixedUnitAttributes: Set<String>
  /// What becomes of a target that has logical units and none with the number 0, where that matters.
  public var withoutUnitZero: String?
  /// Whether a new target takes part at once, closed only by its empty access list.
  public var newTargetsAreEnabled: Bool

  /// Capabilities of nothing; a backend sets what it has.
  public init(luns: ClosedRange<Int>) {
    self.luns = luns
    targetIDs = nil
    initiatorKinds = []
    unitInitiators = false
    parameters = [:]
    parameterNotes = [:]
    parameterReadsAs = [:]
    mutualCHAP = false
    discoveryCHAP = false
    incomingAccountLimit = nil
    sharedAccounts = false
    portalScope = .target
    wildcards = .apart
    daemonListens = false
    iser = false
    unitFields = [:]
    storesByKind = [:]
    storesByType = [:]
    exclusiveStores = []
    unbackedStores = []
    resizesUnits = true
    fixedUnitFields = []
    deviceTypes = [.disk]
    blockSizes = [512]
    targetAttributes = []
    unitAttributes = []
    attributeDefaults = [:]
    reservedCharacters = []
    reservedPathCharacters = []
    fixedUnitAttributes = []
    withoutUnitZero = nil
    newTargetsAreEnabled = false
  }
}

extension Initiator {
  /// What kind of rule this is.
  public var kind: Capabilities.InitiatorKind {
    switch self {
    case .all: .all
    case .name(let name): name.isPattern ? .pattern : .name
    case .address: .address
    case .network: .network
    }
  }
}
