import Glibc
import SystemPackage
import Testing

/// A directory of one test, removed with everything in it when the test ends.
final class Scratch: Sendable {
  let path: FilePath

  init() throws {
    var template = Array("/tmp/quartet-stgt-XXXXXX".utf8CString)
    let made = try #require(mkdtemp(&template))
    path = FilePath(platformString: made)
  }

  deinit {
    func remove(_ path: FilePath) {
      guard unlink(path.string) != 0, let directory = opendir(path.string) else { return }
      while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != "." && name != ".." { remove(path.appending(name)) }
      }
      closedir(directory)
      rmdir(path.string)
    }
    remove(path)
  }

  /// The path of a new file with this text.
  func file(_ name: String, _ text: String = "") throws -> FilePath {
    let file = path.appending(name)
    let opened = try FileDescriptor.open(
      file, .writeOnly, options: [.create, .exclusiveCreate], permissions: .ownerReadWrite)
    try opened.closeAfter { _ = try opened.writeAll(text.utf8) }
    return file
  }
}
