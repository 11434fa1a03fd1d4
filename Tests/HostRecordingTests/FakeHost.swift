import HostInterface
import Synchronization
import SystemPackage

/// A machine with a few files and a daemon that answers a request with its number and the request.
final class FakeHost: Host {
  private struct State: Sendable {
    var files: [FilePath: [UInt8]] = [
      "/etc/conf": Array("backing /tmp/run-17/disk\n".utf8), "/binary": [0xff, 0],
    ]
    var requests = 0
  }
  private let state = Mutex(State())

  func read(_ path: FilePath) throws -> [UInt8] {
    guard let bytes = state.withLock({ $0.files[path] }) else {
      throw Failure.system(.noSuchFileOrDirectory, "\(path)", "cannot open for reading")
    }
    return bytes
  }
  func write(_ bytes: [UInt8], to path: FilePath) throws {
    guard path != "/busy" else {
      throw Failure.system(.resourceBusy, "\(path)", "cannot write", remedy: "wait")
    }
    state.withLock { $0.files[path] = bytes }
  }
  func write(_ bytes: [UInt8], to path: FilePath, limit: Duration) async throws { try write(bytes, to: path) }
  func replace(_ path: FilePath, with bytes: [UInt8], mode: UInt16) throws { try write(bytes, to: path) }
  func status(_ path: FilePath) throws -> FileStatus? {
    state.withLock { $0.files[path] }.map {
      FileStatus(kind: .file, size: UInt64($0.count), identity: "8:1:5")
    }
  }
  func list(_ path: FilePath) throws -> [String] {
    state.withLock { state in state.files.keys.compactMap { $0.lastComponent?.string }.sorted() }
  }
  func createDirectory(_ path: FilePath) throws {}
  func removeDirectory(_ path: FilePath) throws {}
  func createLink(_ path: FilePath, to destination: FilePath) throws {}
  func readLink(_ path: FilePath) throws -> FilePath { "/tmp/run-17/target" }
  func removeFile(_ path: FilePath) throws { state.withLock { $0.files[path] = nil } }
  func run(_ argv: [String], environment: [String: String], input: [UInt8], limit: Duration) async throws
    -> CommandResult
  {
    if argv == ["missing"] {
      throw Failure(.unavailable, "missing", "there is no such program", remedy: "install it")
    }
    if argv == ["binary"] { return CommandResult(status: 139, output: [0xc3, 0x28]) }
    return CommandResult(status: 3, output: input + Array(" read".utf8), errors: argv.joined(separator: " "))
  }
  func executable(_ name: String) -> FilePath? { name == "tool" ? "/tmp/run-17/tool" : nil }
  func exchange(_ bytes: [UInt8], with path: FilePath, lengthOffset: Int, limit: Duration) async throws
    -> [UInt8]
  {
    let number = state.withLock { state in
      state.requests += 1
      return state.requests
    }
    if number > 2 { throw Failure(.timedOut, "\(path)", "the daemon did not answer within 1 s") }
    return [UInt8(number)] + bytes
  }
  func loadModule(_ name: String) throws {
    guard name == "known" else { throw Failure(.unavailable, "kernel module \(name)", "is not there") }
  }
  func isModuleLoaded(_ name: String) throws -> Bool { name == "known" }
  func waitForPath(_ path: FilePath, exists: Bool, limit: Duration) async throws {
    guard path == "/dev/there" else { throw Failure(.timedOut, "\(path)", "is not there after \(limit)") }
  }
  func holders(of path: FilePath) throws -> [Holder] { [Holder("mounted at /tmp/run-17/mount")] }
  func lock(_ name: String, limit: Duration) async throws -> any HostLock { Lock() }
  func sleep(_ duration: Duration) async throws {}

  private struct Lock: HostLock {
    func release() {}
  }
}

/// Everything that a host can be asked, and the answers as text.
func everything(_ host: any Host, secret: String) async -> [String] {
  var answers: [String] = []
  func note(_ body: () async throws -> Any) async {
    do {
      answers.append("\(try await body())")
    } catch let failure as Failure {
      answers.append("\(failure.code) \(failure) \(failure.errno.map { "\($0.rawValue)" } ?? "-")")
    } catch {
      answers.append("\(error)")
    }
  }
  let socket: FilePath = "/tmp/run-17/socket"
  await note { try host.read("/etc/conf") }
  await note { try host.read("/binary") }
  await note { try host.read("/missing") }
  await note { try host.status("/new") as Any }
  await note { try host.write(Array("add \(secret)\n".utf8), to: "/new") }
  await note { try host.read("/new").count }
  await note { try host.status("/new") as Any }
  await note { try host.write([0xfe, 1], to: "/busy") }
  await note { try host.replace("/new", with: Array("/tmp/run-17/x".utf8), mode: 0o640) }
  await note { try host.read("/new") }
  await note { try host.list("/") }
  await note { try host.createDirectory("/tmp/run-17/d") }
  await note { try host.createLink("/l", to: "/tmp/run-17/d") }
  await note { try host.readLink("/l") }
  await note { try host.removeDirectory("/tmp/run-17/d") }
  await note { try host.removeFile("/new") }
  await note { try host.status("/new") as Any }
  await note {
    try await host.run(
      ["tool", "/tmp/run-17/a"], environment: ["A": "1"], input: [65, 0xff], limit: .seconds(1))
  }
  await note { try await host.run(["tool", "b"], environment: [:], input: [], limit: .seconds(1)) }
  await note { try await host.run(["missing"], environment: [:], input: [], limit: .seconds(1)) }
  await note { try await host.run(["binary"], environment: [:], input: [], limit: .seconds(1)) }
  await note { host.executable("tool") as Any }
  await note { host.executable("none") as Any }
  for _ in 0..<3 {
    await note { try await host.exchange([1, 2, 0xaa], with: socket, lengthOffset: 0, limit: .seconds(1)) }
  }
  await note { try host.loadModule("known") }
  await note { try host.loadModule("unknown") }
  await note { try host.isModuleLoaded("known") }
  await note { try await host.waitForPath("/dev/there", exists: true, limit: .seconds(1)) }
  await note { try await host.waitForPath("/dev/none", exists: true, limit: .seconds(1)) }
  await note { try host.holders(of: "/dev/there") }
  await note { try await host.lock("state", limit: .zero).release() }
  await note { try await host.sleep(.seconds(1)) }
  return answers
}
