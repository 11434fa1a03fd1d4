import HostInterface

/// Which side proves itself with an account.
public enum CHAPDirection: String, Sendable, Hashable, CaseIterable {
  /// The initiator proves itself to the target.
  case incoming
  /// The target proves itself to the initiator (mutual CHAP).
  case outgoing
}

/// A CHAP name (RFC 7143 section 12.1.3): 1 to 255 bytes without blanks, commas and control characters.
public struct CHAPUser: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The name.
  public let description: String

  /// Checks a name.
  ///
  /// - Throws: ``Failure`` with code `invalid`.
  public init(_ text: String) throws {
    guard let user = CHAPUser(asFound: text) else {
      throw Failure(
        .invalid, "CHAP name \(ISCSIName.printable(text))",
        "must be of 1 to 255 bytes without blanks, commas, quotes, backslashes and control characters")
    }
    self = user
  }

  /// A name as an implementation shows it; nil when it is none that ``init(_:)`` takes.
  public init?(asFound text: some StringProtocol) {
    guard (1...255).contains(text.utf8.count), text.utf8.allSatisfy(isTokenByte) else { return nil }
    description = String(text)
  }

  /// Orders by the text.
  public static func < (left: CHAPUser, right: CHAPUser) -> Bool { left.description < right.description }
}

/// Bytes that no implementation's configuration or request reads as syntax.
private func isTokenByte(_ byte: UInt8) -> Bool {
  byte > 0x20 && byte < 0x7f && !",\"'\\".utf8.contains(byte)
}

/// One CHAP account; the secret is absent in what is read from an implementation that does not show it.
public struct CHAPAccount: Sendable, Hashable {
  /// The name.
  public var user: CHAPUser
  /// The secret, if it is known.
  public var secret: Secret?

  /// An account without a secret, as it is read.
  public init(user: CHAPUser) { self.user = user }

  /// An account with its secret.
  ///
  /// - Throws: ``Failure`` with code `invalid` when the secret is empty, over 255 bytes, or has a blank, comma or
  ///   control character.
  public init(user: CHAPUser, secret: Secret) throws {
    guard (1...255).contains(secret.count) else {
      throw Failure(.invalid, "secret of \(user)", "must be of 1 to 255 bytes, it has \(secret.count)")
    }
    guard secret.withBytes({ $0.allSatisfy(isTokenByte) }) else {
      throw Failure(
        .invalid, "secret of \(user)",
        "has a blank, comma, quote, backslash or control character, which targets read as syntax")
    }
    self.user = user
    self.secret = secret
  }

  /// What RFC 7143 section 9.2.1 advises against; nil when there is nothing.
  public var warning: String? {
    guard let secret, secret.count < 12 else { return nil }
    return
      "secret of \(user): is shorter than 12 bytes, which RFC 7143 section 9.2.1 allows only over IPsec; "
      + "some initiators refuse it"
  }
}

/// The accounts of a target, or of discovery.
public struct CHAPAccounts: Sendable, Hashable {
  /// Accounts by which initiators prove themselves; none means that no proof is asked.
  public var incoming: [CHAPAccount]
  /// The account by which the target proves itself.
  public var outgoing: CHAPAccount?

  /// Accounts; by default none.
  public init(incoming: [CHAPAccount] = [], outgoing: CHAPAccount? = nil) {
    self.incoming = incoming
    self.outgoing = outgoing
  }

  /// Whether there is no account at all.
  public var isEmpty: Bool { incoming.isEmpty && outgoing == nil }
}
