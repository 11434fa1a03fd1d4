import BlockEngine
import Testing

@Suite struct ChecksumTests {
  /// The examples of RFC 3720, appendix B.4, in the byte order of the wire.
  @Test func agreesWithTheExamplesOfISCSI() {
    #expect([UInt8](repeating: 0, count: 32).withUnsafeBytes { Checksum.crc32c($0) } == 0x8a91_36aa)
    #expect([UInt8](repeating: 0xff, count: 32).withUnsafeBytes { Checksum.crc32c($0) } == 0x62a8_ab43)
    #expect([UInt8](0..<32).withUnsafeBytes { Checksum.crc32c($0) } == 0x46dd_794e)
  }

  @Test func goesOnWhereItStopped() {
    let bytes = [UInt8](0..<200)
    let all = bytes.withUnsafeBytes { Checksum.crc32c($0) }
    for cut in [1, 7, 8, 9, 100, 199] {
      let first = bytes[..<cut].withUnsafeBytes { Checksum.crc32c($0) }
      #expect(bytes[cut...].withUnsafeBytes { Checksum.crc32c($0, from: first) } == all)
    }
  }
}
