/// CRC-32C (Castagnoli), as iSCSI has it (RFC 7143, section 13.1; tables by eight bytes at a time).
package enum Checksum {
  /// The checksum of bytes, going on from an earlier one.
  package static func crc32c(_ bytes: UnsafeRawBufferPointer, from start: UInt32 = 0) -> UInt32 {
    tables.withUnsafeBufferPointer { tables in
      var crc = ~start
      var index = 0
      let count = bytes.count
      while index &+ 8 <= count {
        let word =
          UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)) ^ UInt64(crc)
        let low =
          tables[0x700 | Int(word & 0xff)] ^ tables[0x600 | Int((word >> 8) & 0xff)]
          ^ tables[0x500 | Int((word >> 16) & 0xff)] ^ tables[0x400 | Int((word >> 24) & 0xff)]
        let high =
          tables[0x300 | Int((word >> 32) & 0xff)] ^ tables[0x200 | Int((word >> 40) & 0xff)]
          ^ tables[0x100 | Int((word >> 48) & 0xff)] ^ tables[Int(word >> 56)]
        crc = low ^ high
        index &+= 8
      }
      while index < count {
        crc = tables[Int((crc ^ UInt32(bytes[index])) & 0xff)] ^ (crc >> 8)
        index &+= 1
      }
      return ~crc
    }
  }

  /// The checksum of a part of a block in which the four bytes at `field` count as zero: they hold the checksum.
  package static func crc32c(
    _ bytes: UnsafeMutableRawBufferPointer, _ range: Range<Int>, without field: Int
  ) -> UInt32 {
    let before = crc32c(UnsafeRawBufferPointer(rebasing: bytes[range.lowerBound..<field]))
    let zeroes: UInt32 = 0
    let middle = withUnsafeBytes(of: zeroes) { crc32c($0, from: before) }
    return crc32c(UnsafeRawBufferPointer(rebasing: bytes[field + 4..<range.upperBound]), from: middle)
  }

  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for index in 0..<256 {
      var crc = UInt32(index)
      for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0x82f6_3b78 : crc >> 1 }
      tables[index] = crc
    }
    for table in 1..<8 {
      for index in 0..<256 {
        let before = tables[(table - 1) * 256 + index]
        tables[table * 256 + index] = tables[Int(before & 0xff)] ^ (before >> 8)
      }
    }
    return tables
  }()
}
