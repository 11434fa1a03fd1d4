/// A volume as a list of segments in the order of its contents.
struct MappedVolume {
  let id: UInt64
  var name: VolumeName
  /// Neighbours that stand side by side in the pool are one segment.
  private(set) var segments: [ExtentRun] = []
  /// Where each segment begins in the volume, in extents.
  private var starts: [UInt32] = []
  /// The size in extents.
  private(set) var count: UInt32 = 0

  init(id: UInt64, name: VolumeName) {
    self.id = id
    self.name = name
  }

  mutating func append(_ run: ExtentRun) {
    guard run.count > 0 else { return }
    if let last = segments.last, last.end == run.start {
      segments[segments.count - 1].count += run.count
    } else {
      segments.append(run)
      starts.append(count)
    }
    count += run.count
  }

  /// Cuts the end off, and returns what that frees.
  mutating func truncate(to wanted: UInt32) -> [ExtentRun] {
    var freed: [ExtentRun] = []
    while count > wanted, let last = segments.last {
      let excess = min(count - wanted, last.count)
      freed.append(ExtentRun(start: last.end - excess, count: excess))
      if excess == last.count {
        segments.removeLast()
        starts.removeLast()
      } else {
        segments[segments.count - 1].count -= excess
      }
      count -= excess
    }
    return freed
  }

  /// Where an extent of the volume stands, with what follows it in the same segment.
  func run(at extent: UInt32) -> ExtentRun? {
    guard extent < count else { return nil }
    var low = 0
    var high = starts.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= extent { low = middle } else { high = middle }
    }
    let skipped = extent - starts[low]
    return ExtentRun(start: segments[low].start + skipped, count: segments[low].count - skipped)
  }

  /// Lets one extent of the volume stand elsewhere, and returns where it stood.
  mutating func replace(_ extent: UInt32, by place: UInt32) -> UInt32? {
    guard let old = run(at: extent)?.start else { return nil }
    let all = segments
    segments = []
    starts = []
    count = 0
    for segment in all {
      if extent >= count, extent < count + segment.count {
        let skipped = extent - count
        append(ExtentRun(start: segment.start, count: skipped))
        append(ExtentRun(start: place, count: 1))
        append(ExtentRun(start: segment.start + skipped + 1, count: segment.count - skipped - 1))
      } else {
        append(segment)
      }
    }
    return old
  }
}
