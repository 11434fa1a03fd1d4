import HostInterface

/// What can be asked of a block device; offsets and lengths are in bytes.
package enum BlockRequest {
  /// Fills the buffer from this offset on.
  case read(offset: Int, BlockBuffer)
  /// Writes the buffer; `durable` is FUA: complete only when it survives a loss of power.
  case write(offset: Int, BlockBuffer, durable: Bool)
  /// Makes durable whatever was complete when this was submitted.
  case flush
  /// Tells that a range is not needed any longer; it then reads as zeroes.
  case discard(offset: Int, count: Int)
  /// Makes a range read as zeroes.
  case writeZeroes(offset: Int, count: Int, durable: Bool)

  /// The bytes that are concerned, empty for a flush; nil for a range that overflows.
  package var range: Range<Int>? {
    switch self {
    case .read(let offset, let buffer), .write(let offset, let buffer, _):
      Self.range(offset, buffer.count)
    case .discard(let offset, let count), .writeZeroes(let offset, let count, _): Self.range(offset, count)
    case .flush: 0..<0
    }
  }

  private static func range(_ offset: Int, _ count: Int) -> Range<Int>? {
    let (end, overflow) = offset.addingReportingOverflow(count)
    return offset < 0 || count < 0 || overflow ? nil : offset..<end
  }

  /// The same request further on in another device.
  package func moved(by distance: Int) -> BlockRequest {
    switch self {
    case .read(let offset, let buffer): .read(offset: offset + distance, buffer)
    case .write(let offset, let buffer, let durable):
      .write(offset: offset + distance, buffer, durable: durable)
    case .flush: .flush
    case .discard(let offset, let count): .discard(offset: offset + distance, count: count)
    case .writeZeroes(let offset, let count, let durable):
      .writeZeroes(offset: offset + distance, count: count, durable: durable)
    }
  }

  /// The part of the request that concerns these bytes of the device.
  package func part(_ bytes: Range<Int>) -> BlockRequest {
    switch self {
    case .read(let offset, let buffer):
      .read(offset: bytes.lowerBound, buffer[bytes.lowerBound - offset..<bytes.upperBound - offset])
    case .write(let offset, let buffer, let durable):
      .write(
        offset: bytes.lowerBound, buffer[bytes.lowerBound - offset..<bytes.upperBound - offset],
        durable: durable)
    case .flush: .flush
    case .discard: .discard(offset: bytes.lowerBound, count: bytes.count)
    case .writeZeroes(_, _, let durable):
      .writeZeroes(offset: bytes.lowerBound, count: bytes.count, durable: durable)
    }
  }
}

/// A block device: a size, and requests that complete one day.
///
/// The contract is the one of a disk with a volatile cache. A write that is complete is seen by every later read; it
/// survives a loss of power only when a flush that was submitted after its completion is complete, or when it was
/// asked to be durable. Until then each logical block holds the old or the new contents. Requests in flight together
/// are done in any order.
///
/// A device, and everything that is built on it, belongs to one thread. Nothing here is `Sendable`.
package protocol BlockDevice: AnyObject {
  /// How the device is called in messages.
  var name: String { get }
  /// The size in bytes, a multiple of the logical block size.
  var size: Int { get }
  /// What offsets and lengths are multiples of; a power of two, at least 512.
  var logicalBlockSize: Int { get }
  /// Whether it is behind a network: then others are read from first.
  var isRemote: Bool { get }

  /// Starts a request.
  ///
  /// - Parameters:
  ///   - request: What to do. Its buffer is not to be touched until it is complete.
  ///   - completion: Called once, on the device's thread, with nil or with what went wrong. After a failed write the
  ///     range may hold anything that any write to it, this one included, left there.
  func submit(_ request: BlockRequest, _ completion: @escaping (Failure?) -> Void)

  /// Finds out what in a range is a hole.
  ///
  /// A hole is what a read that was submitted now would find to be zeroes, so that a write that is in flight may count or
  /// not, and one that is complete does. That something is data is always a right answer, and what a device says that
  /// cannot tell.
  ///
  /// - Parameters:
  ///   - range: Whole blocks, at least one.
  ///   - completion: Called once, on the device's thread, with the parts from the beginning of the range on. They may
  ///     end before it does: a device answers what it can without keeping its thread.
  func blockStatus(of range: Range<Int>, _ completion: @escaping (Result<[BlockStatus], Failure>) -> Void)
}

extension BlockDevice {
  package var isRemote: Bool { false }

  package func blockStatus(
    of range: Range<Int>, _ completion: @escaping (Result<[BlockStatus], Failure>) -> Void
  ) {
    if let refusal = refusal(of: range) { return completion(.failure(refusal)) }
    completion(.success([BlockStatus(count: range.count, isHole: false)]))
  }

  /// What is wrong with a request by its range alone.
  package func refusal(of request: BlockRequest) -> Failure? {
    guard let range = request.range else {
      return Failure(.invalid, name, "the offset and the length of a request exceed 64 bits")
    }
    return refusal(of: range)
  }

  /// What is wrong with a range.
  package func refusal(of range: Range<Int>) -> Failure? {
    if range.lowerBound < 0 { return Failure(.invalid, name, "the request begins before the device") }
    if range.upperBound > size {
      return Failure(
        .invalid, name,
        "the request ends at byte \(range.upperBound), and the device has \(size)")
    }
    if range.lowerBound % logicalBlockSize != 0 || range.upperBound % logicalBlockSize != 0 {
      return Failure(
        .invalid, name,
        "bytes \(range.lowerBound) to \(range.upperBound) are not whole blocks of \(logicalBlockSize) bytes")
    }
    return nil
  }
}
