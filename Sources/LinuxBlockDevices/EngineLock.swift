import Glibc

/// A mutex of the C library, and what to wait for with it.
///
/// The Mutex of Swift's own library is not known to the thread sanitizer, and has nothing to wait for.
final class EngineLock: Sendable {
  // Sound: both are allocated once, never moved, and made for use by several threads.
  private nonisolated(unsafe) let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private nonisolated(unsafe) let change = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    mutex.initialize(to: pthread_mutex_t())
    var kind = pthread_mutexattr_t()
    pthread_mutexattr_init(&kind)
    pthread_mutexattr_settype(&kind, Int32(PTHREAD_MUTEX_ADAPTIVE_NP))
    pthread_mutex_init(mutex, &kind)
    change.initialize(to: pthread_cond_t())
    pthread_cond_init(change, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    pthread_cond_destroy(change)
    mutex.deallocate()
    change.deallocate()
  }

  func lock() { pthread_mutex_lock(mutex) }
  func unlock() { pthread_mutex_unlock(mutex) }

  /// Lets others have the lock until one of them tells of a change, or for no reason.
  func wait() { pthread_cond_wait(change, mutex) }
  /// Tells those who wait.
  func tell() { pthread_cond_broadcast(change) }
}
