import Glibc
import HostInterface
import SystemPackage

/// What a command reads: a file in memory without a name.
///
/// Not a pipe, because a command that ends without reading it would kill this process by SIGPIPE; and not on a
/// disk, because it may be a secret.
enum CommandInput {
  /// Opens a file that holds the bytes, at its start; the caller closes it.
  static func open(_ bytes: [UInt8]) throws -> FileDescriptor {
    if bytes.isEmpty {
      return try onPath("/dev/null", "cannot open") {
        try FileDescriptor.open("/dev/null", .readOnly, options: [.closeOnExec])
      }
    }
    let name = "/quartet-" + String(UInt64.random(in: .min ... .max), radix: 36)
    return try onPath("/dev/shm", "cannot hold a command's input") {
      // shm_open(3) sets FD_CLOEXEC.
      let memory = FileDescriptor(rawValue: try checked(shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0o600)))
      shm_unlink(name)
      do {
        try memory.writeAll(bytes)
        try memory.seek(offset: 0, from: .start)
      } catch {
        try? memory.close()
        throw error
      }
      return memory
    }
  }
}
