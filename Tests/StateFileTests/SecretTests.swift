import Glibc
import HostInterface
import StateFile
import SystemPackage
import TargetCore
import Testing

/// A document with one incoming account, whose secret is written as given; it stands in line 3.
private func account(_ secret: String, user: String = "jack") -> String {
  "quartet: 1\ndiscovery:\n  incoming: [{user: \(user), secret: \(secret)}]\n"
}

@Suite struct SecretTests {
  @Test(arguments: [
    ("canary-secret-1234", "3:35", "must not stand in the state file; put it into a file of mode 0600"),
    ("[canary-secret-1234]", "3:35", "must not stand in the state file"),
    ("{}", "3:35", "must have one of the keys file, credential, descriptor"),
    ("{file: /a, descriptor: 3}", "3:35", "must have one of the keys"),
    ("{canary-secret-1234}", "3:36", "has a key that is not known"),
    ("{flie: /etc/canary-secret-1234}", "3:36", "did you mean file?"),
    ("{file: canary-secret-1234}", "3:42", "no absolute path"),
    ("{file: [canary-secret-1234]}", "3:42", "has a list as its file"),
    ("{credential: ../canary-secret-1234}", "3:48", "no valid name of a credential"),
    ("{credential: ..}", "3:48", "no valid name of a credential"),
    ("{descriptor: canary-secret-1234}", "3:48", "no valid descriptor"),
    ("{descriptor: 1}", "3:48", "no valid descriptor"),
    ("{descriptor: -1}", "3:48", "no valid descriptor"),
    ("{file: /etc/missing.secret}", "3:42", "secret of jack: file /etc/missing.secret: does not exist"),
    ("{file: /etc/blank.secret}", "3:35", "secret of jack: has a blank"),
    ("&canary-secret-1234 {}", "3:35", "must have one of the keys"),
    ("*canary-secret-1234", "3:35", "alias whose anchor"),
    ("{file: /a}, canary-secret-1234", "3:47", "has a key that is not known"),
    ("{file: /a}, canary-secret-1234, canary-secret-1234", "3:67", "has a key twice"),
    ("! canary-secret-1234", "3:35", "must not stand in the state file"),
    ("!canary-secret-1234 {}", "3:35", "has a tag"),
    ("!!canary-secret-1234 {}", "3:35", "has a tag"),
    ("\"canary-secret-1234", "4:1", "unexpected end of stream"),
    ("@canary-secret-1234", "3:35", "cannot start any token"),
    ("canary-secret-1234: : 3", "3:53", "is no YAML"),
  ])
  func whatIsWrongIsSaidWithoutTheSecret(secret: String, place: String, part: String) {
    let found = complaints(account(secret))
    #expect(found.contains { $0.hasPrefix("state.yaml:\(place): ") && $0.contains(part) }, "\(found)")
    let leaks = found.filter { $0.contains("canary-secret-1234") && !$0.contains("/etc/canary-secret-1234") }
    #expect(leaks.isEmpty)
  }

  @Test func weakPlacesAndSecretsAreWarnedOf() throws {
    let text =
      account("{file: /etc/short.secret}") + "  outgoing: {user: me, secret: {file: /etc/open.secret}}\n"
    let parsed = try StateFile.parse(text, named: "state.yaml", secrets: KnownSecrets())
    #expect(
      parsed.warnings.map { String($0.prefix(70)) }
        == [
          "state.yaml:3:35: secret of jack: is shorter than 12 bytes, which RFC 714",
          "state.yaml:4:39: secret of me: file /etc/open.secret can be read by others",
        ].map { String($0.prefix(70)) })
  }

  @Test func aSecretIsFetchedOnce() throws {
    final class Counter: SecretResolver, @unchecked Sendable {
      // Sound: one parse uses it from one thread.
      var sources: [SecretSource] = []
      func secret(from source: SecretSource) throws -> FetchedSecret {
        sources.append(source)
        return FetchedSecret(Secret("123456789012".utf8))
      }
    }
    let counter = Counter()
    let text = account("{descriptor: 3}") + "  outgoing: {user: jill, secret: {descriptor: 3}}\n"
    let state = try StateFile.parse(text, named: "state.yaml", secrets: counter).state
    #expect(counter.sources == [.descriptor(3)])
    #expect(state.discovery?.outgoing??.secret == state.discovery?.incoming?.first?.secret)
  }

  @Test func nothingPrintsASecret() throws {
    let parsed = try StateFile.parse(account("{file: /a}"), named: "state.yaml", secrets: KnownSecrets())
    var dumped = ""
    dump(parsed, to: &dumped)
    #expect(!"\(parsed) \(String(reflecting: parsed)) \(dumped)".contains(KnownSecrets.canary))
  }
}

@Suite struct HostSecretTests {
  private func resolver(
    _ files: [String: String], credentials: String? = nil, mode: UInt32 = 0o600
  ) -> HostSecrets {
    HostSecrets(
      files: FewFiles(contents: files), credentialsDirectory: credentials, mode: { _ in mode })
  }

