import Glibc
import HostInterface
import LinuxHost
import SystemPackage
import Testing

@Suite struct ReplaceTests {
  let host = LocalHost()
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func mode(_ path: FilePath) -> mode_t {
    var found = stat()
    return stat(path.string, &found) == 0 ? found.st_mode & 0o7777 : 0
  }

  @Test func aNewFileHasTheGivenMode() throws {
    let file = scratch.path.appending("new")
    try host.replace(file, with: Array("text".utf8), mode: 0o640)
    #expect(try host.text(file) == "text")
    #expect(mode(file) == 0o640)
    #expect(try host.list(scratch.path) == ["new"])
  }

  @Test func anOldFileKeepsModeAndOwner() throws {
    let file = try scratch.file("old", "old")
    #expect(chmod(file.string, 0o604) == 0)
    if isRoot { #expect(chown(file.string, 1, 2) == 0) }
    try host.replace(file, with: Array("new".utf8), mode: 0o600)
    #expect(try host.text(file) == "new")
    #expect(mode(file) == 0o604)
    var found = stat()
    #expect(stat(file.string, &found) == 0)
    if isRoot { #expect(found.st_uid == 1 && found.st_gid == 2) }
  }

  @Test func aLinkStaysAndItsTargetIsReplaced() throws {
    let file = try scratch.file("file", "old")
    let link = scratch.path.appending("link")
    try host.createLink(link, to: "file")
    try host.replace(link, with: Array("new".utf8), mode: 0o600)
    #expect(try host.readLink(link) == "file")
    #expect(try host.text(file) == "new")
  }

  @Test func nothingIsLeftWhenItFails() throws {
    let directory = scratch.path.appending("directory")
    try host.createDirectory(directory)
    let failure = #expect(throws: Failure.self) { try host.replace(directory, with: [1], mode: 0o600) }
    #expect(failure?.code == .invalid)
    let long = String(repeating: "n", count: 250)
    #expect(throws: Failure.self) { try host.replace(scratch.path.appending(long), with: [1], mode: 0o600) }
    #expect(throws: Failure.self) {
      try host.replace(scratch.path.appending("none/file"), with: [1], mode: 0o600)
    }
    #expect(try host.list(scratch.path) == ["directory"])
  }

  @Test func aRelativePathIsReplacedInPlace() throws {
    let name = "quartet-relative-\(getpid())"
    defer { unlink(name) }
    try host.replace(FilePath(name), with: [65], mode: 0o600)
    #expect(try host.text(FilePath(name)) == "A")
  }

  @Test func readersSeeOneOfTheTexts() async throws {
    let file = try scratch.file("file", String(repeating: "a", count: 100_000))
    let host = host
    try await withThrowingTaskGroup(of: Void.self) { group in
      for letter in ["b", "c"] {
        group.addTask {
          for _ in 0..<20 {
            try host.replace(file, with: Array(String(repeating: letter, count: 100_000).utf8), mode: 0o600)
          }
        }
      }
      group.addTask {
        for _ in 0..<40 {
          let bytes = try host.read(file)
          #expect(bytes.count == 100_000 && Set(bytes).count == 1)
        }
      }
      try await group.waitForAll()
    }
    #expect(try host.list(scratch.path) == ["file"])
  }
}
