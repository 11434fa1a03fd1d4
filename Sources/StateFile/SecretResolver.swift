import HostInterface

/// Where a state file says that a secret is.
public enum SecretSource: Sendable, Hashable, CustomStringConvertible {
  /// A file, by its absolute path.
  case file(String)
  /// A credential of the service manager: a file of this name in `$CREDENTIALS_DIRECTORY` (systemd.exec(5)).
  case credential(String)
  /// An open file descriptor, read to its end.
  case descriptor(Int32)

  /// Words for an error.
  public var description: String {
    switch self {
    case .file(let path): "file \(path)"
    case .credential(let name): "credential \(name)"
    case .descriptor(let number): "descriptor \(number)"
    }
  }

  /// Whether a number may be a descriptor to read from; 1 and 2 are what Quartet writes to.
  static func isDescriptor(_ number: Int32) -> Bool { number == 0 || (3...0xf_ffff).contains(number) }

  /// Whether a name is that of a file in a directory, and nothing else.
  static func isCredential(_ name: String) -> Bool {
    (1...255).contains(name.utf8.count) && name != "." && name != ".."
      && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") }
  }
}

/// A secret, and what should be said about where it was found.
public struct FetchedSecret: Sendable {
  /// The secret.
  public var secret: Secret
  /// Why its place is not a good one; nil when it is.
  public var warning: String?

  /// A secret that was found.
  public init(_ secret: Secret, warning: String? = nil) {
    self.secret = secret
    self.warning = warning
  }
}

/// Finds the secrets that a state file refers to.
public protocol SecretResolver: Sendable {
  /// Fetches a secret.
  ///
  /// - Throws: ``Failure`` that names the source and never the secret.
  func secret(from source: SecretSource) throws -> FetchedSecret
}
