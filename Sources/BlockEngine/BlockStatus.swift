import HostInterface

/// A part of a device, and whether it is a hole: what a client that copies may leave out.
package struct BlockStatus: Equatable, Sendable {
  /// Its length in bytes, whole blocks.
  package var count: Int
  /// Whether all of it reads as zeroes; what is not known is data.
  package var isHole: Bool

  /// A part of this length.
  package init(count: Int, isHole: Bool) { (self.count, self.isHole) = (count, isHole) }
}

/// An answer to ``BlockDevice/blockStatus(of:_:)``, put together from what a system tells, part after part.
package struct BlockStatusAnswer {
  private let range: Range<Int>
  private let block: Int
  private var end: Int
  private var found: [BlockStatus] = []

  /// An answer for a range, in whole blocks of this size.
  package init(_ range: Range<Int>, logicalBlockSize block: Int) {
    (self.range, self.block) = (range, block)
    end = range.lowerBound
  }

  /// Adds what reaches from the end of the last part to a place; a block that is not a hole as a whole is data.
  package mutating func add(upTo place: Int, isHole: Bool) {
    let place = min(max(place, end), range.upperBound)
    let within = place % block
    let stop = within == 0 ? place : isHole ? place - within : min(place - within + block, range.upperBound)
    guard stop > end else { return }
    if let last = found.last, last.isHole == isHole {
      found[found.count - 1].count += stop - end
    } else {
      found.append(BlockStatus(count: stop - end, isHole: isHole))
    }
    end = stop
  }

  /// The parts; where nothing was told, everything is data.
  package var parts: [BlockStatus] {
    found.isEmpty ? [BlockStatus(count: range.count, isHole: false)] : found
  }
}
