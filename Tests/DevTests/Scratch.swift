import Glibc
import LinuxHost
import SystemPackage

/// A directory of its own, which goes with it.
final class Scratch {
  let path: FilePath
  private let host = LocalHost()

  init?() {
    var template = Array("/tmp/quartet-dev-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { return nil }
    path = FilePath(String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
  }

  func text(_ path: FilePath) throws -> String { String(decoding: try host.read(path), as: UTF8.self) }

  func write(_ name: String, _ text: String) throws -> FilePath {
    let file = path.appending(name)
    try host.replace(file, with: Array(text.utf8), mode: 0o600)
    return file
  }

  deinit {
    for name in (try? host.list(path)) ?? [] { try? host.removeFile(path.appending(name)) }
    try? host.removeDirectory(path)
  }
}
