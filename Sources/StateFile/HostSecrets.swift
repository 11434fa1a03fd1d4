import Glibc
import HostInterface
import SystemPackage

/// Finds secrets on a host: in files, among the credentials that systemd passed, behind a descriptor.
public struct HostSecrets: SecretResolver {
  /// A file of a secret is not larger than this, in bytes.
  private static let sizeLimit = 4096

  private let files: any HostFiles
  private let credentials: String?
  private let mode: @Sendable (String) -> UInt32?

  /// A resolver.
  ///
  /// - Parameters:
  ///   - files: The host whose files are read.
  ///   - credentials: The directory of credentials; by default what systemd passed in `CREDENTIALS_DIRECTORY`.
  ///   - mode: The permission bits of a file, nil when they cannot be told; by default what stat(2) says here.
  public init(
    files: any HostFiles, credentialsDirectory credentials: String? = Self.passedDirectory,
    mode: @escaping @Sendable (String) -> UInt32? = Self.mode(ofFileAt:)
  ) {
    self.files = files
    self.credentials = credentials
    self.mode = mode
  }

  /// Fetches a secret; one newline at its end is not part of it.
  ///
  /// - Throws: ``Failure`` as the host does; `invalid` for a name or number that is none, for something that is no
  ///   regular file or over 4096 bytes, `unavailable` without a directory of credentials, `timedOut` when a descriptor does not end within 10 s.
  public func secret(from source: SecretSource) throws -> FetchedSecret {
    switch source {
    case .file(let path): return FetchedSecret(try read(path), warning: warning(about: path))
    case .credential(let name):
      guard SecretSource.isCredential(name) else {
        throw Failure(
          .invalid, "credential", "has a name that is none",
          remedy: "give the name of a file in its directory")
      }
      guard let credentials, !credentials.isEmpty else {
        throw Failure(
          .unavailable, source.description, "cannot be read, CREDENTIALS_DIRECTORY is not set",
          remedy: "run it in a unit with LoadCredential=\(name):PATH (systemd.exec(5)), or use a file")
      }
      return FetchedSecret(try read(credentials + "/" + name))
    case .descriptor(let number):
      guard SecretSource.isDescriptor(number) else {
        throw Failure(
          .invalid, source.description, "is none to read from", remedy: "give 0 or a number from 3 on")
      }
      let bytes = try DescriptorReader(number).bytes(atMost: Self.sizeLimit, limit: .seconds(10))
      return FetchedSecret(Self.withoutNewline(bytes))
    }
  }

  private func read(_ path: String) throws -> Secret {
    let name = "file \(path)"
    guard let status = try files.status(FilePath(path)) else {
      throw Failure(.notFound, name, "does not exist", remedy: "write the secret into it, with mode 0600")
    }
    guard status.kind == .file else {
      throw Failure(
        .invalid, name, "is no regular file", remedy: "pass what is not a file as {descriptor: NUMBER}")
    }
    guard status.size <= Self.sizeLimit else {
      throw Failure(
        .invalid, name,
        "is too large for a secret (\(status.size) bytes), at most \(Self.sizeLimit) are allowed")
    }
    return Self.withoutNewline(try files.read(FilePath(path)))
  }

  private func warning(about path: String) -> String? {
    guard let mode = mode(path), mode & 0o077 != 0 else { return nil }
    return
      "file \(path) can be read or written by others than its owner (mode 0\(String(mode & 0o777, radix: 8)))"
      + "; chmod 600 \(shellQuoted(path))"
  }

  private static func withoutNewline(_ bytes: [UInt8]) -> Secret {
    Secret(bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes[...])
  }

  /// The directory of credentials that systemd passed; nil when it passed none.
  public static var passedDirectory: String? { getenv("CREDENTIALS_DIRECTORY").map { String(cString: $0) } }

  /// The permission bits of a file of this machine, links followed; nil when stat(2) fails.
  public static func mode(ofFileAt path: String) -> UInt32? {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & 0o7777 : nil
  }
}
