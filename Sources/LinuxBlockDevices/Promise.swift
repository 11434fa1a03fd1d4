import HostInterface

/// An answer that one thread gives, once, and another waits for.
final class Promise<Value: Sendable>: Sendable {
  private let answer = Guarded<Result<Value, Failure>?>(nil)
  private let given = Semaphore()
  private let tell: (@Sendable (Result<Value, Failure>) -> Void)?

  /// - Parameter tell: Told the answer, where nobody waits for it.
  init(_ tell: (@Sendable (Result<Value, Failure>) -> Void)? = nil) { self.tell = tell }

  /// Whether there is an answer.
  var isGiven: Bool { answer.withLock { $0 != nil } }

  /// Gives the answer, unless there is one already.
  func give(_ result: Result<Value, Failure>) {
    let isFirst = answer.withLock { answer in
      defer { answer = answer ?? result }
      return answer == nil
    }
    guard isFirst else { return }
    if let tell { tell(result) } else { given.signal() }
  }

  func wait() throws -> Value {
    given.wait()
    return try answer.withLock { $0 }?.get()
      ?? { throw Failure(.unavailable, "engine", "it gave no answer") }()
  }
}

/// Sees to it that a promise is kept: when nobody can give the answer any more, it is that the engine has ended.
final class PromiseKeeper<Value: Sendable>: Sendable {
  private let promise: Promise<Value>

  init(_ promise: Promise<Value>) { self.promise = promise }

  deinit { promise.give(.failure(Failure(.unavailable, "engine", "it has ended"))) }

  func keep(_ result: Result<Value, Failure>) { promise.give(result) }
}
