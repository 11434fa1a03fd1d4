import BlockEngine

/// Time that goes on only from one scheduled call to the next.
///
/// Calls at the same time come in the order in which they were scheduled, so that a run follows from its seed alone.
package final class SimulatedClock: EngineClock {
  package private(set) var now: Duration = .zero
  private var timers = TimerQueue()

  /// A clock at zero.
  package init() {}

  @discardableResult
  package func schedule(after delay: Duration, _ body: @escaping () -> Void) -> ScheduledCall {
    let call = ScheduledCall(body)
    timers.add(call, at: now + max(delay, .zero))
    return call
  }

  /// Makes the next call; false when there is none.
  package func step() -> Bool {
    while let (time, call) = timers.takeFirst() {
      guard call.body != nil else { continue }
      now = time
      call.fire()
      return true
    }
    return false
  }

  /// Makes calls until a condition holds; false when there are no calls left, or too many were made, before it does.
  package func run(limit: Int = 10_000_000, until condition: () -> Bool) -> Bool {
    for _ in 0..<limit {
      if condition() { return true }
      if !step() { return condition() }
    }
    return condition()
  }

  /// Forgets every call, as a machine does that loses power.
  package func cancelAll() { timers.removeAll() }
}
