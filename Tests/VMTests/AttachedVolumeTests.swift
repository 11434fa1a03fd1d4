import HostInterface
import LinuxHost
import SystemPackage
import TargetCore
import Testing

extension InitiatorTests {
  /// A volume of an embedded pool as the kernel's NBD client shows it, which LIO exports as a block device.
  struct AttachedVolumeTests {
    private let lun: LUN
    private let place = "/run/quartet/volumes/demo/lun1"

    init() throws { lun = try LUN(1) }

    @Test func aMountedVolumeLosesALegAndGetsItBack() async throws {
      let exported = try await Exported(.lio)
      try await quartet("pool create demo --leg /run/disks/a --leg /run/disks/b --size 32M --extent-size 1M")
      try await quartet("pool create-volume demo/lun1 --size 16M")
      try await quartet("volume attach demo/lun1")
      let device = try await shell("readlink $1", place)
      #expect(device.hasPrefix("/dev/nbd"))
      #expect(try await shell("blockdev --getsize64 $1", device) == "\(16 << 20)")
      try await quartet("volume attach demo/lun1", says: "nothing to do")

      try await exported.apply([LogicalUnit(lun: lun, backing: try Backing(path: place))])
      try await exported.logIn()
      try await shell("mkfs.ext4 -q $1", exported.initiator.disk(lun))
      let mounted = try await Mounted(exported.initiator.disk(lun))
      let first = try await mounted.write("first", mebibytes: 2)
      try await quartet("volume detach demo/lun1", fails: 6, says: "is ")

      try await quartet("pool detach-leg demo /run/disks/b")
      let second = try await mounted.write("second", mebibytes: 2)
      try await quartet("pool attach-leg demo /run/disks/b")
      let third = try await mounted.write("third", mebibytes: 2)
      try await quartet("pool status demo --watch")
      try await quartet("pool verify demo", says: "alike")
      try await mounted.end()
      try await exported.end()

      // A server that was killed leaves a device that answers nothing; attaching connects it anew.
      try await shell("pkill -9 -x nbdkit")
      try await eventually("the server is gone") { try await status("pgrep -x nbdkit") != 0 }
      try await quartet("volume attach demo/lun1")
      let again = try await Mounted(place)
      for (name, sum) in [("first", first), ("second", second), ("third", third)] {
        #expect(try await again.sum(of: name) == sum, "\(name)")
      }
      try await again.end()

      try await quartet("volume detach demo/lun1")
      #expect(try await status("test -e /sys/block/$(basename $1)/pid", device) != 0)
      #expect(try await status("pgrep -x nbdkit") != 0)
      try await quartet("pool remove-volume demo/lun1")
      try await quartet("pool remove demo")
    }

    private func quartet(_ words: String, fails status: Int32 = 0, says text: String = "") async throws {
      let program = try LocalHost().readLink("/proc/self/exe").removingLastComponent().appending("quartet")
      let result = try await LocalHost().run(
        [program.string] + words.split(separator: " ").map(String.init), environment: [:], input: [],
        limit: .seconds(60))
      let printed = String(decoding: result.output, as: UTF8.self) + result.errors
      try #require(
        result.status == status && printed.contains(text), "\(words): status \(result.status): \(printed)")
    }
  }
}
