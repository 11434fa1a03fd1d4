import HostInterface
import Synchronization

/// A value that one thread gives once and any number of tasks wait for.
final class Promise<Value: Sendable>: Sendable {
  private struct State {
    var value: Value?
    var waiting: [UInt64: CheckedContinuation<Value?, Never>] = [:]
    /// Those who gave up before they began to wait.
    var late: Set<UInt64> = []
    var next: UInt64 = 0
  }
  private let state = Mutex(State())

  /// Gives the value; only the first counts.
  func settle(_ value: Value) {
    let waiting = state.withLock { state in
      guard state.value == nil else { return [CheckedContinuation<Value?, Never>]() }
      state.value = value
      defer { state.waiting = [:] }
      return Array(state.waiting.values)
    }
    for continuation in waiting { continuation.resume(returning: value) }
  }

  /// The value; nil when the limit is over or the task cancelled before it is given.
  func value(limit: Duration) async -> Value? {
    let number = state.withLock { state in
      state.next += 1
      return state.next
    }
    let timer = Task {
      try? await Task.sleep(for: limit)
      if !Task.isCancelled { giveUp(number) }
    }
    defer {
      timer.cancel()
      state.withLock { _ = $0.late.remove(number) }
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let ready: Value?? = state.withLock { state in
          if let value = state.value { return .some(value) }
          if state.late.remove(number) != nil || limit <= .zero { return .some(nil) }
          state.waiting[number] = continuation
          return nil
        }
        if let ready { continuation.resume(returning: ready) }
      }
    } onCancel: {
      giveUp(number)
    }
  }

  private func giveUp(_ number: UInt64) {
    let waiting = state.withLock { state in
      let waiting = state.waiting.removeValue(forKey: number)
      if waiting == nil { state.late.insert(number) }
      return waiting
    }
    waiting?.resume(returning: nil)
  }
}
