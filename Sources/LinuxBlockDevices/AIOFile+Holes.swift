import BlockEngine
import CLibAIO
import Glibc
import HostInterface

/// What a file does not have: holes are made, and found.
///
/// Both by calls that libaio has not, and that keep the thread; so only for a few milliseconds at a time.
extension AIOFile {
  /// How much is freed or zeroed by one call: a disk that has to write zeroes itself is done with that in some ten
  /// milliseconds.
  private static let part = 4 << 20
  /// How long the thread is kept until others have their turn.
  private static let turn = Duration.milliseconds(2)
  /// How much is written at once where the system cannot zero.
  private static let zeroes = 1 << 20
  /// How many parts are told at once.
  private static let most = 512

  /// Makes a range read as zeroes, part after part.
  ///
  /// What is discarded is freed. What is zeroed keeps its place in a file, so that a later write needs none of a full
  /// file system (fallocate(2)). Where neither is possible zeroes are written.
  func zero(_ request: BlockRequest, _ completion: @escaping (Failure?) -> Void) {
    guard let range = request.range, !range.isEmpty else { return completion(nil) }
    if let isCut { return completion(isCut) }
    let end = loop.now + Self.turn
    var place = range.lowerBound
    while place < range.upperBound {
      let count = min(Self.part, range.upperBound - place)
      guard fallocate(file.rawValue, mode(of: request), off_t(place), off_t(count)) == 0 else {
        return writeZeroes(request.part(place..<range.upperBound), completion)
      }
      place += count
      if loop.now >= end { break }
    }
    let rest = place..<range.upperBound
    if rest.isEmpty, case .writeZeroes(_, _, durable: true) = request { return flush(completion) }
    loop.schedule(after: .zero) { [self] in
      if rest.isEmpty { completion(nil) } else { zero(request.part(rest), completion) }
    }
  }

  private func mode(of request: BlockRequest) -> Int32 {
    // A block device keeps its place anyway, and would write zeroes by itself for FALLOC_FL_ZERO_RANGE (blkdev_fallocate
    // in the kernel's block/fops.c), which keeps the thread for longer.
    if case .writeZeroes = request, isRegular { return FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE }
    return FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
  }

  private func writeZeroes(_ request: BlockRequest, _ completion: @escaping (Failure?) -> Void) {
    guard let range = request.range else { return completion(nil) }
    var durable = false
    if case .writeZeroes(_, _, let isDurable) = request { durable = isDurable }
    let zeroes = BlockBuffer(count: min(range.count, Self.zeroes))
    let writes = stride(from: range.lowerBound, to: range.upperBound, by: Self.zeroes).map {
      BlockRequest.write(
        offset: $0, zeroes[0..<min(Self.zeroes, range.upperBound - $0)], durable: durable)
    }
    // What was zeroed without being written is to be durable as well.
    submitInOrder(durable ? writes + [.flush] : writes, completion)
  }

  /// Asks the file system (lseek(2), SEEK_DATA and SEEK_HOLE); a block device cannot tell, and has data only.
  ///
  /// A write without the page cache makes its blocks data before it is complete.
  package func blockStatus(
    of range: Range<Int>, _ completion: @escaping (Result<[BlockStatus], Failure>) -> Void
  ) {
    if let refusal = refusal(of: range) { return completion(.failure(refusal)) }
    var answer = BlockStatusAnswer(range, logicalBlockSize: logicalBlockSize)
    // What somebody has cut off cannot be read, and is no hole.
    let isWhole = isRegular && lseek(file.rawValue, 0, SEEK_END) >= range.upperBound
    let end = loop.now + Self.turn
    var place = range.lowerBound
    while isWhole, place < range.upperBound, answer.parts.count < Self.most, loop.now < end {
      var data = Int(lseek(file.rawValue, off_t(place), Int32(QUARTET_SEEK_DATA)))
      // There is no more data.
      if data < 0, errno == ENXIO { data = range.upperBound }
      guard data >= place else { break }
      answer.add(upTo: data, isHole: true)
      guard data < range.upperBound else { break }
      place = Int(lseek(file.rawValue, off_t(data), Int32(QUARTET_SEEK_HOLE)))
      guard place > data else { break }
      answer.add(upTo: place, isHole: false)
    }
    completion(.success(answer.parts))
  }
}
