import HostInterface
import Testing

@testable import ReplicatedVolume

@Suite struct SizeTests {
  @Test func whatTheKernelHadLeftOnTheRecordedDisks() throws {
    #expect(try MetadataSize(disk: 256 << 20).usable == 262_100 << 10)
    #expect(try MetadataSize(disk: 400_000 * 512).usable == 199_956 << 10)
    // `md_size_sect 88` of `drbdadm dump-md`.
    #expect(try MetadataSize(disk: 256 << 20).bytes == 88 * 512)
  }

  @Test func aGibibyteTakes32KiBOfBitmap() throws {
    for gibibytes in [1, 2, 10, 1000, 1 << 20] as [UInt64] {
      #expect(try MetadataSize(disk: gibibytes << 30).bytes == gibibytes * 32 << 10 + 36 << 10)
    }
  }

  @Test func itGrowsWithTheDiskAndThePeersAndLeavesWhole4KiB() throws {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<2000 {
      let disk = UInt64.random(in: 1 << 20...1 << 45, using: &generator)
      let one = try MetadataSize(disk: disk)
      #expect(
        one.usable % 4096 == 0 && one.bytes % 4096 == 0 && one.usable + one.bytes <= disk, "disk \(disk)")
      // Every block of 4 KiB of what is left has its bit.
      #expect((one.bytes - 36864) * 8 >= one.usable / 4096, "disk \(disk)")
      #expect(try MetadataSize(disk: disk + 4096).bytes >= one.bytes, "disk \(disk)")
      #expect(try MetadataSize(disk: disk, peers: 3).bytes >= one.bytes, "disk \(disk)")
    }
  }

  @Test func disksThatAreTooSmallOrTooLargeAreRefused() throws {
    for size in [0, 512, 40 << 10, (1 << 20) - 512, 1 << 51] as [UInt64] {
      let failure = #expect(throws: Failure.self) { try MetadataSize(disk: size) }
      #expect(failure?.code == .invalid)
    }
  }

  @Test func aDeviceForMetadataAloneHasRoomForABitOfEachBlockAndNeverLessThanTheKernelTakes() {
    #expect(MetadataSize.onDeviceOfItsOwn(disk: 512) == 1 << 20)
    #expect(MetadataSize.onDeviceOfItsOwn(disk: 1 << 30) == 1 << 20)
    #expect(MetadataSize.onDeviceOfItsOwn(disk: 1 << 40) == 65608 * 512)
  }

  @Test func bytesAreRoundedUpToExtents() throws {
    let size: UInt64 = 4 << 20
    #expect(try Pool.extents(for: 1, of: size) == 1)
    #expect(try Pool.extents(for: size, of: size) == 1)
    #expect(try Pool.extents(for: size + 1, of: size) == 2)
    #expect(throws: Failure.self) { try Pool.extents(for: 0, of: size) }
    #expect(throws: Failure.self) { try Pool.extents(for: .max, of: size) }
    #expect(throws: Failure.self) { try MetadataSize(disk: 1 << 30, peers: .max) }
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<2000 {
      let bytes = UInt64.random(in: 1...1 << 60, using: &generator)
      let size = UInt64(1) << UInt64.random(in: 10...34, using: &generator)
      let count = try Pool.extents(for: bytes, of: size)
      #expect(
        (count - 1) * size < bytes && bytes - (count - 1) * size <= size,
        "\(bytes) bytes in extents of \(size)")
    }
  }

  @Test func aDevicesExtentsAreWhatLVMSaid() {
    // The recorded pool: 63 extents of 4 MiB on a device of 262100 KiB.
    #expect(Pool.extents(onDevice: 262_100 << 10, of: 4 << 20) == 63)
    #expect(Pool.extents(onDevice: 1 << 20, of: 4 << 20) == 0)
  }
}
