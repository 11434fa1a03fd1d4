import HostInterface

/// One change to what an implementation exports; the closed set that every backend translates.
public enum Change: Sendable, Hashable {
  /// Makes a target that nobody may log in to yet; nil lets Quartet choose the number.
  case createTarget(TargetName, id: UInt32?)
  /// Removes a target with its logical units; with `force` also when initiators are logged in.
  case deleteTarget(TargetName, force: Bool)
  /// Lets a target take part.
  case enableTarget(TargetName)
  /// Takes a target out of service; it stays configured.
  case disableTarget(TargetName)
  /// Adds a logical unit.
  case addUnit(TargetName, LogicalUnit)
  /// Puts another logical unit at the same number; with `force` also when initiators are logged in.
  case replaceUnit(TargetName, LogicalUnit, force: Bool)
  /// Sets those settings of a logical unit that are not nil and can be set in place.
  case setUnit(TargetName, LogicalUnit)
  /// Makes a logical unit show the size that its backing has now, in bytes where it is known.
  case resizeUnit(TargetName, LUN, size: UInt64? = nil)
  /// Removes a logical unit; with `force` the target's connections are closed first.
  case removeUnit(TargetName, LUN, force: Bool)
  /// Sets a session parameter; sessions that exist keep what they negotiated.
  case setParameter(TargetName, SessionParameter, String)
  /// Sets one of the implementation's own settings of a target.
  case setAttribute(TargetName, String, String)
  /// Lets an initiator log in.
  case allow(TargetName, Initiator)
  /// Stops letting an initiator log in; sessions that exist stay.
  case deny(TargetName, Initiator)
  /// Adds a CHAP account to a target, or to discovery when the target is nil; with `rewrite` an account that is
  /// there gets the new secret, without it is taken as it is.
  case setAccount(TargetName?, CHAPDirection, CHAPAccount, rewrite: Bool)
  /// Removes a CHAP account from a target, or from discovery when the target is nil.
  case clearAccount(TargetName?, CHAPDirection, CHAPUser)
  /// Adds a portal to a target, or to the implementation when the target is nil.
  case addPortal(TargetName?, Portal)
  /// Removes a portal from a target, or from the implementation when the target is nil.
  case removePortal(TargetName?, Portal)
  /// Closes a session.
  case closeSession(TargetName, id: String)
}

extension Change {
  /// The target that is changed; nil for what belongs to the whole implementation.
  public var target: TargetName? {
    switch self {
    case .createTarget(let name, _), .deleteTarget(let name, _), .enableTarget(let name),
      .disableTarget(let name), .addUnit(let name, _), .replaceUnit(let name, _, _), .setUnit(let name, _),
      .resizeUnit(let name, _, _), .removeUnit(let name, _, _), .setParameter(let name, _, _),
      .setAttribute(let name, _, _), .allow(let name, _), .deny(let name, _), .closeSession(let name, _):
      name
    case .setAccount(let name, _, _, _), .clearAccount(let name, _, _), .addPortal(let name, _),
      .removePortal(let name, _):
      name
    }
  }

  /// The logical unit that is changed; nil for a change to the target itself.
  public var lun: LUN? {
    switch self {
    case .addUnit(_, let unit), .replaceUnit(_, let unit, _), .setUnit(_, let unit): unit.lun
    case .resizeUnit(_, let lun, _), .removeUnit(_, let lun, _): lun
    default: nil
    }
  }

  /// Whether something that exists is taken away.
  public var removes: Bool {
    switch self {
    case .deleteTarget, .removeUnit, .replaceUnit, .deny, .clearAccount, .removePortal, .closeSession: true
    default: false
    }
  }
}

extension Change: CustomStringConvertible {
  /// A short sentence without secrets, such as `add lun 1 of iqn.2011-12.com.example:disk1 (/srv/disk1)`.
  public var description: String {
    func place(_ name: TargetName?) -> String { name?.description ?? "the implementation" }
    switch self {
    case .createTarget(let name, _): return "create target \(name)"
    case .deleteTarget(let name, _): return "delete target \(name)"
    case .enableTarget(let name): return "enable target \(name)"
    case .disableTarget(let name): return "disable target \(name)"
    case .addUnit(let name, let unit): return "add lun \(unit.lun) of \(name) (\(unit.backing))"
    case .replaceUnit(let name, let unit, _): return "replace lun \(unit.lun) of \(name) (\(unit.backing))"
    case .setUnit(let name, let unit): return "set lun \(unit.lun) of \(name)"
    case .resizeUnit(let name, let lun, _): return "resize lun \(lun) of \(name)"
    case .removeUnit(let name, let lun, _): return "remove lun \(lun) of \(name)"
    case .setParameter(let name, let parameter, let value):
      return "set \(parameter.rawValue) of \(name) to \(value)"
    case .setAttribute(let name, let attribute, let value): return "set \(attribute) of \(name) to \(value)"
    case .allow(let name, let initiator): return "allow \(initiator) to log in to \(name)"
    case .deny(let name, let initiator): return "deny \(initiator) to log in to \(name)"
    case .setAccount(let name, let direction, let account, _):
      return "set \(direction.rawValue) CHAP account \(account.user) of \(name?.description ?? "discovery")"
    case .clearAccount(let name, let direction, let user):
      return "clear \(direction.rawValue) CHAP account \(user) of \(name?.description ?? "discovery")"
    case .addPortal(let name, let portal): return "add portal \(portal) to \(place(name))"
    case .removePortal(let name, let portal): return "remove portal \(portal) from \(place(name))"
    case .closeSession(let name, let id): return "close session \(id) of \(name)"
    }
  }
}
