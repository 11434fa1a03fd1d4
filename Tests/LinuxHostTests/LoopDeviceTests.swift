import Glibc
import HostInterface
import LinuxHost
import SystemPackage
import Testing

@Suite(.enabled(if: LoopDevice.available, "needs root and loop devices"), .timeLimit(.minutes(2)))
struct LoopDeviceTests {
  let host = LocalHost()
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func command(_ argv: String...) async throws {
    let result = try await host.run(argv, environment: [:], input: [], limit: .seconds(60))
    try #require(result.status == 0, "\(argv): \(result.errors)")
  }

  @Test func aDeviceHasItsCapacityAndNumber() throws {
    let loop = try LoopDevice(in: scratch, size: 3 << 20)
    let status = try #require(try host.status(loop.path))
    #expect(status.kind == .blockDevice)
    #expect(status.size == 3 << 20)
    #expect(status.identity == "7:\(loop.path.string.dropFirst("/dev/loop".count))")
  }

  @Test func aWriteBehindTheEndIsShort() throws {
    let loop = try LoopDevice(in: scratch, size: 4096)
    let failure = #expect(throws: Failure.self) {
      try host.write([UInt8](repeating: 1, count: 8192), to: loop.path)
    }
    #expect(failure?.problem == "took only 4096 of 8192 bytes of one write")
  }

  @Test func aFileBehindALoopDeviceIsHeld() throws {
    let loop = try LoopDevice(in: scratch, size: 1 << 20)
    #expect(try host.holders(of: loop.file) == [Holder("held by \(loop.path)")])
    #expect(try host.holders(of: loop.path) == [])
    let upper = try FileDescriptor.open(loop.path, .readOnly)
    defer { try? upper.close() }
    #expect(try host.holders(of: loop.path) == [])
  }

  @Test func aMountedDeviceIsHeld() async throws {
    let loop = try LoopDevice(in: scratch, size: 16 << 20)
    let point = scratch.path.appending("mount point")
    try host.createDirectory(point)
    try await command("mkfs.ext4", "-q", loop.path.string)
    try await command("mount", loop.path.string, point.string)
    let holders = try host.holders(of: loop.path)
    try await command("umount", point.string)
    #expect(holders == [Holder("mounted at \(point)")])
    #expect(try host.holders(of: loop.path) == [])
  }

  @Test func aDeviceThatSomeoneOpenedAloneIsHeld() throws {
    let loop = try LoopDevice(in: scratch, size: 1 << 20)
    let file = open(loop.path.string, O_RDWR | O_EXCL | O_CLOEXEC)
    try #require(file >= 0)
    #expect(try host.holders(of: loop.path) == [Holder("held by a program or driver that opened it alone")])
    close(file)
    #expect(try host.holders(of: loop.path) == [])
  }

  @Test func swapIsHeld() async throws {
    let loop = try LoopDevice(in: scratch, size: 1 << 20)
    try await command("mkswap", loop.path.string)
    let on = try await host.run(
      ["swapon", loop.path.string], environment: [:], input: [], limit: .seconds(60))
    guard on.status == 0 else {
      print("skipped: swapon answers \(on.errors)")
      return
    }
    let holders = try host.holders(of: loop.path)
    try await command("swapoff", loop.path.string)
    #expect(holders == [Holder("used as swap")])
  }

  @Test func aFullFileSystemKeepsTheOldFileAndNoOther() async throws {
    let point = scratch.path.appending("full")
    try host.createDirectory(point)
    try await command("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", point.string)
    let file = point.appending("file")
    try host.replace(file, with: [1], mode: 0o600)
    let failure = #expect(throws: Failure.self) {
      try host.replace(file, with: [UInt8](repeating: 2, count: 1 << 20), mode: 0o600)
    }
    let (bytes, names) = (try? host.read(file), try? host.list(point))
    try await command("umount", point.string)
    #expect(failure?.errno == .noSpace)
    #expect(bytes == [1])
    #expect(names == ["file"])
  }

  /// A process that waits for a frozen file system gets no signal, not even SIGKILL.
  @Test func aCommandThatCannotBeKilledIsGivenUp() async throws {
    let loop = try LoopDevice(in: scratch, size: 16 << 20)
    let point = scratch.path.appending("frozen")
    try host.createDirectory(point)
    try await command("mkfs.ext4", "-q", loop.path.string)
    try await command("mount", loop.path.string, point.string)
    try await command("fsfreeze", "--freeze", point.string)
    let failure = await #expect(throws: Failure.self) {
      try await host.run(
        ["touch", point.appending("file").string], environment: [:], input: [], limit: .milliseconds(100))
    }
    try await command("fsfreeze", "--unfreeze", point.string)
    try await command("umount", "--lazy", point.string)
    #expect(failure?.code == .stillRunning)
    #expect(failure?.problem == "ran longer than 0.1 seconds and cannot be killed")
  }

  @Test func freeFilesAndMissingOnes() throws {
    #expect(try host.holders(of: scratch.file("free")) == [])
    let failure = #expect(throws: Failure.self) { try host.holders(of: scratch.path.appending("none")) }
    #expect(failure?.code == .notFound)
  }
}
