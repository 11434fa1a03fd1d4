import EmbeddedPool
import Glibc
import HostInterface
import LinuxBlockDevices
import SystemPackage
import Testing

@testable import EmbeddedPool

/// The socket at which a pool that is served takes commands: what is asked, and what must not hurt.
@Suite struct ControlSocketTests {
  /// A server whose answers are made up, on a thread of its own.
  final class Scene {
    let folder: String
    let path: FilePath
    private let engine: SharedEngine<ControlServer>

    init(_ answer: @escaping @Sendable (PoolRequest) -> PoolAnswer?) throws {
      var template = Array("/tmp/quartet-control-XXXXXX".utf8CString)
      try #require(mkdtemp(&template) != nil)
      folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let path = FilePath(folder + "/vg1.control")
      self.path = path
      engine = try SharedEngine { loop in
        try ControlServer(at: path, on: loop) { request, done in
          if let answer = answer(request) { done(answer) }
        }
      }
    }

    /// Sends bytes, and returns what comes back until the server ends the connection.
    func send(_ bytes: [UInt8]) throws -> String {
      let socket = try #require(try UnixSocket.connect(to: path))
      let deadline = ContinuousClock.now + .seconds(20)
      var rest = bytes[...]
      while !rest.isEmpty, socket.wait(for: Int32(POLLOUT), until: deadline) {
        guard let sent = try? socket.write(rest) else { break }
        rest = rest.dropFirst(sent)
      }
      var answer: [UInt8] = []
      while socket.wait(for: Int32(POLLIN), until: deadline) {
        guard let more = try? socket.read(most: 65536) else { break }
        answer += more
      }
      return String(decoding: answer, as: UTF8.self)
    }

    func end() {
      engine.post { $0.end() }
      engine.end()
      unlink(path.string)
      rmdir(folder)
    }
  }

  @Test func aRequestIsAnsweredByTheProcessThatServes() throws {
    let scene = try Scene { request in
      request == .removeVolume(name: "lun1") ? .done(changed: true) : .failed(Failure(.invalid, "a", "b"))
    }
    defer { scene.end() }
    for _ in 0..<40 {
      let client = try #require(try ControlClient(scene.path))
      #expect(client.server == getpid())
      guard case .done(changed: true) = try client.ask(.removeVolume(name: "lun1"), limit: .seconds(20))
      else {
        Issue.record("another answer")
        return
      }
    }
    var status = stat()
    #expect(stat(scene.path.string, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
  }

  @Test(arguments: [
    "garbage\n", "{}\n", "{\"version\":1}\n", "{\"version\":1,\"request\":{\"fly\":{}}}\n", "\n", "\u{0}\n",
    "{\"version\":1,\"request\":{\"removeVolume\":{\"name\":7}}}\n",
  ])
  func whatIsNoRequestIsToldSo(_ line: String) throws {
    let scene = try Scene { _ in .done(changed: true) }
    defer { scene.end() }
    #expect(try scene.send(Array(line.utf8)).contains("\"failed\""))
    #expect(try scene.send(Array("{\"version\":1,\"request\":{\"report\":{}}}\n".utf8)).contains("changed"))
  }

  @Test func anotherVersionIsToldSo() throws {
    let scene = try Scene { _ in .done(changed: true) }
    defer { scene.end() }
    #expect(try scene.send(Array("{\"version\":2,\"request\":{}}\n".utf8)).contains("version 2"))
  }

  @Test func aRequestWithoutEndIsCutOff() throws {
    let scene = try Scene { _ in .done(changed: true) }
    defer { scene.end() }
    let answer = try scene.send([UInt8](repeating: UInt8(ascii: "x"), count: ControlMessage.requestLimit * 2))
    #expect(answer.isEmpty)
    #expect(try scene.send(Array("{\"version\":1,\"request\":{\"report\":{}}}\n".utf8)).contains("changed"))
  }

  @Test func aServerThatHangsIsNotWaitedForLong() throws {
    let scene = try Scene { _ in nil }
    defer { scene.end() }
    let client = try #require(try ControlClient(scene.path))
    let failure = #expect(throws: Failure.self) { try client.ask(.report, limit: .milliseconds(100)) }
    #expect(failure?.code == .timedOut)
    #expect(failure?.remedy?.contains("\(getpid())") == true)
  }

  @Test func aFailureComesAsItWas() throws {
    let told = Failure(.inUse, "volume lun1", "it is in use", answer: "EBUSY", remedy: "detach it first")
    let scene = try Scene { _ in .failed(told) }
    defer { scene.end() }
    let client = try #require(try ControlClient(scene.path))
    let failure = #expect(throws: Failure.self) {
      try client.ask(.report, limit: .seconds(20)).orFailure()
    }
    #expect(failure == told)
  }

  @Test(arguments: [
    "nonsense", "nonsense\n", "{\"version\":1}\n", "{\"version\":1,\"answer\":{\"begun\":{}}}\nmore\n",
  ])
  func whatIsNoAnswerIsGarbled(_ bytes: String) throws {
    var template = Array("/tmp/quartet-control-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let path = FilePath(folder + "/rude")
    let server = try SharedEngine { try RudeServer(path, on: $0) { _ in Array(bytes.utf8) } }
    defer {
      server.end()
      unlink(path.string)
      rmdir(folder)
    }
    let client = try #require(try ControlClient(path))
    let failure = #expect(throws: Failure.self) { try client.ask(.report, limit: .seconds(20)) }
    #expect(failure?.code == .garbled)
  }

  @Test func nobodyListensAtAStaleSocket() throws {
    let path = FilePath("/tmp/quartet-stale-\(getpid())")
    // The file stays when its socket is closed.
    _ = try UnixSocket.listen(at: path)
    defer { unlink(path.string) }
    #expect(try ControlClient(path) == nil)
  }
}

/// Says to whoever asks what it is told to say, and hangs up.
final class RudeServer {
  private let socket: UnixSocket
  private var watch: DescriptorWatch?

  init(_ path: FilePath, on loop: AIOLoop, _ answer: @escaping ([UInt8]) -> [UInt8]) throws {
    socket = try UnixSocket.listen(at: path)
    watch = loop.watch(socket.descriptor, for: .input) { [unowned self] _ in
      guard let client = socket.accept() else { return }
      // It reads first, or the kernel would tell the client of a reset before the answer.
      _ = client.wait(for: Int32(POLLIN), until: .now + .seconds(20))
      let request = try? client.read(most: 65536)
      _ = try? client.write(answer(request ?? [])[...])
    }
  }
}
