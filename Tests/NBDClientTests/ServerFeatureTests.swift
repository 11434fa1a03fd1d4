import BlockEngine
import Glibc
import HostInterface
import LinuxBlockDevices
import NBDClient
import SystemPackage
import Testing

/// What a leg does with what a server can, and cannot do.
@Suite struct ServerFeatureTests {
  let loop: AIOLoop
  let scratch: Scratch

  init() throws {
    loop = try AIOLoop()
    scratch = try Scratch()
  }

  /// What nbdkit's log filter saw of one use of a leg, as words such as `Write` and `Flush`.
  private func requests(
    _ arguments: [String], _ use: (NBDLeg) throws -> Void
  ) throws -> [(verb: String, line: String)] {
    let log = scratch.directory.appending("requests")
    unlink(log.string)
    let server = try NBDServer.nbdkit(["--filter=log"] + arguments + ["logfile=\(log)"], in: scratch)
    let leg = try loop.connect(server.uri)
    try use(leg)
    try loop.finish { leg.end(atMost: .seconds(5), $0) }
    let file = try FileDescriptor.open(log, .readOnly)
    defer { try? file.close() }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
    return String(decoding: bytes.prefix(count), as: UTF8.self).split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ")
      // DATE TIME connection=N VERB id=... ; answers begin with three points.
      guard let place = words.firstIndex(where: { $0.hasPrefix("connection=") }), place + 1 < words.count
      else {
        return nil
      }
      let verb = words[place + 1]
      guard ["Read", "Write", "Flush", "Zero", "Trim"].contains(verb) else { return nil }
      return (String(verb), String(line))
    }
  }

  private func writeDurably(_ leg: NBDLeg) throws {
    try loop.finish { leg.submit(.write(offset: 4096, BlockBuffer(pattern(1, 8192)), durable: true), $0) }
    #expect(try loop.bytes(4096..<12288, of: leg) == pattern(1, 8192))
  }

  @Test func aDurableWriteHasFUA() throws {
    let seen = try requests(["memory", "1M"], writeDurably)
    #expect(seen.map(\.verb) == ["Write", "Read"])
    #expect(seen.first?.line.contains("fua=1") == true)
  }

  @Test func withoutFUAADurableWriteIsFollowedByAFlush() throws {
    let seen = try requests(["--filter=fua", "memory", "1M"], writeDurably)
    #expect(seen.map(\.verb) == ["Write", "Flush", "Read"])
  }

  @Test func withoutFlushEveryWriteHasFUA() throws {
    let plugin = [
      "eval", "get_size=echo 1M", "pread=head -c $3 /dev/zero", "pwrite=cat >/dev/null", "can_write=exit 0",
      "can_flush=exit 3", "can_fua=echo native",
    ]
    let seen = try requests(plugin) { leg in
      try loop.finish { leg.submit(.write(offset: 0, BlockBuffer(pattern(1, 4096)), durable: false), $0) }
      try loop.finish { leg.submit(.flush, $0) }
    }
    #expect(seen.map(\.verb) == ["Write"])
    #expect(seen.first?.line.contains("fua=1") == true)
  }

  @Test func withNeitherItIsNoLeg() throws {
    let server = try NBDServer.nbdkit(
      ["eval", "get_size=echo 1M", "pread=exit 1", "pwrite=exit 1", "can_write=exit 0", "can_flush=exit 3"],
      in: scratch)
    let failure = #expect(throws: Failure.self) { _ = try loop.connect(server.uri) }
    #expect(failure?.code == .refused)
    #expect(failure?.problem.contains("neither flush nor FUA") == true)
  }

  @Test func discardingIsWritingZeroes() throws {
    let seen = try requests(["memory", "1M"]) { leg in
      try loop.finish { leg.submit(.write(offset: 0, BlockBuffer(pattern(1, 8192)), durable: false), $0) }
      try loop.finish { leg.submit(.discard(offset: 0, count: 8192), $0) }
      #expect(try loop.bytes(0..<8192, of: leg).allSatisfy { $0 == 0 })
    }
    #expect(seen.map(\.verb) == ["Write", "Zero", "Read"])
  }

  @Test func withoutZeroesTheyAreWritten() throws {
    let seen = try requests(["--filter=nozero", "memory", "4M"]) { leg in
      try loop.finish { leg.submit(.write(offset: 0, BlockBuffer(pattern(1, 8192)), durable: false), $0) }
      try loop.finish { leg.submit(.writeZeroes(offset: 0, count: 5 << 19, durable: false), $0) }
      #expect(try loop.bytes(0..<8192, of: leg).allSatisfy { $0 == 0 })
    }
    #expect(seen.map(\.verb) == ["Write", "Write", "Write", "Write", "Read"])
  }

  @Test(arguments: [false, true]) func holesAreWhatTheServerTells(isQemu: Bool) throws {
    let server =
      isQemu
      ? try NBDServer.qemu(try scratch.file("remote", size: 4 << 20), in: scratch)
      : try NBDServer.nbdkit(["memory", "4M"], in: scratch)
    let leg = try loop.connect(server.uri)
    let data = BlockBuffer(pattern(1, 128 << 10))
    try loop.finish { leg.submit(.write(offset: 1 << 20, data, durable: false), $0) }
    #expect(
      try loop.value { leg.blockStatus(of: 0..<4 << 20, $0) } == [
        BlockStatus(count: 1 << 20, isHole: true), BlockStatus(count: 128 << 10, isHole: false),
        BlockStatus(count: 23 << 17, isHole: true),
      ])
    let part = (1 << 20) + 512..<(1 << 20) + 1024
    #expect(try loop.value { leg.blockStatus(of: part, $0) } == [BlockStatus(count: 512, isHole: false)])
    #expect {
      _ = try loop.value { leg.blockStatus(of: 0..<8 << 20, $0) }
    } throws: {
      ($0 as? Failure)?.code == .invalid
    }
  }

  @Test func aServerThatCannotTellHasDataOnly() throws {
    for plugin in [["--filter=noextents", "memory", "4M"], ["--no-sr", "memory", "4M"]] {
      let server = try NBDServer.nbdkit(plugin, in: scratch)
      let leg = try loop.connect(server.uri)
      let parts = try loop.value { leg.blockStatus(of: 0..<4 << 20, $0) }
      #expect(parts == [BlockStatus(count: 4 << 20, isHole: false)])
    }
  }

  @Test func aServerThatFailsToTellIsNoFailureOfAMirror() throws {
    let server = try NBDServer.nbdkit(
      ["--filter=error", "memory", "4M", "error-extents-rate=100%"], in: scratch)
    let leg = try loop.connect(server.uri)
    #expect {
      _ = try loop.value { leg.blockStatus(of: 0..<4096, $0) }
    } throws: {
      ($0 as? Failure)?.errno == .ioError
    }
    let second = try NBDServer.nbdkit(["memory", "4M"], in: scratch, name: "other")
    let other = try loop.connect(second.uri)
    try loop.finish {
      Mirror.create(
        on: [leg, other], id: Array(1...16), data: .identical, random: { .random(in: 1 ... .max) }, $0)
    }
    let mirror: Mirror = try loop.value {
      Mirror.open(on: [leg, other], clock: loop, random: { .random(in: 1 ... .max) }, $0)
    }
    let parts = try loop.value { mirror.blockStatus(of: 0..<4096, $0) }
    #expect(parts == [BlockStatus(count: 4096, isHole: false)])
    #expect(mirror.legStatus == [.upToDate, .upToDate])
    try loop.finish { mirror.close($0) }
    withExtendedLifetime(second) {}
  }

  @Test func requestsAreAsLargeAsTheServerTakesThem() throws {
    let policy = [
      "blocksize-minimum=4096", "blocksize-preferred=4096", "blocksize-maximum=64K",
      "blocksize-error-policy=error",
    ]
    let seen = try requests(["--filter=blocksize-policy", "memory", "1M"] + policy) { leg in
      #expect(leg.logicalBlockSize == 4096)
      let data = pattern(3, 160 << 10)
      try loop.finish { leg.submit(.write(offset: 4096, BlockBuffer(data), durable: false), $0) }
      #expect(try loop.bytes(4096..<164 << 10, of: leg) == data)
      #expect(
        try loop.failure { leg.submit(.read(offset: 512, BlockBuffer(count: 512)), $0) }?.code == .invalid)
    }
    #expect(seen.map(\.verb) == ["Write", "Write", "Write", "Read", "Read", "Read"])
  }

  @Test func largerBlocksThanALegHasAreRefused() throws {
    let server = try NBDServer.nbdkit(
      ["--filter=blocksize-policy", "memory", "1M", "blocksize-minimum=64K", "blocksize-preferred=64K"],
      in: scratch)
    let failure = #expect(throws: Failure.self) { _ = try loop.connect(server.uri) }
    #expect(failure?.code == .refused)
    #expect(failure?.problem.contains("65536") == true)
  }

  @Test func aReadOnlyExportIsRefused() throws {
    let server = try NBDServer.nbdkit(["-r", "memory", "1M"], in: scratch)
    let failure = #expect(throws: Failure.self) { _ = try loop.connect(server.uri) }
    #expect(failure?.code == .refused)
    #expect(failure?.problem.contains("read-only") == true)
  }

  @Test func anExportOfAnotherSizeThanBeforeIsRefused() throws {
    let server = try NBDServer.nbdkit(["memory", "1M"], in: scratch)
    var options = NBDLegOptions()
    options.size = 2 << 20
    let failure = #expect(throws: Failure.self) { _ = try loop.connect(server.uri, options) }
    #expect(failure?.code == .refused)
    #expect(failure?.problem == "the export has 1048576 bytes now, and had 2097152")
  }

  @Test(arguments: [("ENOSPC", Errno.noSpace), ("EPERM", .notPermitted), ("EIO", .ioError)])
  func anErrorOfTheServerFailsTheRequestAndNotTheConnection(word: String, code: Errno) throws {
    let server = try NBDServer.nbdkit(
      ["--filter=error", "memory", "1M", "error=\(word)", "error-pwrite-rate=100%"], in: scratch)
    let leg = try loop.connect(server.uri)
    let failure = try loop.failure {
      leg.submit(.write(offset: 4096, BlockBuffer(pattern(1, 4096)), durable: false), $0)
    }
    #expect(failure?.errno == code)
    #expect(failure?.problem == "cannot write 4096 bytes at 4096")
    #expect(failure?.remedy == "look into the log of the NBD server")
    #expect(try loop.bytes(0..<4096, of: leg).allSatisfy { $0 == 0 })
  }
}
