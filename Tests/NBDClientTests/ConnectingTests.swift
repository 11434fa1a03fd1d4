import BlockEngine
import Glibc
import HostInterface
import LinuxBlockDevices
import NBDClient
import SystemPackage
import Testing

/// How a connection is made, and why it is not.
@Suite struct ConnectingTests {
  let loop: AIOLoop
  let scratch: Scratch

  init() throws {
    loop = try AIOLoop()
    scratch = try Scratch()
  }

  private func refusal(_ uri: String, _ options: NBDLegOptions = NBDLegOptions()) throws -> Failure {
    try #require(throws: Failure.self) { _ = try loop.connect(uri, options) }
  }

  /// A port of this machine at which nothing listens just now, and its socket.
  private func port() throws -> (descriptor: Int32, number: UInt16) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(descriptor, $0, length)
        getsockname(descriptor, $0, &length)
      }
    }
    return (descriptor, address.sin_port.bigEndian)
  }

  @Test func byTCPAndByTheNameOfAnExport() throws {
    let (descriptor, port) = try port()
    close(descriptor)
    let pidFile = scratch.directory.appending("pid")
    let server = try NBDServer(
      ["nbdkit", "-f", "--exit-with-parent", "-i", "127.0.0.1", "-p", "\(port)", "-P", pidFile.string]
        + ["file", "dir=\(scratch.directory)"], "nbd://localhost:\(port)/disk-a", pidFile, scratch)
    _ = try scratch.file("disk-a", size: 1 << 20)
    // The name has the address ::1 as well, at which nothing listens.
    let leg = try loop.connect(server.uri)
    #expect(leg.size == 1 << 20)
    #expect(leg.name == "nbd://localhost:\(port)/disk-a")
    let failure = try refusal("nbd://localhost:\(port)/disk-b")
    #expect(failure.subject == "nbd://localhost:\(port)/disk-b")
    #expect(failure.problem == "cannot connect to the NBD server")
  }

  @Test func whereNothingListens() throws {
    let (descriptor, port) = try port()
    defer { close(descriptor) }
    let failure = try refusal("nbd://127.0.0.1:\(port)/")
    #expect(failure.code == .unavailable)
    #expect(failure.errno == .connectionRefused)
    #expect(failure.answer?.contains("could not connect to remote host") == true)
    #expect(try refusal("nbd+unix:///?socket=/nonexistent/nbd").code == .notFound)
  }

  @Test func aServerThatAcceptsAndSaysNothing() throws {
    let (descriptor, port) = try port()
    defer { close(descriptor) }
    try #require(listen(descriptor, 5) == 0)
    var options = NBDLegOptions()
    options.connectLimit = .milliseconds(50)
    #expect(try refusal("nbd://127.0.0.1:\(port)/", options).code == .timedOut)
  }

  @Test func whileANameIsLookedUpTheLoopGoesOn() throws {
    // `.invalid` names nothing (RFC 2606); a resolver that cannot be reached takes its time to say so.
    var options = NBDLegOptions()
    options.connectLimit = .milliseconds(300)
    var result: Result<NBDLeg, Failure>?
    NBDLeg.connect("nbd://quartet-test.invalid/", on: loop, options: options) { result = $0 }
    var isAlive = false
    loop.schedule(after: .milliseconds(1)) { isAlive = true }
    try loop.run { isAlive }
    try loop.run { result != nil }
    guard case .failure(let failure) = result else { throw Failure(.invalid, "test", "it is connected") }
    #expect([.unavailable, .timedOut].contains(failure.code), "\(failure)")
  }

  @Test(arguments: ["http://localhost/", "nbd:/x", "localhost", "nbd://[::1", "nbd+unix:///x"])
  func whatIsNoURI(text: String) throws {
    #expect(try refusal(text).code == .invalid)
  }

  @Test func withAKeyThatBothHave() throws {
    let (keys, others) = (scratch.directory.appending("keys"), scratch.directory.appending("other-keys"))
    let (secret, other) = ("0f1e2d3c4b5a69788796a5b4c3d2e1f1", "1f1e2d3c4b5a69788796a5b4c3d2e1f0")
    for (path, key) in [(keys, secret), (others, other)] {
      let file = try FileDescriptor.open(path, .writeOnly, options: .create, permissions: .ownerReadWrite)
      try file.closeAfter { _ = try file.writeAll("alice:\(key)\n".utf8) }
    }
    let server = try NBDServer.nbdkit(["--tls=require", "--tls-psk=\(keys)", "memory", "4M"], in: scratch)
    let socket = scratch.directory.appending("nbd")
    func uri(_ file: FilePath, _ user: String = "alice") -> String {
      "nbds+unix://\(user)@/?socket=\(socket)&tls-psk-file=\(file)"
    }
    let leg = try loop.connect(uri(keys))
    let data = pattern(5, 1 << 20)
    try loop.finish { leg.submit(.write(offset: 0, BlockBuffer(data), durable: true), $0) }
    #expect(try loop.bytes(0..<1 << 20, of: leg) == data)

    for uri in [uri(others), uri(keys, "bob"), uri("/nonexistent/keys"), "nbd+unix:///?socket=\(socket)"] {
      let failure = try refusal(uri)
      #expect([.unavailable, .notFound, .refused, .invalid].contains(failure.code), "\(failure)")
      #expect(!"\(failure)".contains(secret) && !"\(failure)".contains(other))
    }
    server.kill()
    let failure = try loop.failure { leg.submit(.flush, $0) }
    #expect(failure?.code == .unavailable, "\(failure.map { "\($0)" } ?? "")")
  }
}
