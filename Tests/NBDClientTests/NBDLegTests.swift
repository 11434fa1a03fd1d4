import BlockEngine
import Glibc
import HostInterface
import LinuxBlockDevices
import NBDClient
import SystemPackage
import Testing

/// What a leg does with servers that do what they should.
@Suite struct NBDLegTests {
  let loop: AIOLoop
  let scratch: Scratch

  init() throws {
    loop = try AIOLoop()
    scratch = try Scratch()
  }

  private func mirror(on devices: [any BlockDevice]) throws -> Mirror {
    try loop.finish {
      Mirror.create(
        on: devices, id: (1...16).map { $0 }, data: .identical, random: { .random(in: 1 ... .max) }, $0)
    }
    return try loop.value {
      Mirror.open(on: devices, clock: loop, random: { .random(in: 1 ... .max) }, $0)
    }
  }

  /// Writes, flushes, reads and zeroes, and looks at both legs.
  private func useMirror(with uri: String) throws {
    let file = try AIOFile(try scratch.file("local", size: 4 << 20), on: loop)
    let leg = try loop.connect(uri)
    #expect(leg.size == 4 << 20)
    #expect(leg.logicalBlockSize == 512)
    let mirror = try mirror(on: [leg, file])
    for number in 0..<32 {
      let data = pattern(number, 64 << 10)
      try loop.finish {
        mirror.submit(.write(offset: number * 64 << 10, BlockBuffer(data), durable: number % 3 == 0), $0)
      }
    }
    try loop.finish { mirror.submit(.flush, $0) }
    try loop.finish { mirror.submit(.discard(offset: 0, count: 512 << 10), $0) }
    try loop.finish { mirror.submit(.writeZeroes(offset: 512 << 10, count: 4096, durable: true), $0) }
    #expect(try loop.value { mirror.verify($0) } == [])
    for device in [mirror, leg, file] as [any BlockDevice] {
      #expect(try loop.bytes(0..<516 << 10, of: device).allSatisfy { $0 == 0 })
      let rest = try loop.bytes(516 << 10..<576 << 10, of: device)
      #expect(rest == Array(pattern(8, 64 << 10)[4096...]), "\(device.name)")
    }
    try loop.finish { mirror.close($0) }
    try loop.finish { leg.end(atMost: .seconds(5), $0) }
  }

  @Test func aMirrorOfAFileAndAnExportOfNBDKit() throws {
    let server = try NBDServer.nbdkit(["memory", "4M"], in: scratch)
    try useMirror(with: server.uri)
  }

  @Test func aMirrorOfAFileAndAnExportOfQemu() throws {
    let server = try NBDServer.qemu(try scratch.file("remote", size: 4 << 20), in: scratch)
    try useMirror(with: server.uri)
  }
}
