/// One change of a pool, which is what a record of the log holds.
///
/// Applying the same changes in order gives the same state.
enum PoolChange {
  case create(id: UInt64, VolumeName, [ExtentRun])
  case extend(id: UInt64, [ExtentRun])
  case shrink(id: UInt64, to: UInt32)
  case remove(id: UInt64)
  case rename(id: UInt64, VolumeName)
  /// One extent of a volume stands elsewhere from now on.
  case move(id: UInt64, extent: UInt32, to: UInt32)

  func encode(_ writer: inout ByteWriter) {
    switch self {
    case .create(let id, let name, let runs):
      writer.put(UInt8(1))
      writer.put(id)
      writer.put(name)
      writer.put(runs)
    case .extend(let id, let runs):
      writer.put(UInt8(2))
      writer.put(id)
      writer.put(runs)
    case .shrink(let id, let count):
      writer.put(UInt8(3))
      writer.put(id)
      writer.put(count)
    case .remove(let id):
      writer.put(UInt8(4))
      writer.put(id)
    case .rename(let id, let name):
      writer.put(UInt8(5))
      writer.put(id)
      writer.put(name)
    case .move(let id, let extent, let place):
      writer.put(UInt8(6))
      writer.put(id)
      writer.put(extent)
      writer.put(place)
    }
  }

  init(_ reader: inout ByteReader) throws {
    let kind = try reader.get(UInt8.self)
    let id = try reader.get(UInt64.self)
    switch kind {
    case 1: self = .create(id: id, try reader.name(), try reader.runs())
    case 2: self = .extend(id: id, try reader.runs())
    case 3: self = .shrink(id: id, to: try reader.get())
    case 4: self = .remove(id: id)
    case 5: self = .rename(id: id, try reader.name())
    case 6: self = .move(id: id, extent: try reader.get(), to: try reader.get())
    default: throw reader.garbled("a change of the unknown kind \(kind)")
    }
  }
}
