import BlockEngine
import HostInterface

extension ExtentPool {
  /// Moves a segment of a volume, which may be in use, to other extents that stand side by side.
  ///
  /// One extent after the other is copied and then moved, each durably. When it fails, or the machine does, some have
  /// moved and the others have not, and nothing is lost. Requests to the extent that is being copied wait.
  ///
  /// - Parameters:
  ///   - name: The volume.
  ///   - index: Which of its segments, from zero.
  ///   - start: The first extent to move to; nil for the first free run that is long enough.
  ///   - completion: Called with nil when all of it is moved.
  package func moveSegment(
    of name: VolumeName, _ index: Int, to start: UInt32? = nil, _ completion: @escaping (Failure?) -> Void
  ) {
    do {
      let volume = try state.volume(name)
      guard volume.segments.indices.contains(index) else {
        throw Failure(.invalid, "volume \(name)", "it has no segment \(index), only \(volume.segments.count)")
      }
      let segment = volume.segments[index]
      let target: UInt32
      if let start {
        target = start
      } else {
        var free = state.free
        target = try free.choose(segment.count, .contiguous, after: nil, subject: "volume \(name)")[0].start
      }
      guard state.free.contains(ExtentRun(start: target, count: segment.count)) else {
        throw Failure(
          .refused, "volume \(name)", "\(segment.count) extents from \(target) on are not all free")
      }
      let first = volume.segments[..<index].reduce(0) { $0 + $1.count }
      move(volume.id, first..<first + segment.count, to: target, completion)
    } catch {
      completion(error as? Failure ?? Failure(.invalid, "volume \(name)", "\(error)"))
    }
  }

  private func move(
    _ id: UInt64, _ extents: Range<UInt32>, to target: UInt32, _ completion: @escaping (Failure?) -> Void
  ) {
    guard let extent = extents.first else { return completion(nil) }
    enqueue { [self] done in
      moveOne(id, extent, to: target) { [self] failure in
        done()
        if let failure { return completion(failure) }
        move(id, extents.dropFirst().startIndex..<extents.upperBound, to: target + 1, completion)
      }
    }
  }

  /// Copies and moves one extent, while nothing else of the pool changes.
  private func moveOne(
    _ id: UInt64, _ extent: UInt32, to target: UInt32, _ completion: @escaping (Failure?) -> Void
  ) {
    guard let volume = state.volumes[id], let source = volume.run(at: extent)?.start,
      state.free.contains(ExtentRun(start: target, count: 1))
    else {
      return completion(
        Failure(
          .refused, "pool on \(device.name)",
          "extent \(extent) cannot be moved to \(target): something changed"))
    }
    let user = attached[id]
    let copy = { [self] in
      copyExtent(source, to: target) { [self] failure in
        if let failure {
          user?.endMove()
          return completion(failure)
        }
        commit({ _ in .move(id: id, extent: extent, to: target) }) { failure in
          user?.endMove()
          completion(failure)
        }
      }
    }
    if let user { user.beginMove(of: extent, copy) } else { copy() }
  }

  private func copyExtent(_ source: UInt32, to target: UInt32, _ completion: @escaping (Failure?) -> Void) {
    let part = min(extentSize, 1 << 20)
    let buffer = BlockBuffer(count: part)
    let start = layout.dataOffset
    var requests: [BlockRequest] = []
    for offset in stride(from: 0, to: extentSize, by: part) {
      requests.append(.read(offset: start + Int(source) << layout.extentShift + offset, buffer))
      requests.append(
        .write(offset: start + Int(target) << layout.extentShift + offset, buffer, durable: false))
    }
    device.submitInOrder(requests + [.flush], completion)
  }
}
