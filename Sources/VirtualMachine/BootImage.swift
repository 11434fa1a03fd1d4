/// A kernel as boot loaders take it: a bzImage.
///
/// Source: Documentation/x86/boot.rst, "The Real-Mode Kernel Header": `setup_sects` at 0x1f1, `HdrS` at 0x202,
/// `payload_offset` at 0x248 and `payload_length` at 0x24c, both from the start of the protected-mode code.
struct BootImage {
  private let bytes: [UInt8]

  /// Takes the file's content.
  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The kernel proper as an xz stream; nil when it is compressed by other means, or this is no bzImage.
  var xzPayload: [UInt8]? {
    guard bytes.count > 0x250, Array(bytes[0x202..<0x206]) == Array("HdrS".utf8) else { return nil }
    let sectors = bytes[0x1f1] == 0 ? 4 : Int(bytes[0x1f1])
    let start = (sectors + 1) * 512 + number(at: 0x248)
    // The compressed stream is followed by its uncompressed length in 4 bytes.
    let end = start + number(at: 0x24c) - 4
    guard start < end, end <= bytes.count else { return nil }
    let magic: [UInt8] = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]
    return bytes[start..<end].starts(with: magic) ? Array(bytes[start..<end]) : nil
  }

  private func number(at offset: Int) -> Int {
    (0..<4).reduce(0) { $0 | Int(bytes[offset + $1]) << ($1 * 8) }
  }
}
