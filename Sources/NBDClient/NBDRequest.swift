import BlockEngine
import CLibNBD
import Glibc
import HostInterface
import SystemPackage

/// A request that a server has, or will have.
final class NBDRequest {
  let number: Int
  let request: BlockRequest
  let start: Duration
  /// Nil once it was called.
  var completion: ((Failure?) -> Void)?
  private weak var connection: NBDConnection?
  /// Where libnbd puts what is read. Who gave up waiting may use the buffer of the request again, and a late answer must
  /// not come into it.
  // Sound: allocated and freed with the request, which libnbd keeps until it has done with the memory.
  let scratch: UnsafeMutableRawBufferPointer?

  init(
    _ number: Int, _ request: BlockRequest, at start: Duration, of connection: NBDConnection,
    _ completion: @escaping (Failure?) -> Void
  ) {
    self.number = number
    self.request = request
    self.start = start
    self.connection = connection
    self.completion = completion
    if case .read(_, let buffer) = request {
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

  /// Answers it, unless that was done before.
  func end(_ failure: Failure?) {
    guard let completion else { return }
    self.completion = nil
    if failure == nil, case .read(_, let buffer) = request, let scratch {
      buffer.bytes.copyMemory(from: UnsafeRawBufferPointer(scratch))
    }
    completion(failure)
  }

  /// What to say when a server, or libnbd, answers with this error.
  func failure(_ number: Int32, of name: String, answer: String? = nil) -> Failure {
    let verb =
      switch request {
      case .read(let offset, let buffer): "cannot read \(buffer.count) bytes at \(offset)"
      case .write(let offset, let buffer, _): "cannot write \(buffer.count) bytes at \(offset)"
      case .writeZeroes(let offset, let count, _), .discard(let offset, let count):
        "cannot write \(count) bytes of zeroes at \(offset)"
      case .flush: "cannot flush"
      }
    var failure = Failure.system(
      Errno(rawValue: number), name, verb, remedy: "look into the log of the NBD server")
    if let answer { failure.answer = answer }
    return failure
  }
}
