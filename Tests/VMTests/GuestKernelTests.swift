import HostInterface
import LinuxHost
import SystemPackage
import Testing
import VirtualMachine

/// What ``LocalHost`` promises of modules, configfs and block devices, on a real kernel.
@Suite(.serialized, .enabled(if: Guest.isHere, "needs a kernel of its own; VMTests run it in a guest"))
struct GuestKernelTests {
  let host = LocalHost()

  @discardableResult
  private func run(_ argv: String...) async throws -> String {
    // No udevd runs here, and dmsetup(8) makes its nodes itself only when it is told so.
    let environment = ["DM_DISABLE_UDEV": "1"]
    let result = try await host.run(argv, environment: environment, input: [], limit: .seconds(60))
    try #require(result.status == 0, "\(argv): \(result.errors)")
    return String(decoding: result.output, as: UTF8.self).trimmed
  }

  @Test func aModuleIsLoadedWithWhatItNeeds() throws {
    #expect(try !host.isModuleLoaded("target_core_mod"))
    try host.loadModule("target_core_mod")
    #expect(try host.isModuleLoaded("target_core_mod"))
    #expect(try host.isModuleLoaded("scsi_common"))
    try host.loadModule("target_core_mod")
    #expect(try host.isModuleLoaded("tmpfs") == false)
    #expect(try host.isModuleLoaded("virtio_mmio"))
  }

  @Test func aTargetIsMadeInConfigfs() async throws {
    try host.loadModule("iscsi_target_mod")
    try await run("mount", "-t", "configfs", "configfs", "/sys/kernel/config")
    let fabric = FilePath("/sys/kernel/config/target/iscsi")
    try host.createDirectory(fabric)
    let target = fabric.appending("iqn.2011-12.com.example:disk1")
    try host.createDirectory(target)
    try host.createDirectory(target.appending("tpgt_1"))
    #expect(try host.text(target.appending("tpgt_1/enable")).trimmed == "0")
    let failure = #expect(throws: Failure.self) { try host.createDirectory(target.appending("no_group")) }
    #expect(failure?.code == .refused)
    try host.removeDirectory(target.appending("tpgt_1"))
    try host.removeDirectory(target)
    try host.removeDirectory(fabric)
  }

  @Test func aRAMDiskHasItsSize() async throws {
    try await run("modprobe", "brd", "rd_nr=2", "rd_size=65536")
    let status = try #require(try host.status("/dev/ram1"))
    #expect(status.kind == .blockDevice)
    #expect(status.size == 64 << 20)
    #expect(status.identity == "1:1")
    #expect(try host.holders(of: "/dev/ram1").isEmpty)
  }

  @Test func aMountedLoopDeviceAndItsFileAreHeld() async throws {
    let file = FilePath("/run/held.image")
    try await run("truncate", "-s", "16M", file.string)
    try await run("modprobe", "loop")
    let device = FilePath(try await run("losetup", "-f", "--show", file.string))
    #expect(try host.holders(of: file) == [Holder("held by \(device)")])
    #expect(try host.holders(of: device).isEmpty)
    try await run("mkfs.ext4", "-q", device.string)
    try host.createDirectory("/run/held")
    try await run("mount", device.string, "/run/held")
    #expect(try host.holders(of: device) == [Holder("mounted at /run/held")])
    try await run("umount", "/run/held")
    #expect(try host.holders(of: device).isEmpty)
    try await run("losetup", "-d", device.string)
    #expect(try host.holders(of: file).isEmpty)
  }

  @Test func aMappedDeviceHoldsWhatIsBelowIt() async throws {
    try host.loadModule("dm_mod")
    // A disk of its own: the other test may have loaded brd with two, or not at all.
    let disk = FilePath("/dev/vda")
    let sectors = try await run("blockdev", "--getsz", disk.string)
    try await run("dmsetup", "create", "lower", "--table", "0 \(sectors) linear \(disk) 0")
    try await run("dmsetup", "create", "upper", "--table", "0 8192 linear /dev/mapper/lower 0")
    #expect(try host.holders(of: disk) == [Holder("held by dm-0 (lower)")])
    #expect(try host.holders(of: "/dev/mapper/lower") == [Holder("held by dm-1 (upper)")])
    #expect(try host.holders(of: "/dev/mapper/upper").isEmpty)
    #expect(try host.status("/dev/mapper/upper")?.size == 8192 * 512)
    try await run("dmsetup", "remove", "upper")
    try await run("dmsetup", "remove", "lower")
    #expect(try host.holders(of: disk).isEmpty)
  }
}
