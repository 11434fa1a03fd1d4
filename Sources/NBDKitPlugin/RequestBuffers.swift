import BlockEngine
import LinuxBlockDevices

/// The memory of a request.
///
/// Sound: whoever has it on loan touches it before the request is handed over and after the answer, the engine in
/// between; what is not on loan is reached through the mutex of ``RequestBuffers`` only.
final class RequestBuffer: @unchecked Sendable {
  fileprivate var memory: BlockBuffer
  fileprivate var count = 0
  /// As much of it as the request has.
  var block: BlockBuffer { memory[0..<count] }

  fileprivate init(size: Int) { memory = BlockBuffer(count: size) }
}

/// The memory of a connection's requests, which later ones use again.
///
/// What a device may still be busy with, since a mirror has given it up, is not lent: a late read would come into
/// another request's data.
final class RequestBuffers: Sendable {
  private let kept = Guarded<[RequestBuffer]>([])
  /// As many requests as nbdkit has at a time (nbdkit(1), --threads), and as long as clients make them.
  private static let most = 16
  private static let longest = 1 << 20

  /// Lends memory of this many bytes, which hold anything.
  func lend(_ count: Int, _ body: (RequestBuffer) throws -> Void) rethrows {
    let buffer = take(count)
    buffer.count = count
    defer { keep(buffer) }
    try body(buffer)
  }

  private func take(_ count: Int) -> RequestBuffer {
    guard count <= Self.longest else { return RequestBuffer(size: count) }
    var size = 4096
    while size < count { size *= 2 }
    let found = kept.withLock { kept in
      kept.lastIndex { $0.memory.count == size && $0.memory.isUnshared }.map { kept.remove(at: $0) }
    }
    return found ?? RequestBuffer(size: size)
  }

  private func keep(_ buffer: RequestBuffer) {
    guard buffer.memory.count <= Self.longest else { return }
    kept.withLock { kept in
      if kept.count >= Self.most { kept.removeFirst() }
      kept.append(buffer)
    }
  }
}
