import Glibc

/// SIGINT and SIGTERM: the first cancels what runs, so that it is undone; the second ends the process.
enum Interruption {
  /// Runs a body that the first signal cancels.
  static func cancelling(_ body: @escaping @Sendable () async throws -> Void) async throws {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGTERM)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    let task = Task { try await body() }
    wait(for: signals) { task.cancel() }
    try await task.value
  }

  private final class Watch: Sendable {
    let signals: sigset_t
    let act: @Sendable () -> Void
    init(_ signals: sigset_t, _ act: @escaping @Sendable () -> Void) {
      self.signals = signals
      self.act = act
    }
  }

  private static func wait(for signals: sigset_t, then act: @escaping @Sendable () -> Void) {
    let watch = Unmanaged.passRetained(Watch(signals, act))
    var thread = pthread_t()
    let result = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        // Sound: the pointer is the retained watch passed below, consumed here exactly once.
        let watch = Unmanaged<Watch>.fromOpaque(argument).takeRetainedValue()
        var signals = watch.signals
        var signal: Int32 = 0
        sigwait(&signals, &signal)
        watch.act()
        sigwait(&signals, &signal)
        _exit(128 + signal)
      }, watch.toOpaque())
    if result == 0 { pthread_detach(thread) } else { watch.release() }
  }
}
