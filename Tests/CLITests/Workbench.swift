import Glibc
import HostInterface
import LinuxHost
import SystemPackage
import Testing

/// What a run of the command line left behind.
struct Outcome {
  var status: Int32
  var output: String
  var errors: String
}

/// A folder with a private tgtd, and the built command line to use on it.
///
/// The daemon ends with ``close()``, or within a second of the end of the test process.
final class Workbench: Sendable {
  let folder: String
  let socket: String
  let port: UInt16
  private let daemon: Task<Void, Never>?
  private let host = LocalHost()

  static let name = "iqn.2011-12.com.example:disk1"

  /// Whether tgtd is installed; tests that need it say so when they are skipped.
  static let hasTgtd = LocalHost().executable("tgtd") != nil && geteuid() == 0

  init(daemon wanted: Bool = true) async throws {
    var template = Array("/tmp/quartet-cli-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw Failure.system(Errno(rawValue: errno), "/tmp", "cannot make a folder")
    }
    folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    socket = folder + "/socket"
    port = try Self.freePort()
    guard wanted else {
      daemon = nil
      return
    }
    let script = """
      tgtd -f -C 0 --iscsi portal=127.0.0.1:\(port) >\(folder)/log 2>&1 & tgtd=$!
      trap 'kill -9 $tgtd; exit' TERM
      while kill -0 \(getpid()) 2>/dev/null && kill -0 $tgtd 2>/dev/null; do sleep 0.3; done
      kill -9 $tgtd
      """
    let (host, socket) = (host, socket)
    daemon = Task {
      _ = try? await host.run(
        ["sh", "-c", script], environment: ["TGT_IPC_SOCKET": socket], input: [], limit: .seconds(1200))
    }
    for _ in 0..<200 {
      if try await quartet("target", "list").status == 0 { return }
      try await Task.sleep(for: .milliseconds(20))
    }
    throw Failure(.unavailable, socket, "tgtd did not start")
  }

  /// Ends the daemon and removes the folder.
  func close() async {
    daemon?.cancel()
    await daemon?.value
    _ = try? await host.run(["rm", "-rf", folder], environment: [:], input: [], limit: .seconds(10))
  }

  /// Makes a file of zeros and returns its path.
  func file(_ name: String, size: Int = 1 << 20) throws -> String {
    let path = folder + "/" + name
    let descriptor = try FileDescriptor.open(
      path, .readWrite, options: .create, permissions: [.ownerReadWrite])
    defer { try? descriptor.close() }
    try descriptor.resize(to: Int64(size))
    return path
  }

  /// Writes a text file that only its owner may read.
  func file(_ name: String, text: String) throws -> String {
    let path = folder + "/" + name
    try host.replace(FilePath(path), with: Array(text.utf8), mode: 0o600)
    return path
  }

  /// The path of the built command line: beside this test program.
  static let executable: String = {
    let program = (try? LocalHost().readLink("/proc/self/exe")) ?? FilePath("/")
    return program.removingLastComponent().appending("quartet").string
  }()

  var environment: [String: String] {
    [
      "TGT_IPC_SOCKET": socket, "QUARTET_IMPLEMENTATION": "tgt", "QUARTET_LOCK_DIR": folder + "/lock",
      "QUARTET_POOL_DIR": folder + "/pools", "QUARTET_RUNTIME_DIR": folder + "/run",
    ]
  }

  @discardableResult
  func quartet(_ arguments: String..., input: String = "") async throws -> Outcome {
    try await quartet(arguments, input: input)
  }

  @discardableResult
  func quartet(_ arguments: [String], input: String = "") async throws -> Outcome {
    let result = try await host.run(
      [Self.executable] + arguments, environment: environment, input: Array(input.utf8), limit: .seconds(60))
    return Outcome(
      status: result.status, output: String(decoding: result.output, as: UTF8.self), errors: result.errors)
  }

  /// Runs a shell line in which `$Q` is the command line.
  func shell(_ line: String) async throws -> Outcome {
    let result = try await host.run(
      ["sh", "-c", line], environment: environment.merging(["Q": Self.executable]) { $1 }, input: [],
      limit: .seconds(120))
    return Outcome(
      status: result.status, output: String(decoding: result.output, as: UTF8.self), errors: result.errors)
  }

  private static func freePort() throws -> UInt16 {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { Glibc.close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, length) == 0 ? getsockname(socket, $0, &length) : -1
      }
    }
    guard result == 0 else {
      throw Failure.system(Errno(rawValue: errno), "127.0.0.1", "cannot find a free port")
    }
    return address.sin_port.bigEndian
  }
}

/// Runs a test on a workbench and cleans up whatever happens.
func withWorkbench(daemon: Bool = true, _ body: (Workbench) async throws -> Void) async throws {
  let bench = try await Workbench(daemon: daemon)
  do { try await body(bench) } catch {
    await bench.close()
    throw error
  }
  await bench.close()
}
