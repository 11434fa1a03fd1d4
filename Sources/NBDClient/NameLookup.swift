import CLibNBD
import Glibc
import HostInterface
import Synchronization
import SystemPackage

/// The first step of a connection, in a thread of its own, since libnbd looks up names by getaddrinfo(3), which blocks
/// for as long as resolv.conf(5) lets it.
///
/// The thread ends by itself, whether somebody still waits for it or not; the handle lives as long.
final class NameLookup: Sendable {
  /// Readable when the step is over (eventfd(2)).
  let descriptor: Int32
  /// Nil as long as it is not over.
  private let result = Mutex<(number: Int32, text: String)??>(nil)

  /// What libnbd answered, once the step is over: nil when connecting is under way.
  var answer: (number: Int32, text: String)? { result.withLock { $0 ?? nil } }

  /// - Throws: ``Failure`` when the system gives no descriptor or no thread.
  init(_ handle: NBDHandle, _ uri: String) throws {
    descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    guard descriptor >= 0 else {
      throw Failure.system(Errno(rawValue: errno), uri, "cannot make a counter to be told by")
    }
    let work = Work { [self] in
      let done = handle.library.nbd_aio_connect_uri(handle.pointer, uri)
      let error = done == 0 ? nil : handle.lastError
      result.withLock { $0 = .some(error) }
      var one: UInt64 = 1
      _ = write(descriptor, &one, 8)
    }
    var id = pthread_t()
    let made = pthread_create(
      &id, nil,
      { argument in
        // Sound: the pointer is the retained object that was passed below, consumed here exactly once.
        if let argument { Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body() }
        return nil
      }, Unmanaged.passRetained(work).toOpaque())
    guard made == 0 else { throw Failure.system(Errno(rawValue: made), uri, "cannot start a thread") }
    pthread_detach(id)
  }

  deinit { close(descriptor) }

  private final class Work {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
}
