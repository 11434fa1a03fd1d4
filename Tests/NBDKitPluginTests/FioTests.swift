import Glibc
import HostInterface
import LinuxHost
import SystemPackage
import Testing

/// fio's own verification (fio(1), "verify"), by its client of NBD.
@Suite(.serialized) struct FioTests {
  private func fio(_ socket: FilePath, _ arguments: [String], expecting status: Int32? = 0) async throws
    -> String
  {
    let size = "8m"
    let result = try await LocalHost().run(
      [
        "fio", "--name=load", "--ioengine=nbd", "--uri=nbd+unix:///data?socket=\(socket)",
        "--rw=randwrite", "--bs=4k", "--iodepth=16", "--size=\(size)", "--verify=crc32c", "--randseed=17",
        "--aux-path=\(socket.removingLastComponent())",
      ] + arguments,
      environment: ["PATH": "/usr/bin:/bin"], input: [], limit: .seconds(60))
    let text = String(decoding: result.output, as: UTF8.self) + result.errors
    if let status { #expect(result.status == status, "\(text)") }
    return text
  }

  @Test func whatFioWritesItReadsThoughALegGoes() async throws {
    let pool = try ScratchPool()
    let server = try Server(pool)
    try #require(server.notice() == "READY=1", "\(server.messages)")
    let socket = server.socket
    async let written = fio(socket, ["--rate_iops=1500", "--do_verify=1"])
    try await pool.waitUntilWritten(1 << 20)
    try await pool.perform(.detachLeg(address: pool.legs[0].string))
    _ = try await written
    // The leg comes back, and serves reads.
    try await pool.perform(.attachLeg(address: pool.legs[0].string, discard: false))
    _ = try await fio(server.socket, ["--verify_only=1"])
    try server.stop()
    #expect(try pool.differences() == [])
  }

  /// fio counts what was in flight as written; the blocks that it misses must be among those it had no answer for.
  @Test func afterAKillFioMissesOnlyWhatWasNotAnswered() async throws {
    let pool = try ScratchPool()
    var server = try Server(pool)
    try #require(server.notice() == "READY=1", "\(server.messages)")
    let socket = server.socket
    async let interrupted = fio(
      socket, ["--rate_iops=1500", "--do_verify=0", "--verify_state_save=1"], expecting: nil)
    try await pool.waitUntilWritten(2 << 20)
    server.signal(SIGKILL)
    let unanswered = Self.offsets(in: try await interrupted, behind: "write offset=")
    #expect(try server.end() == 128 + SIGKILL)
    server = try Server(pool)
    try #require(server.notice() == "READY=1", "\(server.messages)")
    let missed = Self.offsets(
      in: try await fio(
        server.socket, ["--verify_only=1", "--verify_state_load=1", "--continue_on_error=verify"],
        expecting: nil),
      behind: "requested block: offset=")
    #expect(!unanswered.isEmpty)
    #expect(missed.isSubset(of: unanswered), "\(missed.subtracting(unanswered)) are lost")
    server.signal(SIGKILL)
    _ = try server.end()
    #expect(try pool.differences() == [])
  }

  private static func offsets(in text: String, behind word: String) -> Set<Int> {
    var offsets: Set<Int> = []
    for line in text.split(separator: "\n") {
      guard let range = line.firstRange(of: word) else { continue }
      if let offset = Int(line[range.upperBound...].prefix { $0.isNumber }) { offsets.insert(offset) }
    }
    return offsets
  }
}
