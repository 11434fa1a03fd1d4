import HostInterface
import SystemPackage
import Testing

@testable import LinuxHost

/// A /proc and a /sys of a machine with LVM on a partition, MD, DRBD, a btrfs and loop devices.
private struct FakeFiles: HostFiles {
  var files: [FilePath: String] = [
    "/proc/self/mountinfo": """
    22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
    23 22 0:21 / /proc rw - proc proc rw
    30 22 8:17 / /srv/with\\040blank rw master:1 propagate_from:2 - xfs /dev/sdb1 rw
    31 22 0:40 /sub /data rw - btrfs /dev/sdc rw,subvol=/sub
    32 22 garbage
    33 22 8:16 / /no-separator rw
    """,
    "/proc/swaps": """
    Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority
    /dev/sda2                               partition\t1048572\t0\t-2
    /swap\\040file                           file\t1048572\t0\t-3
    """,
    "/sys/dev/block/8:0/sda1/partition": "1\n", "/sys/dev/block/8:0/sda1/dev": "8:1\n",
    "/sys/dev/block/8:0/sda2/partition": "2\n", "/sys/dev/block/8:0/sda2/dev": "8:2\n",
    "/sys/dev/block/8:0/sda3/partition": "3\n", "/sys/dev/block/8:0/sda3/dev": "8:3\n",
    "/sys/dev/block/8:0/queue/rotational": "0\n",
    "/sys/dev/block/8:3/holders/dm-3/x": "", "/sys/dev/block/8:3/holders/drbd0/x": "",
    "/sys/dev/block/8:48/holders/md0/x": "",
    "/sys/block/dm-3/dm/name": "vg1-lun1\n",
    "/sys/block/loop0/loop/backing_file": "/images/disk one\n", "/sys/block/loop1/size": "0\n",
  ]
  var identities: [FilePath: String] = [
    "/dev/sda1": "8:1", "/dev/sda2": "8:2", "/dev/sdb1": "8:17", "/dev/sdc": "8:32", "/swap file": "8:1:77",
    "/images/disk one": "8:1:99",
  ]

  func read(_ path: FilePath) throws -> [UInt8] {
    guard let text = files[path] else { throw Failure(.notFound, "\(path)", "is not there") }
    return Array(text.utf8)
  }
  func status(_ path: FilePath) throws -> FileStatus? {
    if let identity = identities[path] { return FileStatus(kind: .other, size: 0, identity: identity) }
    if files[path] != nil { return FileStatus(kind: .file, size: 0, identity: "0:1:1") }
    return files.keys.contains { $0.starts(with: path) }
      ? FileStatus(kind: .directory, size: 0, identity: "0:1:2") : nil
  }
  func list(_ path: FilePath) throws -> [String] {
    Set(
      files.keys.compactMap { file -> String? in
        var rest = file
        return rest.removePrefix(path) ? rest.components.first?.string : nil
      }
    ).sorted()
  }
  func write(_ bytes: [UInt8], to path: FilePath) throws {}
  func write(_ bytes: [UInt8], to path: FilePath, limit: Duration) throws {}
  func replace(_ path: FilePath, with bytes: [UInt8], mode: UInt16) throws {}
  func createDirectory(_ path: FilePath) throws {}
  func removeDirectory(_ path: FilePath) throws {}
  func createLink(_ path: FilePath, to destination: FilePath) throws {}
  func readLink(_ path: FilePath) throws -> FilePath { path }
  func removeFile(_ path: FilePath) throws {}
}

@Suite struct HolderSearchTests {
  private func holders(_ device: String, _ files: FakeFiles = FakeFiles()) throws -> [String] {
    try HolderSearch(files: files).holders(ofDevice: #require(DeviceNumber(device))).map(\.description)
  }

  @Test(arguments: [
    ("8:1", ["mounted at /"]), ("8:17", ["mounted at /srv/with blank"]), ("8:2", ["used as swap"]),
    ("8:32", ["mounted at /data"]), ("8:3", ["held by dm-3 (vg1-lun1)", "held by drbd0"]),
    ("8:48", ["held by md0"]), ("8:16", []), ("9:9", []),
  ])
  func devices(_ device: String, _ expected: [String]) throws {
    #expect(try holders(device) == expected)
  }

  @Test func aDiskIsHeldByWhoHoldsItsPartitions() throws {
    #expect(
      try holders("8:0") == [
        "partition sda1 mounted at /", "partition sda2 used as swap",
        "partition sda3 held by dm-3 (vg1-lun1)",
        "partition sda3 held by drbd0",
      ])
  }

  @Test func filesAreHeldByLoopDevicesAndSwap() throws {
    let search = try HolderSearch(files: FakeFiles())
    #expect(search.holders(ofFile: "8:1:99") == [Holder("held by /dev/loop0")])
    #expect(search.holders(ofFile: "8:1:77") == [Holder("used as swap")])
    #expect(search.holders(ofFile: "8:1:5") == [])
  }

  @Test func aMachineWithoutSwapOrBlockDevicesHasNoHolders() throws {
    let files = FakeFiles(files: ["/proc/self/mountinfo": ""], identities: [:])
    #expect(try holders("8:1", files) == [])
  }

  @Test(arguments: [
    ("plain", "plain"), ("a\\040b", "a b"), ("a\\134b", "a\\b"), ("a\\", "a\\"), ("\\04", "\\04"),
    ("\\999", "\\999"),
    ("\\777", "\\777"), ("\\012\\011", "\n\t"),
  ])
  func theKernelsEscapes(_ escaped: String, _ plain: String) { #expect(unescaped(escaped) == plain) }

  @Test func deviceNumbersAreTakenApart() {
    // What makedev(3) makes of 259:70000: minor bits 8 and up are above the major.
    #expect(DeviceNumber(0x1_1111_0370 & 0xfff) == DeviceNumber("3:112"))
    #expect(DeviceNumber(((70_000 & ~0xff) << 12) | (259 << 8) | (70_000 & 0xff)).description == "259:70000")
    #expect(DeviceNumber("8") == nil)
    #expect(DeviceNumber("8:1:2") == nil)
    #expect(DeviceNumber("8:-1") == nil)
  }
}
