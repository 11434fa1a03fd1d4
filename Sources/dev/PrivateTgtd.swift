import Glibc
import HostInterface
import LinuxHost
import SystemPackage

/// A place for one tgtd that nothing else on the machine meets: a directory, a management socket, a port.
///
/// The directory goes, and whatever was started with ``environment`` is killed, when this process ends.
struct PrivateTgtd {
  let directory: FilePath
  let port: UInt16
  let host: LocalHost
  private let leash: Leash

  init() throws {
    var template = Array("\(temporaryDirectory())/quartet.XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw Failure.system(Errno(rawValue: errno), temporaryDirectory(), "cannot make a directory in it")
    }
    directory = FilePath(String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self))
    port = try freePort()
    host = LocalHost(lockDirectory: directory)
    let cleanUp = """
      for file in $(grep -lzxFs "TGT_IPC_SOCKET=$1/socket" /proc/[0-9]*/environ); do
        pid=${file#/proc/}
        kill -9 "${pid%/environ}"
      done
      # What was mounted there has no process behind it any more.
      while read -r _ mount _; do
        case $mount in "$1"/*) umount -l "$mount" ;; esac
      done </proc/self/mounts
      rm -rf "$1"
      """
    leash = try Leash(cleanUp, [directory.string])
  }

  /// By which tgtd, tgtadm and quartet find one another.
  var environment: [String: String] {
    [
      "TGT_IPC_SOCKET": directory.appending("socket").string, "QUARTET_LOCK_DIR": directory.string,
      "QUARTET_IMPLEMENTATION": "tgt", "QUARTET_POOL_DIR": directory.appending("pools").string,
      "QUARTET_RUNTIME_DIR": directory.appending("run").string,
    ]
  }

  var portal: String { "127.0.0.1:\(port)" }

  /// A new file of zeros, sparse.
  func backing(_ name: String, bytes: Int) throws -> String {
    let path = directory.appending(name)
    let file = try FileDescriptor.open(
      path, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
    defer { try? file.close() }
    try file.resize(to: Int64(bytes))
    return path.string
  }

  /// Ends the daemon and removes the directory.
  func end() { leash.end() }
}

private func temporaryDirectory() -> String { getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp" }

/// A TCP port of 127.0.0.1 that nobody listens at.
///
/// It is below those that the kernel gives to clients (ip_local_port_range), so that none takes it meanwhile.
private func freePort() throws -> UInt16 {
  for _ in 0..<100 {
    let port = UInt16.random(in: 20000...31999)
    let probe = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(probe) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let bound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(probe, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if bound == 0 { return port }
  }
  throw Failure(.refused, "127.0.0.1", "has no free port that could be found")
}
