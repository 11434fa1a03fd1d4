import Glibc
import HostInterface
import SystemPackage

extension LocalHost {
  /// Replaces a file's contents, so that after a crash it has the old or the new ones whole.
  ///
  /// A file that exists keeps its owner, group and mode; `mode` is that of a new one. Where the path is a link,
  /// what it leads to is replaced. Attributes beyond these (ACLs, labels) are those of a new file.
  public func replace(_ path: FilePath, with bytes: [UInt8], mode: UInt16) throws {
    let path = resolved(path)
    var old = stat()
    let exists = stat(path.string, &old) == 0
    if exists, old.st_mode & S_IFMT != S_IFREG {
      throw Failure(.invalid, "\(path)", "cannot replace: it is not a regular file")
    }
    let directory = path.isAbsolute || path.components.count > 1 ? path.removingLastComponent() : "."
    let number = UInt64.random(in: .min ... .max)
    let new = directory.appending(".\(path.lastComponent?.string ?? "").\(String(number, radix: 36))")
    try onPath(path, "cannot replace") {
      let file = try FileDescriptor.open(
        new, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec, .noFollow],
        permissions: .ownerReadWrite)
      do {
        defer { try? file.close() }
        try file.writeAll(bytes)
        if exists { try checked(fchown(file.rawValue, old.st_uid, old.st_gid)) }
        // After fchown(2), which clears the set-id bits.
        try checked(fchmod(file.rawValue, exists ? old.st_mode & 0o7777 : mode_t(mode)))
        try checked(fsync(file.rawValue))
        try checked(rename(new.string, path.string))
      } catch {
        _ = unlink(new.string)
        throw error
      }
      let parent = try FileDescriptor.open(directory, .readOnly, options: [.directory, .closeOnExec])
      defer { try? parent.close() }
      try checked(fsync(parent.rawValue))
    }
  }

  /// The path without symbolic links; the path itself when nothing is there.
  private func resolved(_ path: FilePath) -> FilePath {
    guard let real = realpath(path.string, nil) else { return path }
    defer { free(real) }
    return FilePath(platformString: real)
  }
}
