import HostInterface
import Synchronization

/// An answer, which may be a failure, that one thread gives, once, and another waits for.
///
/// Sound: `answer` is written before `state` says that it is given, and read after that; `bell` is written by the one
/// who waits before it says so, and read by who finds that. Who gives a second time does so after the first time: the
/// only one that could is the keeper of the promise, when nobody has it any more.
final class Promise: @unchecked Sendable {
  private enum State: UInt8, AtomicRepresentable { case open, awaited, given }

  private let state = Atomic(State.open)
  private var answer: Failure?
  private var bell: Semaphore?

  /// Whether there is an answer.
  var isGiven: Bool { state.load(ordering: .acquiring) == .given }

  /// Gives the answer, unless there is one already.
  func give(_ failure: Failure?) {
    guard !isGiven else { return }
    answer = failure
    if state.exchange(.given, ordering: .acquiringAndReleasing) == .awaited { bell?.signal() }
  }

  /// Waits for the answer; for one thread, once.
  ///
  /// - Throws: It, when it is a failure.
  func wait() throws {
    if !isGiven {
      let bell = Semaphore()
      self.bell = bell
      let (isAwaited, _) = state.compareExchange(
        expected: .open, desired: .awaited, ordering: .acquiringAndReleasing)
      if isAwaited { bell.wait() }
    }
    if let answer { throw answer }
  }
}

/// Sees to it that a promise is kept: when nobody can give the answer any more, it is that the engine has ended.
final class PromiseKeeper: Sendable {
  private let promise: Promise

  init(_ promise: Promise) { self.promise = promise }

  deinit { promise.give(Failure(.unavailable, "engine", "it has ended")) }

  func keep(_ failure: Failure?) { promise.give(failure) }
}
