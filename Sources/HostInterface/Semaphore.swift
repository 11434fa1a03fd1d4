import Glibc

/// A counting semaphore of the C library.
package final class Semaphore: Sendable {
  // Sound: sem_t is allocated once, never moved, and made for use by several threads.
  private nonisolated(unsafe) let raw: UnsafeMutablePointer<sem_t>

  /// A semaphore at zero.
  package init() {
    raw = .allocate(capacity: 1)
    sem_init(raw, 0, 0)
  }

  deinit {
    sem_destroy(raw)
    raw.deallocate()
  }

  /// Lets one who waits go on, now or later.
  package func signal() { sem_post(raw) }

  /// Waits for a signal.
  package func wait() {
    while sem_wait(raw) != 0 {}
  }
}
