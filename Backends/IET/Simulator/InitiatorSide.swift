import HostInterface

/// Why a login is refused.
public enum LoginRefusal: Error, Sendable, Hashable {
  /// Nobody listens.
  case noDaemon
  /// Not there, or not for this initiator, or not at this address: IET does not tell which.
  case notFound
  /// Too many sessions.
  case tooMany
  /// The account is not right, or none was named although one is needed.
  case unauthorized
}

/// A CHAP account that an initiator proves itself with.
public struct InitiatorAccount: Sendable, Hashable {
  /// The name.
  public var user: String
  /// The secret.
  public var secret: String

  /// An account.
  public init(user: String, secret: String) {
    self.user = user
    self.secret = secret
  }
}

/// The initiators on the simulated machine itself, which log in over its own addresses, as open-iscsi does.
struct InitiatorSide {
  /// A login that is to be kept up: the initiator comes back when its connection is closed.
  struct Login {
    var initiator: String
    var target: String
    /// Where the target is reached.
    var portal: String
    var account: InitiatorAccount?
    /// The number of open-iscsi's, which is in the session identifier.
    var number: UInt16
    var wantsDigests: Bool
    var comesBack: Bool
    var sid: UInt64?
  }

  var logins: [Login] = []
  /// How often anyone logged in.
  var count: UInt16 = 0
  /// The accounts of open-iscsi's interfaces; "discovery" is that of discovery.
  var accounts: [String: InitiatorAccount] = [:]
  /// The initiators' names by open-iscsi's interfaces.
  var interfaces = ["default": "iqn.2026-11.com.example:host1", "second": "iqn.2026-11.com.example:host2"]
  /// The machine's addresses in the order of its interfaces.
  var addresses: [String] = ["127.0.0.1", "::1"]
}
