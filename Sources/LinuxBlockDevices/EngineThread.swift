import BlockEngine
import CLibAIO
import Glibc
import HostInterface
import SystemPackage

/// A thread that owns an ``AIOLoop`` and an engine: everything that is built on the loop.
///
/// Nothing of an engine is `Sendable`. It is made on this thread, stays there, and is given up there; others hand over
/// bodies, which are called between two turns of the loop.
package final class EngineThread<Engine>: Sendable {
  /// What runs on the thread.
  package typealias Body = @Sendable (Engine) -> Void

  private struct Queue: Sendable {
    var bodies: [Body] = []
    /// Whether the loop may be waiting in the kernel, so that it has to be woken.
    var isAsleep = false
    var isEnding = false
  }

  private let queue = Guarded(Queue())
  private let wake: WakeCounter
  /// The thread, until somebody has waited for its end.
  private let thread = Guarded<pthread_t?>(nil)

  /// Starts the thread, and waits until the engine is made.
  ///
  /// - Parameters:
  ///   - depth: How many requests the kernel has at most.
  ///   - make: Makes the engine, on the thread.
  /// - Throws: What `make` throws, or ``Failure`` when the system gives no thread, no descriptor or no context.
  package init(depth: Int = 256, _ make: @escaping @Sendable (AIOLoop) throws -> Engine) throws {
    wake = try WakeCounter()
    let started = Promise<Void>()
    let start = ThreadStart { [self] in work(depth, make, started) }
    var id = pthread_t()
    let result = pthread_create(
      &id, nil,
      { argument in
        // Signals are for the threads of the program that has an engine.
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, nil)
        // Sound: the pointer is the retained object that was passed below, consumed here exactly once.
        if let argument { Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue().body() }
        return nil
      }, Unmanaged.passRetained(start).toOpaque())
    guard result == 0 else {
      throw Failure.system(Errno(rawValue: result), "engine", "cannot start a thread")
    }
    thread.withLock { $0 = id }
    do { try started.wait() } catch {
      join()
      throw error
    }
  }

  /// Has a body called on the thread, soon; not at all once the thread has ended.
  package func post(_ body: @escaping Body) {
    let mustWake = queue.withLock { queue in
      guard !queue.isEnding else { return false }
      queue.bodies.append(body)
      defer { queue.isAsleep = false }
      return queue.isAsleep
    }
    if mustWake { wake.add() }
  }

  /// Starts something on the thread, and waits for its answer; not to be called from the thread itself.
  ///
  /// - Throws: ``Failure``: the answer, or ``Failure/Code/unavailable`` when the thread ends without one.
  package func answer<Value: Sendable>(
    _ start: @escaping @Sendable (Engine, @escaping (Result<Value, Failure>) -> Void) -> Void
  ) throws -> Value {
    let promise = Promise<Value>()
    ask(promise, start)
    return try promise.wait()
  }

  /// The same for callers that must not block.
  package func answer<Value: Sendable>(
    _ start: @escaping @Sendable (Engine, @escaping (Result<Value, Failure>) -> Void) -> Void
  ) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      ask(Promise { continuation.resume(with: $0.mapError { $0 }) }, start)
    }
  }

  private func ask<Value: Sendable>(
    _ promise: Promise<Value>,
    _ start: @escaping @Sendable (Engine, @escaping (Result<Value, Failure>) -> Void) -> Void
  ) {
    // Whoever drops the closure without calling it, as a loop does that ends, thereby gives the answer.
    let keeper = PromiseKeeper(promise)
    post { start($0, keeper.keep) }
  }

  /// Ends the thread: what was handed over before is called, and the engine is given up.
  ///
  /// Waits for that.
  ///
  /// An engine that has to be closed in order is closed by a call before; whoever still waits then for its answer is
  /// told that there will be none.
  package func end() {
    queue.withLock { $0.isEnding = true }
    wake.add()
    join()
  }

  private func join() {
    // Locked meanwhile, so that another who ends it waits as well.
    thread.withLock { thread in
      if let id = thread { pthread_join(id, nil) }
      thread = nil
    }
  }

  private func work(
    _ depth: Int, _ make: (AIOLoop) throws -> Engine, _ started: Promise<Void>
  ) {
    do {
      let loop = try AIOLoop(depth: depth)
      let engine = try make(loop)
      started.give(.success(()))
      defer { loop.end() }
      let watch = loop.watch(wake.descriptor, for: .input) { [wake] _ in wake.clear() }
      defer { watch.cancel() }
      try serve(engine, loop)
    } catch {
      // After the start it changes nothing: whoever waits is told because nothing will call back any more.
      started.give(.failure(error as? Failure ?? Failure(.invalid, "engine", "\(error)")))
    }
    queue.withLock { queue in
      queue.isEnding = true
      queue.bodies = []
    }
  }

  private func serve(_ engine: Engine, _ loop: AIOLoop) throws {
    while true {
      let (bodies, isEnding) = queue.withLock { queue in
        defer { queue.bodies.removeAll(keepingCapacity: true) }
        queue.isAsleep = false
        return (queue.bodies, queue.isEnding)
      }
      for body in bodies { body(engine) }
      if isEnding { return }
      try loop.turn(atMost: .seconds(60)) {
        queue.withLock { queue in
          queue.isAsleep = queue.bodies.isEmpty && !queue.isEnding
          return queue.isAsleep
        }
      }
    }
  }
}

/// What a new thread runs.
private final class ThreadStart {
  let body: @Sendable () -> Void
  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

/// An answer that one thread gives, once, and another waits for.
private final class Promise<Value: Sendable>: Sendable {
  private let answer = Guarded<Result<Value, Failure>?>(nil)
  private let given = Semaphore()
  private let tell: (@Sendable (Result<Value, Failure>) -> Void)?

  init(_ tell: (@Sendable (Result<Value, Failure>) -> Void)? = nil) { self.tell = tell }

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
private final class PromiseKeeper<Value: Sendable>: Sendable {
  private let promise: Promise<Value>

  init(_ promise: Promise<Value>) { self.promise = promise }

  deinit { promise.give(.failure(Failure(.unavailable, "engine", "it has ended"))) }

  func keep(_ result: Result<Value, Failure>) { promise.give(result) }
}

/// A counter of the kernel (eventfd(2)) by which a thread that waits in a loop is woken.
private final class WakeCounter: Sendable {
  let descriptor: Int32

  init() throws {
    descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    guard descriptor >= 0 else {
      throw Failure.system(Errno(rawValue: errno), "engine", "cannot make a counter to be woken by")
    }
  }

  deinit { close(descriptor) }

  func add() {
    var one: UInt64 = 1
    // It fails only where the counter is full: then the thread is being woken anyway.
    _ = write(descriptor, &one, 8)
  }

  func clear() {
    var count: UInt64 = 0
    _ = read(descriptor, &count, 8)
  }
}
