import BlockEngine
import CLibNBD
import Glibc
import HostInterface
import SystemPackage

/// A request that a server has, or will have: what libnbd keeps until it has an answer.
///
/// It does not know who waits for the answer, or nobody could give up an engine that waits for a server: see
/// ``WaitingRequests``.
final class NBDRequest {
  enum Question {
    case block(BlockRequest)
    /// Which parts of a range are holes.
    case status(Range<Int>)
  }

  let number: Int
  let question: Question
  private weak var connection: NBDConnection?
  /// Where libnbd puts what is read. Who gave up waiting may use the buffer of the request again, and a late answer must
  /// not come into it.
  // Sound: allocated and freed with the request, which libnbd keeps until it has done with the memory.
  let scratch: UnsafeMutableRawBufferPointer?
  /// What the server tells of a range; see ``statusCallback``.
  private(set) var status: BlockStatusAnswer?
  private var isToldOf = false

  init(_ number: Int, _ question: Question, of connection: NBDConnection, logicalBlockSize: Int = 512) {
    self.number = number
    self.question = question
    self.connection = connection
    if case .status(let range) = question {
      status = BlockStatusAnswer(range, logicalBlockSize: logicalBlockSize)
    }
    if case .block(.read(_, let buffer)) = question {
      scratch = .allocate(byteCount: buffer.count, alignment: 4096)
    } else {
      scratch = nil
    }
  }

  deinit { scratch?.deallocate() }

  /// What libnbd is to call at the end, and then to forget.
  var callback: nbd_completion_callback {
    nbd_completion_callback(
      callback: { data, error in
        if let data {
          // Sound: retained below, and released only by `free`.
          let request = Unmanaged<NBDRequest>.fromOpaque(data).takeUnretainedValue()
          request.connection?.isAnswered(request, error?.pointee ?? 0)
        }
        // 1 retires the command (libnbd(3), completion callbacks).
        return 1
      },
      user_data: Unmanaged.passRetained(self).toOpaque(),
      // Sound: libnbd calls this once, whatever happens (libnbd(3), callback lifetimes).
      free: { if let data = $0 { Unmanaged<NBDRequest>.fromOpaque(data).release() } })
  }

  /// What libnbd is to call with the status of a range: pairs of a length and flags (nbd_block_status(3)).
  var statusCallback: nbd_extent_callback {
    nbd_extent_callback(
      callback: { data, context, _, entries, count, _ in
        guard let data, let context, let entries, strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION) == 0 else {
          return 0
        }
        // Sound: retained below, and released only by `free`; libnbd says how many entries there are.
        let request = Unmanaged<NBDRequest>.fromOpaque(data).takeUnretainedValue()
        request.isTold(UnsafeBufferPointer(start: entries, count: count))
        return 0
      },
      user_data: Unmanaged.passRetained(self).toOpaque(),
      free: { if let data = $0 { Unmanaged<NBDRequest>.fromOpaque(data).release() } })
  }

  private func isTold(_ entries: UnsafeBufferPointer<UInt32>) {
    guard case .status(let range) = question, !isToldOf else { return }
    isToldOf = true
    var end = range.lowerBound
    for place in stride(from: 0, to: entries.count - 1, by: 2) {
      end += Int(entries[place])
      status?.add(upTo: end, isHole: entries[place + 1] & UInt32(LIBNBD_STATE_ZERO) != 0)
      if end >= range.upperBound { return }
    }
  }

  /// Gives what was read to who asked for it.
  func deliver() {
    if case .block(.read(_, let buffer)) = question, let scratch {
      buffer.bytes.copyMemory(from: UnsafeRawBufferPointer(scratch))
    }
  }

  /// What to say when a server, or libnbd, answers with this error.
  func failure(_ number: Int32, of name: String, answer: String? = nil) -> Failure {
    let verb =
      switch question {
      case .block(.read(let offset, let buffer)): "cannot read \(buffer.count) bytes at \(offset)"
      case .block(.write(let offset, let buffer, _)): "cannot write \(buffer.count) bytes at \(offset)"
      case .block(.writeZeroes(let offset, let count, _)), .block(.discard(let offset, let count)):
        "cannot write \(count) bytes of zeroes at \(offset)"
      case .block(.flush): "cannot flush"
      case .status(let range): "cannot find holes in \(range.count) bytes at \(range.lowerBound)"
      }
    var failure = Failure.system(
      Errno(rawValue: number), name, verb, remedy: "look into the log of the NBD server")
    if let answer { failure.answer = answer }
    return failure
  }
}

/// Who waits for answers; kept by a timer of the loop, so that all of them are forgotten with the loop.
final class WaitingRequests {
  private var entries: [Int: (start: Duration, completion: (Failure?) -> Void)] = [:]

  /// When the oldest was sent; nil when nobody waits.
  var oldest: Duration? { entries.values.map(\.start).min() }

  func add(_ number: Int, at start: Duration, _ completion: @escaping (Failure?) -> Void) {
    entries[number] = (start, completion)
  }

  func take(_ number: Int) -> ((Failure?) -> Void)? { entries.removeValue(forKey: number)?.completion }

  /// Everybody but these, in the order of their requests.
  func takeAll(except kept: Set<Int>) -> [(Failure?) -> Void] {
    let taken = entries.filter { !kept.contains($0.key) }.sorted { $0.key < $1.key }
    for (number, _) in taken { entries[number] = nil }
    return taken.map(\.value.completion)
  }
}
