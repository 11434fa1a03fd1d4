/// CRC-32C (Castagnoli) as SCST uses it for the serial numbers that it makes up: seed 0, reflected polynomial
/// 0x82F63B78, nothing inverted at the end.
func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
  bytes.reduce(UInt32(0)) { sum, byte in
    (0..<8).reduce(sum ^ UInt32(byte)) { sum, _ in (sum >> 1) ^ (sum & 1 == 1 ? 0x82f6_3b78 : 0) }
  }
}
