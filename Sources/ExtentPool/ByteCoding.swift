import HostInterface

/// Bytes that grow by little-endian integers.
struct ByteWriter {
  private(set) var bytes: [UInt8] = []

  mutating func put<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
  }

  mutating func put(_ name: VolumeName) {
    put(UInt8(name.description.utf8.count))
    bytes += name.description.utf8
  }

  mutating func put(_ runs: [ExtentRun]) {
    put(UInt32(runs.count))
    for run in runs {
      put(run.start)
      put(run.count)
    }
  }
}

/// Reads what ``ByteWriter`` wrote; whatever is missing or does not fit is a failure and never a trap.
struct ByteReader {
  private let bytes: UnsafeRawBufferPointer
  private var position = 0
  private let subject: String

  init(_ bytes: UnsafeRawBufferPointer, subject: String) {
    self.bytes = bytes
    self.subject = subject
  }

  var isAtEnd: Bool { position == bytes.count }

  func garbled(_ problem: String) -> Failure {
    Failure(.garbled, subject, "the metadata is damaged at byte \(position): \(problem)")
  }

  mutating func get<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type = T.self) throws -> T {
    let size = MemoryLayout<T>.size
    guard bytes.count - position >= size else { throw garbled("it ends too early") }
    defer { position += size }
    return T(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: type))
  }

  mutating func name() throws -> VolumeName {
    let count = Int(try get(UInt8.self))
    guard bytes.count - position >= count else { throw garbled("a name ends too early") }
    defer { position += count }
    return try VolumeName(String(decoding: bytes[position..<position + count], as: UTF8.self))
  }

  mutating func runs() throws -> [ExtentRun] {
    let count = Int(try get(UInt32.self))
    guard (bytes.count - position) / 8 >= count else {
      throw garbled("a list of \(count) segments is too long")
    }
    var runs: [ExtentRun] = []
    runs.reserveCapacity(count)
    for _ in 0..<count {
      let run = ExtentRun(start: try get(), count: try get())
      guard run.count > 0, !run.start.addingReportingOverflow(run.count).overflow else {
        throw garbled("a segment of \(run.count) extents from \(run.start) on")
      }
      runs.append(run)
    }
    return runs
  }
}
