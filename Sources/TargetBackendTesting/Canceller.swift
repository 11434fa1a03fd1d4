import Synchronization

/// Cancels a task from within what it runs, once the task is known.
final class Canceller: Sendable {
  private struct State {
    var action: (@Sendable () -> Void)?
    var waiter: CheckedContinuation<Void, Never>?
  }

  private let state = Mutex(State())

  /// Says what cancels.
  func arm(_ action: @escaping @Sendable () -> Void) {
    let waiter = state.withLock { state in
      state.action = action
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume()
  }

  /// Suspends until ``arm(_:)`` was called.
  func waitUntilArmed() async {
    await withCheckedContinuation { continuation in
      let isArmed = state.withLock { state in
        if state.action == nil { state.waiter = continuation }
        return state.action != nil
      }
      if isArmed { continuation.resume() }
    }
  }

  /// Cancels.
  func cancel() { state.withLock { $0.action }?() }
}
