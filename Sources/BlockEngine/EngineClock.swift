import HostInterface

/// Time, and calls later on: the engine knows no other source of either, so that a simulation decides both.
package protocol EngineClock: AnyObject {
  /// The time since some fixed moment; never goes back.
  var now: Duration { get }
  /// Calls a body when this much time has passed, unless it is cancelled before.
  @discardableResult
  func schedule(after delay: Duration, _ body: @escaping () -> Void) -> ScheduledCall
}

extension EngineClock {
  /// Starts something, and gives up after a limit of time; what it answers later is not heard.
  func limited(
    _ limit: Duration, _ subject: String, _ start: (@escaping (Failure?) -> Void) -> Void,
    _ completion: @escaping (Failure?) -> Void
  ) {
    var isAnswered = false
    let timer = schedule(after: limit) {
      guard !isAnswered else { return }
      isAnswered = true
      completion(Failure(.timedOut, subject, "it did not answer for \(limit)"))
    }
    start { failure in
      guard !isAnswered else { return }
      isAnswered = true
      timer.cancel()
      completion(failure)
    }
  }
}

/// A call that is to come.
package final class ScheduledCall {
  /// What is called; nil once it was called or cancelled.
  package private(set) var body: (() -> Void)?

  /// A call of this body.
  package init(_ body: @escaping () -> Void) { self.body = body }

  /// Forgets the call; nothing happens when it is over.
  package func cancel() { body = nil }

  /// Makes the call now, if it was not cancelled.
  package func fire() {
    let body = self.body
    self.body = nil
    body?()
  }
}

/// Counts what is in progress, and calls a body when the last of it has ended, with the first failure.
package final class Completion {
  private var pending = 1
  private var failure: Failure?
  private let body: (Failure?) -> Void

  /// A completion that calls this body once, after ``seal()``.
  package init(_ body: @escaping (Failure?) -> Void) { self.body = body }

  /// One more to wait for: the result is to be called at its end.
  package func expect() -> (Failure?) -> Void {
    pending += 1
    return { self.end($0) }
  }

  /// Says that nothing more will be expected.
  package func seal() { end(nil) }

  private func end(_ failure: Failure?) {
    self.failure = self.failure ?? failure
    pending -= 1
    if pending == 0 { body(self.failure) }
  }
}
