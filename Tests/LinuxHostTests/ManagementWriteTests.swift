import Glibc
import HostInterface
import LinuxHost
import SystemPackage
import Testing

@Suite struct ManagementWriteTests {
  /// What a pipe's writer sends, waiting for the writer.
  private static func wholeText(_ pipe: FilePath) throws -> String {
    let file = try FileDescriptor.open(pipe, .readOnly)
    return try file.closeAfter {
      var bytes = [UInt8](repeating: 0, count: 100)
      let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
      return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
  }

  @Test func writesAsAPlainWriteDoes() async throws {
    let scratch = try Scratch()
    let host = LocalHost()
    let file = try scratch.file("f", "old")
    try await host.write(Array("new".utf8), to: file, limit: .seconds(10))
    #expect(try host.text(file) == "new")
    let failure = await #expect(throws: Failure.self) {
      try await host.write([1], to: scratch.path.appending("missing"), limit: .seconds(10))
    }
    #expect(failure?.code == .notFound)
  }

  @Test func aWriteThatBlocksGoesOnBehindItsLimit() async throws {
    let scratch = try Scratch()
    let host = LocalHost()
    let pipe = scratch.path.appending("pipe")
    #expect(mkfifo(pipe.string, 0o600) == 0)
    // Nobody reads: the thread waits in the kernel.
    let failure = await #expect(throws: Failure.self) {
      try await host.write(Array("late".utf8), to: pipe, limit: .milliseconds(30))
    }
    #expect(failure?.code == .stillRunning)
    #expect(try Self.wholeText(pipe) == "late")
  }

  @Test func aCancelledTaskDoesNotWait() async throws {
    let scratch = try Scratch()
    let pipe = scratch.path.appending("pipe")
    #expect(mkfifo(pipe.string, 0o600) == 0)
    let write = Task { try await LocalHost().write(Array("late".utf8), to: pipe, limit: .seconds(600)) }
    write.cancel()
    let failure = await #expect(throws: Failure.self) { try await write.value }
    #expect(failure?.code == .interrupted)
    #expect(try Self.wholeText(pipe) == "late")
  }
}
