import HostInterface
import ReplicatedVolume
import SystemPackage
import Testing

/// Descriptions of pools, and the addresses in them.
@Suite struct DescriptionTests {
  @Test func whatIsWrittenIsReadBack() throws {
    let name = try PoolName("vg1")
    var pool = PoolDescription(
      name: name, id: "00112233445566778899aabbccddeeff",
      legs: [try LegAddress("/srv/a"), try LegAddress("nbd://host:10809/b")])
    pool.resyncRate = 50 << 20
    pool.stallSeconds = 3
    #expect(try PoolDescription(pool.encoded(), name: name, file: "f") == pool)
    #expect(pool.idBytes == (0..<16).map { UInt8($0) * 0x11 })
  }

  @Test(arguments: [
    "", "a", "a/b", "/", "/a/", "/a/../b", "/a\nb", "http://a/b", "nbd:/a",
    "/" + String(repeating: "x", count: 1024),
  ])
  func anAddressThatIsNoneIsRefused(_ text: String) {
    let failure = #expect(throws: Failure.self) { try LegAddress(text) }
    #expect(failure?.code == .invalid)
  }

  @Test func aDamagedDescriptionNeverTraps() throws {
    let name = try PoolName("vg1")
    let whole = try PoolDescription(
      name: name, id: "00112233445566778899aabbccddeeff", legs: [LegAddress("/srv/a")]
    ).encoded()
    var random = SystemRandomNumberGenerator()
    for _ in 0..<3000 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[Int.random(in: bytes.indices)] = .random(in: .min ... .max)
        case 1: bytes.remove(at: Int.random(in: bytes.indices))
        default: bytes.insert(.random(in: .min ... .max), at: Int.random(in: bytes.indices))
        }
      }
      do { _ = try PoolDescription(bytes, name: name, file: "f") } catch let failure as Failure {
        #expect(failure.code == .garbled)
      }
    }
  }

  @Test func aPathUnderTheVolumesIsAVolume() throws {
    let places = PoolPlaces(descriptions: "/etc/quartet/pools", runtime: "/run/quartet")
    let path = try VolumePath("vg1/lun1")
    #expect(places.volume(path) == "/run/quartet/volumes/vg1/lun1")
    #expect(places.volume(at: "/run/quartet/volumes/vg1/lun1") == path)
    #expect(places.volume(at: "/run/quartet/volumes/vg1") == nil)
    #expect(places.volume(at: "/dev/vg1/lun1") == nil)
  }
}
