import BlockEngine
import HostInterface

/// What stands in a slot: a state, and the changes behind it.
struct SlotContents {
  let layout: PoolLayout
  let header: SlotHeader
  /// The state as it is stored, in whole blocks.
  private let state: BlockBuffer

  /// The sequence of the last change that is there.
  private(set) var lastSequence: UInt64
  /// Where the next record goes, from the slot's start.
  private(set) var logEnd: Int
  /// The checksum of the last record, or of the state.
  private(set) var lastChecksum: UInt32
  /// What is in the records, in order.
  private var changes: [[UInt8]] = []

  /// The newest header of a slot, of the two that it has.
  static func newestHeader(_ first: BlockBuffer, _ copy: BlockBuffer, layout: PoolLayout) -> SlotHeader? {
    [first, copy].compactMap { SlotHeader($0, layout: layout) }.max { $0.sequence < $1.sequence }
  }

  /// A slot without records so far.
  ///
  /// - Throws: ``Failure`` when the state is damaged.
  init(state: BlockBuffer, header: SlotHeader, layout: PoolLayout, subject: String) throws {
    self.layout = layout
    self.header = header
    self.state = state
    lastSequence = header.sequence
    lastChecksum = header.stateChecksum
    logEnd = header.logOffset
    guard Checksum.crc32c(stored) == header.stateChecksum else {
      throw Failure(
        .garbled, subject, "the metadata of version \(header.sequence) is damaged",
        remedy: "restore the device, or go back to a previous version of the metadata")
    }
  }

  /// Valid as long as this slot's contents are.
  private var stored: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: state.bytes[..<header.stateCount])
  }

  /// Adds the record at the log's end, unless it is not the one that follows.
  mutating func append(_ record: SlotRecord) -> Bool {
    guard record.sequence == lastSequence + 1, record.previous == lastChecksum else { return false }
    changes.append(Array(record.change))
    lastSequence += 1
    lastChecksum = record.checksum
    logEnd += PoolLayout.roundUp(record.count, to: PoolLayout.block)
    return true
  }

  /// The state after the change with this sequence.
  func state(at sequence: UInt64, subject: String) throws -> PoolState {
    var state = try PoolState(stored, extentCount: layout.extentCount, subject: subject)
    for change in changes.prefix(Int(clamping: sequence - header.sequence)) {
      try change.withUnsafeBytes { bytes in
        var reader = ByteReader(bytes, subject: subject)
        try state.apply(PoolChange(&reader))
        guard reader.isAtEnd else { throw reader.garbled("there is something behind a change") }
      }
    }
    return state
  }
}