  @Test(arguments: [
    ("secret", "secret"), ("secret\n", "secret"), ("secret\n\n", "secret\n"), ("\n", ""), ("", ""),
  ])
  func oneNewlineIsDropped(contents: String, expected: String) throws {
    let found = try resolver(["/s": contents]).secret(from: .file("/s"))
    #expect(found.secret == Secret(expected.utf8))
    #expect(found.warning == nil)
  }

  @Test(
    arguments: [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o620, true)]
      as [(UInt32, Bool)])
  func othersMayNotReadIt(mode: UInt32, warned: Bool) throws {
    let found = try resolver(["/s": "x"], mode: mode).secret(from: .file("/s"))
    #expect((found.warning != nil) == warned)
    if warned { #expect(found.warning?.hasSuffix("(mode 0\(String(mode, radix: 8))); chmod 600 /s") == true) }
  }

  @Test func theModeIsThatOfTheFile() throws {
    let path = FilePath("/tmp/quartet-mode-\(getpid())")
    try FileDescriptor.open(path, .writeOnly, options: [.create], permissions: .ownerReadWrite).close()
    defer { unlink(path.string) }
    #expect(chmod(path.string, 0o644) == 0)
    #expect(HostSecrets.mode(ofFileAt: path.string) == 0o644)
    #expect(HostSecrets.mode(ofFileAt: path.string + ".absent") == nil)
  }

  @Test func credentialsComeFromTheirDirectory() throws {
    let files = ["/run/credentials/x/jack": "secret\n"]
    let found = try resolver(files, credentials: "/run/credentials/x", mode: 0o440).secret(
      from: .credential("jack"))
    #expect(found.secret == Secret("secret".utf8))
    #expect(found.warning == nil)
    let failure = #expect(throws: Failure.self) { try resolver(files).secret(from: .credential("jack")) }
    #expect(failure?.code == .unavailable)
  }

  @Test(arguments: [.credential("../x"), .credential(""), .descriptor(1), .descriptor(-1)] as [SecretSource])
  func whatIsNoSourceIsRefused(source: SecretSource) {
    let resolver = resolver(["/run/x": "secret"], credentials: "/run/credentials")
    let failure = #expect(throws: Failure.self) { try resolver.secret(from: source) }
    #expect(failure?.code == .invalid)
  }

  @Test func whatIsNoSmallFileIsRefused() {
    let files = ["/large": String(repeating: "x", count: 4097), "/etc/": ""]
    let codes = ["/large", "/etc/", "/absent"].map { path in
      #expect(throws: Failure.self) { try resolver(files).secret(from: .file(path)) }?.code
    }
    #expect(codes == [.invalid, .invalid, .notFound])
  }

  @Test func aDescriptorIsReadToItsEnd() throws {
    let (reader, writer) = try FileDescriptor.pipe()
    defer { try? reader.close() }
    try writer.writeAll("secret\n".utf8)
    try writer.close()
    let found = try resolver([:]).secret(from: .descriptor(reader.rawValue))
    #expect(found.secret == Secret("secret".utf8))
  }

  @Test func aDescriptorHasLimits() throws {
    let (reader, writer) = try FileDescriptor.pipe()
    defer { try? reader.close() }
    try writer.writeAll(String(repeating: "x", count: 4097).utf8)
    try writer.close()
    let large = #expect(throws: Failure.self) { try resolver([:]).secret(from: .descriptor(reader.rawValue)) }
    #expect(large?.code == .invalid)
    let closed = #expect(throws: Failure.self) { try resolver([:]).secret(from: .descriptor(9999)) }
    #expect(closed?.errno == .badFileDescriptor)
  }
}

/// Files in memory; a path that ends in a slash is a directory.
private struct FewFiles: HostFiles {
  var contents: [String: String]

  func read(_ path: FilePath) throws -> [UInt8] { Array((contents[path.string] ?? "").utf8) }
  func status(_ path: FilePath) throws -> FileStatus? {
    if contents[path.string + "/"] != nil {
      return FileStatus(kind: .directory, size: 0, identity: path.string)
    }
    return contents[path.string].map {
      FileStatus(kind: .file, size: UInt64($0.utf8.count), identity: path.string)
    }
  }

  private func refuse() -> Failure { Failure(.unsupported, "file", "is not to be touched here") }
  func write(_ bytes: [UInt8], to path: FilePath) throws { throw refuse() }
  func write(_ bytes: [UInt8], to path: FilePath, limit: Duration) throws { throw refuse() }
  func replace(_ path: FilePath, with bytes: [UInt8], mode: UInt16) throws { throw refuse() }
  func list(_ path: FilePath) throws -> [String] { throw refuse() }
  func createDirectory(_ path: FilePath) throws { throw refuse() }
  func removeDirectory(_ path: FilePath) throws { throw refuse() }
  func createLink(_ path: FilePath, to destination: FilePath) throws { throw refuse() }
  func readLink(_ path: FilePath) throws -> FilePath { throw refuse() }
  func removeFile(_ path: FilePath) throws { throw refuse() }
}
