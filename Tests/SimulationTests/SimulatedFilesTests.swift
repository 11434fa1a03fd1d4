import HostInterface
import Simulation
import SystemPackage
import Testing

@Suite struct SimulatedFilesTests {
  let host = SimulatedHost()

  init() {
    host.addFile("/srv/file", text: "text\n")
    host.addDirectory("/srv/directory/below")
    host.addBlockDevice("/dev/vg1/lun1", size: 8 << 20)
    host.addCharacterDevice("/dev/null", number: "1:3")
  }

  @Test func failuresAreThoseOfLinux() {
    let host = self.host
    let cases: [(Failure.Code, Errno, @Sendable () throws -> Void)] = [
      (.notFound, .noSuchFileOrDirectory, { _ = try host.read("/srv/missing") }),
      (.notFound, .noSuchFileOrDirectory, { try host.write([1], to: "/srv/missing") }),
      (.refused, .notDirectory, { _ = try host.read("/srv/file/below") }),
      (.refused, .isDirectory, { _ = try host.read("/srv/directory") }),
      (.refused, .isDirectory, { try host.write([1], to: "/srv/directory") }),
      (.refused, .notDirectory, { _ = try host.list("/srv/file") }),
      (.notFound, .noSuchFileOrDirectory, { _ = try host.list("/srv/missing") }),
      (.exists, .fileExists, { try host.createDirectory("/srv/directory") }),
      (.exists, .fileExists, { try host.createDirectory("/") }),
      (.exists, .fileExists, { try host.createDirectory("/srv/directory/..") }),
      (.refused, .invalidArgument, { try host.removeDirectory("/srv/directory/.") }),
      (.notFound, .noSuchFileOrDirectory, { try host.createDirectory("/srv/missing/below") }),
      (.refused, .directoryNotEmpty, { try host.removeDirectory("/srv/directory") }),
      (.refused, .notDirectory, { try host.removeDirectory("/srv/file") }),
      (.notFound, .noSuchFileOrDirectory, { try host.removeDirectory("/srv/missing") }),
      (.refused, .isDirectory, { try host.removeFile("/srv/directory") }),
      (.exists, .fileExists, { try host.createLink("/srv/file", to: "/srv/directory") }),
      (.refused, .invalidArgument, { _ = try host.readLink("/srv/file") }),
      (.notFound, .noSuchFileOrDirectory, { try host.replace("/srv/missing/below", with: [], mode: 0o600) }),
    ]
    for (index, (code, number, body)) in cases.enumerated() {
      let failure = #expect(throws: Failure.self, "case \(index)") { try body() }
      #expect(failure?.code == code, "case \(index)")
      #expect(failure?.errno == number, "case \(index)")
    }
  }

  @Test func writesStartAtTheBeginningAndReplacementsAreWhole() throws {
    try host.write(Array("TE".utf8), to: "/srv/file")
    #expect(try host.text("/srv/file") == "TExt\n")
    try host.write(Array("longer text".utf8), to: "/srv/file")
    #expect(try host.text("/srv/file") == "longer text")
    try host.replace("/srv/file", with: Array("new".utf8), mode: 0o644)
    #expect(try host.text("/srv/file") == "new")
    #expect(try host.status("/srv/file")?.size == 3)
    try host.replace("/srv/another", with: [], mode: 0o644)
    #expect(try host.list("/srv") == ["another", "directory", "file"])
    let failure = #expect(throws: Failure.self) { try host.replace("/srv/directory", with: [], mode: 0o644) }
    #expect(failure?.code == .invalid)
  }

  @Test func linksAreFollowedButNotRemovedWithWhatTheyLeadTo() throws {
    try host.createLink("/srv/link", to: "directory/../file")
    #expect(try host.text("/srv/link") == "text\n")
    #expect(try host.readLink("/srv/link") == "directory/../file")
    #expect(try host.status("/srv/link")?.identity == host.status("/srv/file")?.identity)
    try host.replace("/srv/link", with: [0x31], mode: 0o600)
    #expect(try host.text("/srv/file") == "1")
    try host.removeFile("/srv/link")
    #expect(try host.status("/srv/file") != nil)
    try host.createLink("/srv/loop", to: "/srv/loop")
    let failure = #expect(throws: Failure.self) { _ = try host.status("/srv/loop") }
    #expect(failure?.errno == .tooManySymbolicLinkLevels)
    try host.createLink("/srv/dangling", to: "/srv/missing")
    #expect(try host.status("/srv/dangling") == nil)
    #expect(try host.status("/var/run/../run") == host.status("/run"))
  }

  @Test func devicesHaveTheirSizeAndOneIdentityUnderAllNames() throws {
    host.addBlockDevice("/dev/dm-7", size: 8 << 20, number: "253:7")
    try host.createLink("/dev/mapper-lun", to: "dm-7")
    let status = try #require(try host.status("/dev/mapper-lun"))
    #expect(status == FileStatus(kind: .blockDevice, size: 8 << 20, identity: "253:7"))
    #expect(try host.status("/dev/vg1/lun1")?.identity == "253:0")
    host.resize("/dev/dm-7", to: 16 << 20)
    #expect(try host.status("/dev/mapper-lun")?.size == 16 << 20)
    #expect(try host.holders(of: "/dev/dm-7").isEmpty)
    host.mount("/dev/dm-7", at: "/mnt/data")
    #expect(try host.holders(of: "/dev/mapper-lun") == [Holder("mounted at /mnt/data")])
    let busy = #expect(throws: Failure.self) { try host.removeDirectory("/mnt/data") }
    #expect(busy?.code == .inUse)
    let missing = #expect(throws: Failure.self) { _ = try host.holders(of: "/dev/missing") }
    #expect(missing?.code == .notFound)
  }

  @Test func accessIsRefused() throws {
    host.setAccess(.readOnly, to: "/srv/file")
    #expect(try host.text("/srv/file") == "text\n")
    let readOnly = #expect(throws: Failure.self) { try host.write([1], to: "/srv/file") }
    #expect(readOnly?.code == .permission)
    #expect(readOnly?.errno == .readOnlyFileSystem)
    host.setAccess(.none, to: "/srv/file")
    let denied = #expect(throws: Failure.self) { _ = try host.read("/srv/file") }
    #expect(denied?.errno == .permissionDenied)
  }

  @Test func aLargeFileTakesNoMemoryAndIsNotRead() throws {
    host.addFile("/srv/large", size: 1 << 50)
    #expect(try host.status("/srv/large")?.size == 1 << 50)
    let failure = #expect(throws: Failure.self) { _ = try host.read("/srv/large") }
    #expect(failure?.code == .refused)
    host.addFile("/srv/zeros", size: 4)
    #expect(try host.read("/srv/zeros") == [0, 0, 0, 0])
  }
}
