import HostInterface

/// An answer, which may be a failure, that one thread gives, once, and another waits for.
final class Promise: Sendable {
  private enum Answer { case none, failure(Failure?) }

  private let answer = Guarded(Answer.none)
  private let given = Semaphore()

  /// Whether there is an answer.
  var isGiven: Bool {
    answer.withLock { if case .none = $0 { false } else { true } }
  }

  /// Gives the answer, unless there is one already.
  func give(_ failure: Failure?) {
    let isFirst = answer.withLock { answer in
      guard case .none = answer else { return false }
      answer = .failure(failure)
      return true
    }
    if isFirst { given.signal() }
  }

  /// Waits for the answer.
  ///
  /// - Throws: It, when it is a failure.
  func wait() throws {
    given.wait()
    if case .failure(let failure?) = answer.withLock({ $0 }) { throw failure }
  }
}

/// Sees to it that a promise is kept: when nobody can give the answer any more, it is that the engine has ended.
final class PromiseKeeper: Sendable {
  private let promise: Promise

  init(_ promise: Promise) { self.promise = promise }

  deinit { promise.give(Failure(.unavailable, "engine", "it has ended")) }

  func keep(_ failure: Failure?) { promise.give(failure) }
}
