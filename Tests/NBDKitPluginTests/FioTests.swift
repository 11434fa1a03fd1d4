import Glibc
import HostInterface
import LinuxHost
import SystemPackage
import Testing

/// fio's own verification (fio(1), "verify"), by its client of NBD.
///
/// Servers that are killed are for ``CrashTests``: fio 3.33 waits for ever where its server is gone.
@Suite(.serialized) struct FioTests {
  private func fio(_ socket: FilePath, _ arguments: [String]) async throws {
    let size = "8m"
    let result = try await LocalHost().run(
      [
        "fio", "--name=load", "--ioengine=nbd", "--uri=nbd+unix:///data?socket=\(socket)",
        "--rw=randwrite", "--bs=4k", "--iodepth=16", "--size=\(size)", "--verify=crc32c", "--randseed=17",
        "--aux-path=\(socket.removingLastComponent())",
      ] + arguments,
      environment: ["PATH": "/usr/bin:/bin"], input: [], limit: .seconds(60))
    let text = String(decoding: result.output, as: UTF8.self) + result.errors
    #expect(result.status == 0, "\(text)")
  }

  @Test func whatFioWritesItReadsThoughALegGoes() async throws {
    let pool = try ScratchPool()
    let server = try Server(pool)
    try #require(server.notice() == "READY=1", "\(server.messages)")
    let socket = server.socket
    async let written = fio(socket, ["--rate_iops=1500", "--do_verify=1"])
    try await pool.waitUntilWritten(1 << 20)
    try await pool.perform(.detachLeg(address: pool.legs[0].string))
    try await written
    // The leg comes back, and serves reads.
    try await pool.perform(.attachLeg(address: pool.legs[0].string, discard: false))
    try await fio(server.socket, ["--verify_only=1"])
    try server.stop()
    #expect(try pool.differences() == [])
  }
}
