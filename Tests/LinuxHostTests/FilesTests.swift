import Glibc
import HostInterface
import LinuxHost
import SystemPackage
import Testing

@Suite struct FilesTests {
  let host = LocalHost()
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  @Test func readsFilesWhoseSizeStatDoesNotTell() throws {
    #expect(try host.text("/proc/self/comm").hasSuffix("\n"))
    #expect(try host.text("/proc/self/mountinfo").contains(" / "))
  }

  @Test(arguments: [0, 1, 65535, 65536, 65537, 300_000])
  func readsEveryLength(_ length: Int) throws {
    let text = String((0..<length).map { Character(Unicode.Scalar(UInt8(97 + $0 % 26))) })
    #expect(try host.text(scratch.file("file", text)) == text)
  }

  @Test func refusesAFileWithoutEnd() {
    let failure = #expect(throws: Failure.self) { try host.read("/dev/zero") }
    #expect(failure?.code == .refused)
    #expect(failure?.problem.contains("67108864") == true)
  }

  @Test func aPipeThatNobodyWritesDoesNotBlock() throws {
    let pipe = scratch.path.appending("pipe")
    #expect(mkfifo(pipe.string, 0o600) == 0)
    #expect(try host.read(pipe) == [])
  }

  @Test func failuresNameThePathAndTheCode() throws {
    let missing = scratch.path.appending("missing")
    let failure = #expect(throws: Failure.self) { try host.read(missing) }
    #expect(failure?.code == .notFound)
    #expect(failure?.subject == missing.string)
    #expect(failure?.errno == .noSuchFileOrDirectory)
    #expect(throws: Failure.self) { try host.read(scratch.path) }
  }

  @Test func attributesAreToldAsFarAsTheyAreThere() throws {
    let folder = scratch.path.appending("folder")
    try host.createDirectory(folder)
    _ = try (scratch.file("folder/one", "1\n"), scratch.file("two", ""))
    #expect(
      try host.attributes(["one", "../two", "three", "."], in: folder) == [Array("1\n".utf8), [], nil, nil])
    #expect(try host.attributes(["one"], in: scratch.path.appending("missing")) == [nil])
    #expect(try host.attributes(["comm"], in: "/proc/self") == [host.read("/proc/self/comm")])
  }

  @Test func writesAreOneWriteToAFileThatExists() throws {
    let file = try scratch.file("file", "123456")
    try host.write(Array("abc".utf8), to: file)
    #expect(try host.text(file) == "abc456")
    let missing = scratch.path.appending("missing")
    #expect(throws: Failure.self) { try host.write([1], to: missing) }
    #expect(try host.status(missing) == nil)
  }

  @Test func whatTheDeviceAnswersIsTold() {
    let failure = #expect(throws: Failure.self) { try host.write([1], to: "/dev/full") }
    #expect(failure?.errno == .noSpace)
  }

  @Test func statusFollowsLinksAndIdentifies() throws {
    let file = try scratch.file("file", "12345")
    let link = scratch.path.appending("link")
    try host.createLink(link, to: "file")
    let status = try #require(try host.status(link))
    #expect(status.kind == .file && status.size == 5)
    #expect(try host.status(file)?.identity == status.identity)
    #expect(try host.status(scratch.file("other"))?.identity != status.identity)
    #expect(try host.readLink(link) == "file")
    #expect(try host.status("/dev/null")?.identity == "1:3")
    #expect(try host.status("/dev/null")?.kind == .characterDevice)
    #expect(try host.status(file.appending("below")) == nil)
    try host.createLink(scratch.path.appending("dangling"), to: "nowhere")
    #expect(try host.status(scratch.path.appending("dangling")) == nil)
  }

  @Test func listsAreSortedByBytes() throws {
    for name in ["b", "a10", "a9", "B", "ä"] { _ = try scratch.file(name) }
    #expect(try host.list(scratch.path) == ["B", "a10", "a9", "b", "ä"])
    let failure = #expect(throws: Failure.self) { try host.list(scratch.path.appending("none")) }
    #expect(failure?.code == .notFound)
  }

  @Test func directoriesAndLinksComeAndGo() throws {
    let directory = scratch.path.appending("directory")
    try host.createDirectory(directory)
    #expect(try host.status(directory)?.kind == .directory)
    #expect(#expect(throws: Failure.self) { try host.createDirectory(directory) }?.code == .exists)
    _ = try scratch.file("directory/file")
    #expect(throws: Failure.self) { try host.removeDirectory(directory) }
    try host.removeFile(directory.appending("file"))
    try host.removeDirectory(directory)
    #expect(try host.status(directory) == nil)
    #expect(throws: Failure.self) { try host.removeFile(directory) }
    #expect(throws: Failure.self) { try host.readLink(scratch.path) }
  }
}
