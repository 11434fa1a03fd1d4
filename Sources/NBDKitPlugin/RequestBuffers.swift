import BlockEngine
import Synchronization

/// The memory of one request.
///
/// Sound: whoever made the request touches it before it is handed over and after the answer, the engine in between.
final class RequestBuffer: @unchecked Sendable {
  /// All of it, which is lent again.
  fileprivate var whole: BlockBuffer
  /// As much as the request has.
  let block: BlockBuffer

  fileprivate init(_ whole: BlockBuffer, count: Int) {
    self.whole = whole
    block = whole[0..<count]
  }
}

/// The memory of a connection's requests, which later ones use again: to make a MiB of it takes longer than to copy it.
final class RequestBuffers: Sendable {
  /// Memory that is not lent; a device that a mirror has given up may still be busy with it.
  ///
  /// Sound: reached through the mutex only.
  private struct Kept: @unchecked Sendable { var buffers: [BlockBuffer] = [] }

  private let kept = Mutex(Kept())
  /// As many requests as nbdkit has at a time (nbdkit(1), --threads), and as long as clients make them.
  private static let most = 16
  private static let longest = 1 << 20

  /// Lends memory of this many bytes, which hold anything.
  func lend(_ count: Int, _ body: (RequestBuffer) throws -> Void) throws {
    let buffer = RequestBuffer(take(count), count: count)
    defer { keep(buffer.whole) }
    try body(buffer)
  }

  private func take(_ count: Int) -> BlockBuffer {
    guard count <= Self.longest else { return BlockBuffer(count: count) }
    var size = 4096
    while size < count { size *= 2 }
    let found = kept.withLock { kept -> Kept in
      for index in kept.buffers.indices.reversed() where kept.buffers[index].count == size {
        if kept.buffers[index].isUnshared { return Kept(buffers: [kept.buffers.remove(at: index)]) }
      }
      return Kept()
    }
    return found.buffers.first ?? BlockBuffer(count: size)
  }

  private func keep(_ buffer: BlockBuffer) {
    guard buffer.count <= Self.longest else { return }
    let kept = Kept(buffers: [buffer])
    self.kept.withLock { all in
      if all.buffers.count >= Self.most { all.buffers.removeFirst() }
      all.buffers += kept.buffers
    }
  }
}
