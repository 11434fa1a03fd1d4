import Glibc
import HostInterface
import LinuxHost
import SystemPackage
import TargetCore
import Testing

/// Data through the wire against the backing file, both ways, by QEMU's initiator.
@Suite(.enabled(if: RealInitiator.isInstalled, RealInitiator.reason))
struct DataTests {
  /// A pattern in which every 8 bytes differ.
  private func pattern(_ bytes: Int, seed: UInt64) -> [UInt8] {
    var state = seed
    return (0..<bytes / 8).flatMap { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return withUnsafeBytes(of: state) { Array($0) }
    }
  }

  private func write(_ bytes: [UInt8], to path: FilePath) throws {
    let file = try FileDescriptor.open(
      path, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
    try file.closeAfter { _ = try file.writeAll(bytes) }
  }

  /// Runs qemu-img or qemu-io; the test is skipped where it has no iSCSI.
  private func qemu(_ argv: String...) async throws -> String {
    let host = LocalHost()
    guard host.executable(argv[0]) != nil else {
      try Test.cancel("Debian's package qemu-utils is not installed")
    }
    let result = try await host.run(argv, environment: [:], input: [], limit: .seconds(120))
    if result.errors.contains("Unknown protocol 'iscsi'") || result.errors.contains("Unknown driver 'iscsi'")
    {
      try Test.cancel("Debian's package qemu-block-extra is not installed")
    }
    let output = String(decoding: result.output, as: UTF8.self)
    try #require(result.status == 0, "\(argv): \(output)\(result.errors)")
    return output
  }

  @Test(arguments: [(CacheMode.through, "rdwr"), (.back, "rdwr"), (.through, "aio")])
  func bothWays(_ way: (cache: CacheMode, store: String)) async throws {
    let size = 16 << 20
    let disk = try await Exported()
    let backing = try await disk.addUnit(1, bytes: UInt64(size)) {
      ($0.cache, $0.store) = (way.cache, way.store)
    }
    try await disk.perform(.allow(disk.name, .all))
    let (source, target) = (
      disk.tgtd.scratch.path.appending("source"), disk.tgtd.scratch.path.appending("target")
    )
    let written = pattern(size, seed: 7)
    try write(written, to: source)
    _ = try await qemu("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", source.string, disk.url())
    #expect(try LocalHost().read(.init(backing)) == written, "what was written is not what is stored")
    _ = try await qemu("qemu-img", "convert", "-f", "raw", "-O", "raw", disk.url(), target.string)
    #expect(try LocalHost().read(target) == written, "what is read is not what is stored")
    let others = pattern(size, seed: 8)
    let file = try FileDescriptor.open(FilePath(backing), .writeOnly)
    try file.closeAfter { _ = try file.writeAll(others) }
    _ = try await qemu("qemu-img", "convert", "-f", "raw", "-O", "raw", disk.url(), target.string)
    #expect(try LocalHost().read(target) == others, "what was stored behind its back is not what is read")
  }

  @Test func partsOfIt() async throws {
    let disk = try await Exported.disk(bytes: 4 << 20)
    let backing = disk.tgtd.scratch.path.appending("lun1")
    _ = try await qemu(
      "qemu-io", "-f", "raw", "-c", "write -P 0xab 0 512", "-c", "write -P 0xcd 1536 1024", "-c",
      "write -P 0xef 4193792 512", "-c", "flush", disk.url())
    let stored = try LocalHost().read(backing)
    #expect(stored[0..<512].allSatisfy { $0 == 0xab } && stored[512..<1536].allSatisfy { $0 == 0 })
    #expect(stored[1536..<2560].allSatisfy { $0 == 0xcd } && stored[2560..<4_193_792].allSatisfy { $0 == 0 })
    #expect(stored[4_193_792...].allSatisfy { $0 == 0xef } && stored.count == 4 << 20)
  }

  @Test func aReadOnlyUnitIsReadAndNotWritten() async throws {
    let disk = try await Exported.disk(bytes: 4 << 20) { $0.readOnly = true }
    let backing = disk.tgtd.scratch.path.appending("lun1")
    try write(pattern(4 << 20, seed: 9), to: backing)
    let target = disk.tgtd.scratch.path.appending("target")
    _ = try await qemu("qemu-img", "convert", "-f", "raw", "-O", "raw", disk.url(), target.string)
    #expect(try LocalHost().read(target) == pattern(4 << 20, seed: 9))
    let refused = try await LocalHost().run(
      ["qemu-io", "-f", "raw", "-c", "write -P 0xab 0 512", disk.url()], environment: [:], input: [],
      limit: .seconds(60))
    let output = String(decoding: refused.output, as: UTF8.self)
    #expect(refused.status != 0 || output.contains("failed"), "\(output)")
    #expect(try LocalHost().read(backing) == pattern(4 << 20, seed: 9))
  }

  @Test func twoUnitsDoNotMix() async throws {
    let disk = try await Exported.disk(bytes: 1 << 20)
    let second = try await disk.addUnit(2, bytes: 1 << 20)
    _ = try await qemu("qemu-io", "-f", "raw", "-c", "write -P 0x11 0 1M", disk.url(lun: 1))
    _ = try await qemu("qemu-io", "-f", "raw", "-c", "write -P 0x22 0 1M", disk.url(lun: 2))
    let first = disk.tgtd.scratch.path.appending("lun1")
    #expect(try LocalHost().read(first).allSatisfy { $0 == 0x11 })
    #expect(try LocalHost().read(.init(second)).allSatisfy { $0 == 0x22 })
  }

  /// Data that was there before it was exported, and is there after it was removed.
  @Test func dataOutlivesTheTarget() async throws {
    let disk = try await Exported.disk(bytes: 1 << 20)
    _ = try await qemu("qemu-io", "-f", "raw", "-c", "write -P 0x33 0 1M", disk.url())
    try await disk.perform(.deleteTarget(disk.name, force: false))
    #expect(try LocalHost().read(disk.tgtd.scratch.path.appending("lun1")).allSatisfy { $0 == 0x33 })
  }
}
