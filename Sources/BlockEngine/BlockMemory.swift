import Glibc
import Synchronization

/// Memory that a device may read from and write to directly: aligned to 4 KiB and never moved.
package final class BlockMemory {
  let base: UnsafeMutableRawPointer
  let count: Int

  init(count: Int) {
    self.count = count
    base = .allocate(byteCount: max(count, 1), alignment: 4096)
    base.initializeMemory(as: UInt8.self, repeating: 0, count: count)
  }

  deinit { base.deallocate() }
}

/// A part of a ``BlockMemory``, which lives as long as some buffer refers to it.
package struct BlockBuffer {
  private var memory: BlockMemory
  private let offset: Int
  /// The length in bytes.
  package let count: Int

  /// New memory of this many bytes, all zero.
  package init(count: Int) {
    memory = BlockMemory(count: count)
    offset = 0
    self.count = count
  }

  /// New memory that holds these bytes.
  package init(_ contents: some Collection<UInt8>) {
    self.init(count: contents.count)
    bytes.copyBytes(from: contents)
  }

  private init(_ memory: BlockMemory, offset: Int, count: Int) {
    self.memory = memory
    self.offset = offset
    self.count = count
  }

  /// The bytes themselves, valid as long as this buffer is kept: it must have a name.
  package var bytes: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: memory.base + offset, count: count)
  }

  /// Whether nobody else refers to the memory: no device that was given up can still write to it.
  package var isUnshared: Bool {
    mutating get {
      guard isKnownUniquelyReferenced(&memory) else { return false }
      // What the thread did that referred to it last was before.
      atomicMemoryFence(ordering: .acquiring)
      return true
    }
  }

  /// Whether another buffer of the same length holds the same bytes.
  package func isSame(as other: BlockBuffer) -> Bool {
    memcmp(memory.base + offset, other.memory.base + other.offset, min(count, other.count)) == 0
  }

  /// A part of the same memory.
  package subscript(range: Range<Int>) -> BlockBuffer {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "a part lies within its buffer")
    return BlockBuffer(memory, offset: offset + range.lowerBound, count: range.count)
  }
}

extension UnsafeMutableRawBufferPointer {
  /// Stores an integer in little-endian order, at any alignment.
  package func put<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int) {
    storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
  }

  /// Loads an integer in little-endian order, from any alignment.
  package func get<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type = T.self, at offset: Int) -> T {
    T(littleEndian: loadUnaligned(fromByteOffset: offset, as: type))
  }
}
