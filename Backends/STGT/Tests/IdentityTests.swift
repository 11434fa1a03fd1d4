import TargetCore
import Testing

/// What a real initiator sees of a logical unit.
@Suite(.enabled(if: RealInitiator.isInstalled, RealInitiator.reason))
struct IdentityTests {
  /// A page of vital product data; 128 is the serial number, 131 the identification (SPC-4 section 7.8).
  private func page(_ number: String, of url: String) async throws -> String {
    try await RealInitiator.output("iscsi-inq", "-e", "1", "-c", number, url)
  }

  @Test func theIdentityThatWasGiven() async throws {
    let disk = try await Exported.disk {
      ($0.serial, $0.scsiID, $0.vendor, $0.product, $0.revision) =
        ("c0ffee0123456789", "60a98000c0ffee01", "QUARTET", "A DISK OF 16 BYT", "9.8")
    }
    let standard = try await RealInitiator.output("iscsi-inq", disk.url())
    #expect(
      standard.contains("Vendor:QUARTET") && standard.contains("Product:A DISK OF 16 BYT"), "\(standard)")
    #expect(standard.contains("Revision:9.8"), "\(standard)")
    #expect(try await page("128", of: disk.url()).contains("c0ffee0123456789"))
    #expect(try await page("131", of: disk.url()).contains("60a98000c0ffee01"))
  }

  @Test func theDerivedIdentityIsThatOfTheNameAndTheNumber() async throws {
    let disk = try await Exported.disk()
    let identity = Identity.derived(target: disk.name, lun: try LUN(1))
    #expect(try await page("128", of: disk.url()).contains(identity))
    #expect(try await page("131", of: disk.url()).contains(identity))
  }

  @Test func anIdentityOfTheGreatestLength() async throws {
    let longest = String(repeating: "x", count: 35) + "9"
    let disk = try await Exported.disk { ($0.serial, $0.scsiID) = (longest, longest) }
    #expect(try await page("128", of: disk.url()).contains(longest))
    #expect(try await page("131", of: disk.url()).contains(longest))
  }

  @Test func settingsThatChangeInPlace() async throws {
    let disk = try await Exported.disk()
    var patch = LogicalUnit(lun: try LUN(1), backing: .none)
    (patch.serial, patch.product, patch.removable) = ("0123", "RENAMED", true)
    try await disk.perform(.setUnit(disk.name, patch))
    let standard = try await RealInitiator.output("iscsi-inq", disk.url())
    #expect(standard.contains("Product:RENAMED") && standard.contains("Removable:1"), "\(standard)")
    #expect(try await page("128", of: disk.url()).contains("0123"))
  }

  @Test func kindsOfDevice() async throws {
    let disk = try await Exported.disk()
    try await disk.addUnit(2) { $0.deviceType = .cd }
    let list = try await RealInitiator.output("iscsi-ls", "-s", "iscsi://\(disk.tgtd.portal)")
    let lines = list.split(separator: "\n")
    #expect(lines.contains { $0.hasPrefix("Lun:1 ") && $0.contains("Type:DIRECT_ACCESS") }, "\(list)")
    #expect(lines.contains { $0.hasPrefix("Lun:2 ") && $0.contains("Type:MMC") }, "\(list)")
  }

  @Test(arguments: [512, 4096] as [UInt32]) func sizeAndBlocks(_ block: UInt32) async throws {
    let disk = try await Exported.disk(bytes: 64 << 20) { $0.blockSize = block }
    let capacity = try await RealInitiator.output("iscsi-readcapacity16", disk.url())
    #expect(capacity.contains("Total size:\(64 << 20)\n"), "\(capacity)")
    #expect(capacity.contains("LOGICAL BLOCK LENGTH IN BYTES:\(block)\n"), "\(capacity)")
  }

  @Test func unmappedBlocksAreGivenBackWhereThatIsSaid() async throws {
    let disk = try await Exported.disk { $0.thin = true }
    try await disk.addUnit(2) { $0.thin = false }
    #expect(try await RealInitiator.output("iscsi-readcapacity16", disk.url()).contains("LBPME:1"))
    #expect(try await RealInitiator.output("iscsi-readcapacity16", disk.url(lun: 2)).contains("LBPME:0"))
  }

  /// Over 255 a logical unit is reached by flat addressing (SAM-5 section 4.7.7.4), in which REPORT LUNS names it; Linux
  /// and libiscsi show the two bytes as one number, 16384 over Quartet's.
  @Test(arguments: [256, 300, 16383]) func numbersOver255(_ lun: Int) async throws {
    let disk = try await Exported.disk()
    try await disk.addUnit(lun, bytes: 3 << 20)
    let list = try await RealInitiator.output("iscsi-ls", "-s", "iscsi://\(disk.tgtd.portal)")
    #expect(list.contains("Lun:\(0x4000 + lun) Type:DIRECT_ACCESS"), "\(list)")
    let size = try await RealInitiator.output("iscsi-readcapacity16", "-s", disk.url(lun: 0x4000 + lun))
    #expect(size == "\(3 << 20)\n")
  }

  @Test func growthIsSeen() async throws {
    let disk = try await Exported()
    let path = try await disk.addUnit(1, bytes: 32 << 20)
    try await disk.perform(.allow(disk.name, .all))
    func size() async throws -> String {
      try await RealInitiator.output("iscsi-readcapacity16", "-s", disk.url())
    }
    #expect(try await size() == "\(32 << 20)\n")
    try #require(truncateFile(.init(path), 48 << 20))
    #expect(try await size() == "\(32 << 20)\n")
    try await disk.perform(.resizeUnit(disk.name, LUN(1)))
    #expect(try await size() == "\(48 << 20)\n")
    #expect(try await page("128", of: disk.url()).contains(Identity.derived(target: disk.name, lun: LUN(1))))
  }

  @Test func aMediumThatIsTakenOutIsGone() async throws {
    let disk = try await Exported.disk()
    var patch = LogicalUnit(lun: try LUN(1), backing: .none)
    patch.online = false
    try await disk.perform(.setUnit(disk.name, patch))
    #expect(try await RealInitiator.run("iscsi-readcapacity16", disk.url()).status != 0)
    patch.online = true
    try await disk.perform(.setUnit(disk.name, patch))
    #expect(try await RealInitiator.output("iscsi-readcapacity16", "-s", disk.url()) == "\(32 << 20)\n")
  }
}
