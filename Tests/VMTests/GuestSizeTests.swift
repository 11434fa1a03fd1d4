import HostInterface
import LinuxHost
import SystemPackage
import Testing
import VirtualMachine

@testable import ReplicatedVolume

/// Sizes that are computed before anything is touched, against what DRBD and LVM make of the same devices.
///
/// A failure tells the size, with which it can be tried again.
@Suite(.serialized, .enabled(if: Guest.isHere, "needs a kernel of its own; VMTests run it in a guest"))
struct GuestSizeTests {
  private let host = LocalHost()

  /// Gives a mapped device so many bytes, on a sparse disk of several TiB.
  private func device(_ name: String, _ bytes: UInt64, on disk: String = "/dev/vda") async throws {
    try host.loadModule("dm_mod")
    try await shell(
      """
      export DM_DISABLE_UDEV=1
      [ ! -e /dev/mapper/$1 ] || dmsetup remove $1
      dmsetup create $1 --table "0 $2 linear $3 0"
      """, name, "\(bytes / 512)", disk)
  }

  /// The bytes that the kernel has for data with metadata that drbdmeta made; nil when one of them refuses the devices.
  ///
  /// - Parameter metadata: A device for metadata alone.
  private func attached(metadata: String? = nil) async throws -> (usable: UInt64, metadata: UInt64)? {
    try host.loadModule("drbd")
    let script = """
      export LC_ALL=C
      drbdmeta --force 0 v08 ${1:-/dev/mapper/disk} $2 create-md || exit 0
      drbdmeta 0 v08 ${1:-/dev/mapper/disk} $2 dump-md | sed -n 's/^# md_size_sect/metadata/p'
      drbdsetup new-resource sized
      drbdsetup new-minor sized 0 0
      if [ -n "$1" ]; then index=flexible; else index=internal; fi
      if drbdsetup attach 0 /dev/mapper/disk ${1:-/dev/mapper/disk} $index; then
        echo usable $(($(cat /sys/block/drbd0/size) * 512))
      fi
      drbdsetup down sized
      """
    let output = try await shell(script, metadata ?? "", metadata == nil ? "internal" : "flex-external")
    let words = output.split(whereSeparator: \.isWhitespace).map(String.init)
    func number(behind word: String) -> UInt64? {
      words.firstIndex(of: word).flatMap { words.indices.contains($0 + 1) ? UInt64(words[$0 + 1]) : nil }
    }
    guard let usable = number(behind: "usable") else { return nil }
    return (usable, try #require(number(behind: "metadata")) * 512)
  }

  /// Sizes about the places where a further block of the bitmap begins, and any others.
  private var sizes: [UInt64] {
    let edges: [UInt64] = [1 << 20, 128 << 20, 1 << 30]
    let random = (0..<4).map { _ in
      UInt64.random(in: 1 << 20...1 << UInt64.random(in: 21...36)) / 512 * 512
    }
    return edges.flatMap { [$0 - 4096, $0 - 512, $0, $0 + 512, $0 + 4096] } + [1 << 40] + random
  }

  @Test func metadataInsideLeavesWhatWasComputed() async throws {
    for size in sizes {
      try await device("disk", size)
      let real = try await attached()
      guard let computed = try? MetadataSize(disk: size) else {
        #expect(real == nil, "a disk of \(size) bytes is taken")
        continue
      }
      #expect(real?.usable == computed.usable, "disk of \(size) bytes")
      #expect(real?.metadata == computed.bytes, "disk of \(size) bytes")
    }
  }

  @Test func metadataOnADeviceOfItsOwnLeavesTheWholeDisk() async throws {
    for size in [512, 1 << 20, (40 << 20) - 512, (1 << 30) + 4096, (300 << 30) + 512] as [UInt64] {
      let needed = MetadataSize.onDeviceOfItsOwn(disk: size)
      try await device("disk", size)
      try await device("metadata", needed, on: "/dev/vdb")
      #expect(try await attached(metadata: "/dev/mapper/metadata")?.usable == size, "disk of \(size) bytes")
      // With less it is refused, or a part of the disk is not used.
      try await device("metadata", needed - 4096, on: "/dev/vdb")
      let usable = try await attached(metadata: "/dev/mapper/metadata")?.usable
      #expect(usable.map { $0 < size } ?? true, "disk of \(size) bytes")
      if let usable {
        #expect(usable == MetadataSize.usable(disk: size, besides: needed - 4096), "disk of \(size) bytes")
      }
    }
  }

  @Test func poolsAndVolumesHaveTheExtentsThatWereComputed() async throws {
    try host.replace(
      "/etc/lvm/lvmlocal.conf",
      with: Array("devices {\n\tglobal_filter = [ \"a|^/dev/mapper/disk$|\", \"r|.*|\" ]\n}\n".utf8),
      mode: 0o644)
    let random = (0..<2).map { _ in UInt64.random(in: 4096...1 << UInt64.random(in: 14...31)) * 512 }
    let devices = [4096, 10239, 10240, 10241, 1 << 21, 1 << 31].map { $0 * 512 } + random
    for (index, size) in devices.enumerated() {
      try await device("disk", size)
      for exponent in [[10, 22], [12, 25], [16, 30]][index % 3] as [UInt64] {
        let extent: UInt64 = 1 << exponent
        let count = Pool.extents(onDevice: size, of: extent)
        let wanted = UInt64.random(in: 1...max(count * extent, 1))
        try await shell(
          """
          export DM_DISABLE_UDEV=1
          lvm vgcreate --yes --physicalextentsize $1b sized /dev/mapper/disk
          [ $2 = 0 ] || lvm lvcreate --activate n --zero n --size $2b --name one sized
          """, "\(extent)", count == 0 ? "0" : "\((wanted + 511) / 512 * 512)")
        let pool = try #require(try await VolumeDriver(on: host).read().pools?.pools.first)
        let told: Comment = "\(size) bytes, extents of \(extent), volume of \(wanted)"
        #expect(pool.extentSize == extent && pool.extents == count, told)
        #expect(pool.devices.map(\.deviceSize) == [size], told)
        if count > 0 {
          let extents = try Pool.extents(for: wanted, of: extent)
          #expect(pool.volumes.map(\.size) == [extents * extent] && pool.free == count - extents, told)
          #expect(pool.map.reduce(0) { $0 + $1.count } == count, told)
        }
        try await shell(
          "export DM_DISABLE_UDEV=1; lvm vgremove --yes --force sized; lvm pvremove /dev/mapper/disk")
      }
    }
  }
}
