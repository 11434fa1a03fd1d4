import BlockEngine
import Glibc
import HostInterface
import LinuxBlockDevices

/// A client's connection to a volume.
///
/// nbdkit calls it from several threads at once.
final class Connection: Sendable {
  /// In bytes.
  let size: Int
  let logicalBlockSize: Int
  private let engine: SharedEngine<ServedPool>
  private let volume: Int
  private let buffers = RequestBuffers()

  init(_ engine: SharedEngine<ServedPool>, volume: Int, size: Int, logicalBlockSize: Int) {
    (self.engine, self.volume, self.size, self.logicalBlockSize) = (engine, volume, size, logicalBlockSize)
  }

  /// The connection of a handle.
  static func of(_ handle: UnsafeMutableRawPointer?) -> Connection? {
    // Sound: nbdkit gives back what `open` returned, and only until `close`.
    handle.map { Unmanaged<Connection>.fromOpaque($0).takeUnretainedValue() }
  }

  func close() { engine.post { [volume] in $0.close(volume) } }

  func read(_ bytes: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    try buffers.lend(bytes.count) { buffer in
      try run { .read(offset: Int(clamping: offset), buffer.block) }
      let block = buffer.block
      bytes.copyMemory(from: UnsafeRawBufferPointer(block.bytes))
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64, durable: Bool) throws {
    try buffers.lend(bytes.count) { buffer in
      let block = buffer.block
      block.bytes.copyMemory(from: bytes)
      try run { .write(offset: Int(clamping: offset), buffer.block, durable: durable) }
    }
  }

  func flush() throws { try run { .flush } }

  func discard(_ count: Int, at offset: UInt64, durable: Bool) throws {
    try run { .discard(offset: Int(clamping: offset), count: count) }
    if durable { try flush() }
  }

  func writeZeroes(_ count: Int, at offset: UInt64, durable: Bool) throws {
    try run { .writeZeroes(offset: Int(clamping: offset), count: count, durable: durable) }
  }

  /// Tells which parts of a range are holes, in order, until told to stop or a call's worth of work is done.
  ///
  /// - Parameter tell: Called with each part, and where it begins; false when no more is wanted.
  func findHoles(_ count: Int, at offset: UInt64, _ tell: (BlockStatus, UInt64) -> Bool) throws {
    var place = Int(clamping: offset)
    let (end, overflow) = place.addingReportingOverflow(count)
    if overflow { throw Failure(.invalid, "volume", "the request exceeds 64 bits") }
    for _ in 0..<Self.questionsAtOnce where place < end {
      let range = place..<end
      let parts: [BlockStatus] = try engine.answer { [volume] pool, answer in
        pool.blockStatus(of: range, in: volume, answer)
      }
      for part in parts {
        guard tell(part, UInt64(place)) else { return }
        place += part.count
      }
    }
  }

  /// A client that has got only the beginning asks for the rest.
  private static let questionsAtOnce = 64

  private func run(_ request: @escaping @Sendable () -> BlockRequest) throws {
    try engine.run { [volume] pool, end in pool.submit(request(), to: volume, end) }
  }
}
