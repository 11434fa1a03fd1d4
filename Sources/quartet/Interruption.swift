import Glibc

/// Counts the signals that came; `sem_post` is one of the few functions that a signal handler may call
/// (signal-safety(7)).
///
/// Sound: allocated once before the handler is installed, never moved or freed, and made for use by several threads.
private nonisolated(unsafe) let signals: UnsafeMutablePointer<sem_t> = {
  let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
  sem_init(semaphore, 0, 0)
  return semaphore
}()

/// SIGINT, SIGTERM and SIGHUP: the first cancels what runs, so that it is undone; the second ends the process.
///
/// A handler, and not a blocked signal: threads of Swift's own exist before this code runs, and commands that are
/// started would inherit what is blocked.
enum Interruption {
  /// Lets the first signal cancel a task.
  static func cancels(_ task: Task<Void, Never>) {
    _ = signals
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in sem_post(signals) }
    action.sa_flags = SA_RESTART
    for signal in [SIGINT, SIGTERM, SIGHUP] { sigaction(signal, &action, nil) }
    watch(Watch { task.cancel() })
  }

  private final class Watch: Sendable {
    let act: @Sendable () -> Void
    init(_ act: @escaping @Sendable () -> Void) { self.act = act }
  }

  private static func watch(_ watch: Watch) {
    let retained = Unmanaged.passRetained(watch)
    var thread = pthread_t()
    let result = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        // Sound: the pointer is the retained watch passed below, consumed here exactly once.
        let watch = Unmanaged<Watch>.fromOpaque(argument).takeRetainedValue()
        while sem_wait(signals) != 0 {}
        watch.act()
        while sem_wait(signals) != 0 {}
        _exit(ExitStatus.interrupted.rawValue)
      }, retained.toOpaque())
    if result == 0 { pthread_detach(thread) } else { retained.release() }
  }
}
