import CLibNBD
import HostInterface
import SystemPackage

/// A handle of libnbd, which is closed when nobody has it any more.
///
/// libnbd is loaded when the first one is made.
// Sound: libnbd takes a lock of the handle in each call (libnbd(3)), and nothing here changes.
final class NBDHandle: @unchecked Sendable {
  // Sound: the functions are filled in once, before anyone sees them, and never change.
  private nonisolated(unsafe) static let loaded = nbd_load()

  let library: nbd_functions
  let pointer: OpaquePointer

  /// - Throws: ``Failure`` with code `unavailable` where libnbd is missing.
  init() throws {
    guard let library = Self.loaded?.pointee else {
      throw Failure(
        .unavailable, "libnbd", "libnbd.so.0 is missing, or older than 1.12",
        remedy: "install it: the package is libnbd0 in Debian, libnbd in Fedora")
    }
    guard let pointer = library.nbd_create() else {
      throw Failure(.unavailable, "libnbd", "it gives no handle")
    }
    self.library = library
    self.pointer = pointer
    // Who names a leg may name files with keys as well; nbd_connect_uri(3) refuses them unless it is told.
    _ = library.nbd_set_uri_allow_local_file(pointer, true)
    // Which parts are holes; a server that does not know that refuses it, and is used all the same.
    _ = library.nbd_add_meta_context(pointer, LIBNBD_CONTEXT_BASE_ALLOCATION)
    // What a failed read leaves in its buffer is not looked at.
    _ = library.nbd_set_pread_initialize(pointer, false)
  }

  deinit { library.nbd_close(pointer) }

  /// Whether the server takes requests.
  var isOpen: Bool { library.nbd_aio_is_ready(pointer) == 1 || library.nbd_aio_is_processing(pointer) == 1 }
  /// Whether it ended as libnbd(3) says a connection ends, after a disconnection.
  var isClosed: Bool { library.nbd_aio_is_closed(pointer) == 1 }
  /// Whether there is no connection any more.
  var isDead: Bool { isClosed || library.nbd_aio_is_dead(pointer) == 1 }
  /// Whether connecting has not begun, or has failed with every address of a name.
  var isFresh: Bool { library.nbd_aio_is_created(pointer) == 1 }

  /// What libnbd said of the call that failed last on this thread: errno, which may be 0, and its words.
  var lastError: (number: Int32, text: String) {
    (library.nbd_get_errno(), library.nbd_get_error().map { String(cString: $0) } ?? "no reason was given")
  }
}
