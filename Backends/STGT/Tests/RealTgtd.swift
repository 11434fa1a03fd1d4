import Glibc
import HostInterface
import LinuxHost
import Quartet
import STGTBackend
import SystemPackage
import TargetCore
import Testing

/// A tgtd of one test: its own directory, management socket and port, and killed in the end.
final class RealTgtd: Sendable {
  /// Whether it can be run here.
  static let isInstalled = LocalHost().executable("tgtd") != nil && LocalHost().executable("tgtadm") != nil
  /// What a skipped test says.
  static let reason: Comment = "tgtd and tgtadm are not installed (Debian's package tgt)"

  let scratch: Scratch
  let port: UInt16
  let host: LocalHost
  private let guardian: Guardian

  /// Starts one.
  init() async throws {
    scratch = try Scratch()
    host = LocalHost(lockDirectory: scratch.path.appending("lock"))
    port = try freePort()
    guardian = Guardian()
    try await start()
  }

  deinit { guardian.end() }

  /// What `TGT_IPC_SOCKET` holds for it.
  var socket: String { scratch.path.appending("s").string }
  /// The portal that it listens at from its start.
  var portal: String { "127.0.0.1:\(port)" }
  /// The settings by which Quartet finds it.
  var settings: [String: String] { ["socket": socket] }

  /// Quartet's view of it.
  func implementation(on host: (any Host)? = nil) throws -> Implementation {
    try Implementation(.stgt, settings: settings, on: host ?? self.host)
  }

  /// The address of a target or a logical unit for libiscsi, with what it proves itself by.
  func url(_ name: TargetName, lun: Int = 1, account: String? = nil) -> String {
    "iscsi://" + (account.map { $0 + "@" } ?? "") + "\(portal)/\(name)/\(lun)"
  }

  /// A new file of zeros.
  func backing(_ name: String, bytes: UInt64 = 32 << 20) throws -> String {
    let path = scratch.path.appending(name)
    try #require(truncateFile(path, bytes))
    return path.string
  }

  /// Kills it as a crash does.
  func kill() { guardian.end() }

  /// Starts it anew, without targets.
  func start() async throws {
    guardian.end()
    unlink(socket + ".0")
    let log = scratch.path.appending("tgtd.log")
    try guardian.begin(
      // The shell ends tgtd when its standard input ends, which it does however this process ends.
      "tgtd -f --iscsi portal=\(portal) >>\(log) 2>&1 </dev/null & read line; kill -9 $!; wait",
      environment: ["TGT_IPC_SOCKET=\(socket)"])
    let implementation = try implementation()
    for _ in 0..<500 {
      if (try? await implementation.read()) != nil { return }
      try await host.sleep(.milliseconds(10))
    }
    Issue.record("tgtd does not answer: \((try? host.text(log)) ?? "no log")")
  }

  /// Runs tgtadm on it.
  @discardableResult
  func administer(_ words: String) async throws -> String {
    let result = try await host.run(
      ["tgtadm", "--lld", "iscsi"] + words.split(separator: " ").map(String.init),
      environment: ["TGT_IPC_SOCKET": socket], input: [], limit: .seconds(60))
    try #require(result.status == 0 && result.errors.isEmpty, "tgtadm \(words): \(result.errors)")
    return String(decoding: result.output, as: UTF8.self)
  }
}

/// Gives a file this many bytes, making it if it is not there.
func truncateFile(_ path: FilePath, _ bytes: UInt64) -> Bool {
  let file = open(path.string, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
  guard file >= 0 else { return false }
  defer { close(file) }
  return ftruncate(file, off_t(bytes)) == 0
}

/// A TCP port of 127.0.0.1 that nobody listens at, outside the range from which the kernel gives ports to clients.
func freePort() throws -> UInt16 {
  for _ in 0..<100 {
    let port = UInt16.random(in: 20000...31999)
    if isFree(port) { return port }
  }
  throw Failure(.refused, "127.0.0.1", "no free port was found")
}

/// Whether nobody listens at this TCP port of 127.0.0.1.
func isFree(_ port: UInt16) -> Bool {
  let probe = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
  defer { close(probe) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  return withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(probe, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  } == 0
}
