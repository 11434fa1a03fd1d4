import CLibAIO
import Glibc
import HostInterface
import SystemPackage

/// A file that is to be a leg.
package enum LegFile {
  /// Whether a file has no data at all, only a hole, so that all of it reads as zeroes (lseek(2), SEEK_DATA).
  package static func isHole(_ path: String) -> Bool {
    guard let file = try? FileDescriptor.open(path, .readOnly, options: [.closeOnExec]) else { return false }
    defer { try? file.close() }
    return lseek(file.rawValue, 0, Int32(QUARTET_SEEK_DATA)) < 0 && errno == ENXIO
  }

  /// Makes a file that reads as zeroes.
  ///
  /// Unless it is to be sparse its blocks are reserved, so that no full file system stops the pool later
  /// (fallocate(2)); where the file system cannot do that it is sparse as well.
  ///
  /// - Throws: ``Failure`` with what the system answers; the file is not there then.
  package static func create(_ path: String, size: UInt64, sparse: Bool) throws {
    let file: FileDescriptor
    do {
      file = try FileDescriptor.open(
        path, .readWrite, options: [.create, .exclusiveCreate, .closeOnExec], permissions: .ownerReadWrite)
    } catch let code as Errno { throw Failure.system(code, path, "cannot create the file") }
    defer { try? file.close() }
    do {
      if !sparse {
        while fallocate(file.rawValue, 0, 0, off_t(size)) != 0 {
          let code = Errno(rawValue: errno)
          if code == .interrupted { continue }
          guard code == .notSupported || code == .noFunction else { throw code }
          break
        }
      }
      try file.resize(to: Int64(size))
      guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
    } catch let code as Errno {
      _ = unlink(path)
      throw Failure.system(
        code, path, "cannot make a file of \(size) bytes",
        remedy: code == .noSpace
          ? "make room, choose a smaller --size, or say --sparse"
          : code == .fileTooLarge ? "choose a smaller --size, or another file system" : nil)
    }
  }
}
