import BlockEngine
import Glibc
import HostInterface
import SystemPackage

/// An ``AIOLoop`` and an engine, which is everything that is built on the loop, for many threads.
///
/// Nothing of an engine is `Sendable`. It is made, used and given up with a lock held, by one thread at a time. Whoever
/// has a request starts it in its own thread, and waits for the kernel itself until it is answered, unless somebody
/// does that already: a request that is alone changes threads nowhere. Two threads of the engine's own see to the
/// rest: one waits for the kernel when requests are under way and none of those who have them does; the other for
/// descriptors and timers.
package final class SharedEngine<Engine>: @unchecked Sendable {
  // Sound: what varies, the engine and the loop are touched with the lock held. Without it, a batch is handed over to
  // the kernel by whoever took it, and one thread, as `isCollecting` says, waits for requests, and one for descriptors;
  // the loop is made for that.
  private let lock = EngineLock()
  private let loop: AIOLoop
  /// Nil once it was given up.
  private var engine: Engine?
  private var isEnding = false
  /// Whether somebody waits for requests, who has to be woken by a bell.
  private var isCollecting = false
  /// What whoever waits for requests does so for, if it is not for others.
  private var collectorPromise: Promise?
  private let bell: WakeCounter
  /// How many are handing batches over.
  private var submitting = 0
  /// Until when the thread that waits for descriptors does so.
  private var alarm = Duration.zero
  private let alarmBell: WakeCounter
  private var threads: [pthread_t] = []

  /// Makes the engine, and starts its threads.
  ///
  /// - Parameters:
  ///   - depth: How many requests the kernel has at most.
  ///   - make: Makes the engine; may run the loop.
  /// - Throws: What `make` throws, or ``Failure`` when the system gives no thread, no descriptor or no context.
  package init(depth: Int = 256, _ make: (AIOLoop) throws -> Engine) throws {
    (bell, alarmBell) = (try WakeCounter(), try WakeCounter())
    loop = try AIOLoop(depth: depth)
    do {
      engine = try make(loop)
      try loop.arm(.shared, bell.descriptor)
      let bell = alarmBell
      _ = loop.watch(alarmBell.descriptor, for: .input) { _ in bell.clear() }
      threads.append(try startThread { [self] in collectForOthers() })
      threads.append(try startThread { [self] in watchDescriptors() })
    } catch {
      end()
      loop.end()
      throw error
    }
  }

  /// Calls a body with the engine; not at all once it was given up.
  package func post(_ body: @escaping @Sendable (Engine) -> Void) { enter(for: nil, body) }

  /// Starts something, and waits for its end; not to be called from within the engine.
  ///
  /// - Throws: ``Failure``: what it ends with, or ``Failure/Code/unavailable`` when the engine ends before.
  package func run(_ start: @escaping @Sendable (Engine, @escaping (Failure?) -> Void) -> Void) throws {
    let promise = Promise()
    ask(promise, start)
    try promise.wait()
  }

  /// The same for what gives a value.
  package func answer<Value: Sendable>(
    _ start: @escaping @Sendable (Engine, @escaping (Result<Value, Failure>) -> Void) -> Void
  ) throws -> Value {
    let given = Guarded<Value?>(nil)
    try run { engine, end in
      start(engine) { result in
        switch result {
        case .success(let value):
          given.withLock { $0 = value }
          end(nil)
        case .failure(let failure): end(failure)
        }
      }
    }
    guard let value = given.withLock({ $0 }) else {
      throw Failure(.unavailable, "engine", "it gave no answer")
    }
    return value
  }

  private func ask(
    _ promise: Promise, _ start: @escaping @Sendable (Engine, @escaping (Failure?) -> Void) -> Void
  ) {
    // Whoever drops the closure without calling it, as a loop does that ends, thereby gives the answer.
    let keeper = PromiseKeeper(promise)
    enter(for: promise) { start($0) { keeper.keep($0) } }
  }

  /// Gives the engine up, and ends its threads; waits for that.
  ///
  /// An engine that has to be closed in order is closed by a call before; whoever still waits then for its answer is
  /// told that there will be none.
  package func end() {
    lock.lock()
    isEnding = true
    lock.tell()
    bell.add()
    alarmBell.add()
    giveUp()
    while engine != nil { lock.wait() }
    let ending = threads
    threads = []
    lock.unlock()
    for thread in ending { pthread_join(thread, nil) }
  }

  // MARK: With the lock

  /// Calls a body with the engine, and has the kernel do what comes of it.
  ///
  /// - Parameter promise: What the caller waits for, if it waits for something.
  private func enter(for promise: Promise?, _ body: (Engine) -> Void) {
    lock.lock()
    defer { unlock() }
    guard !isEnding else { return }
    call(body)
    handOver()
    if let promise, !isCollecting { collect(for: promise) }
  }

  /// Apart, so that nobody has the engine still when it was given up.
  private func call(_ body: (Engine) -> Void) { if let engine { body(engine) } }

  /// Hands over what is prepared; others have the lock meanwhile, and a copy from or to memory holds up nobody.
  private func handOver() {
    while let batch = loop.takeBatch() {
      submitting += 1
      unlock()
      let taken = loop.handOver(batch)
      lock.lock()
      submitting -= 1
      loop.settle(batch, taken)
    }
  }

  /// Waits for requests, and gives their answers, until there is none or a promise is kept.
  private func collect(for promise: Promise?) {
    (isCollecting, collectorPromise) = (true, promise)
    defer { (isCollecting, collectorPromise) = (false, nil) }
    while !isEnding, loop.inKernel > 0, promise?.isGiven != true {
      do {
        loop.answer(try wait())
        if loop.isRung(.shared) {
          bell.clear()
          try loop.arm(.shared, bell.descriptor)
        }
      } catch {
        // Nobody would be answered any more.
        isEnding = true
      }
      loop.makeCalls()
      handOver()
    }
  }

  /// Waits for the kernel; others have the lock meanwhile, unless something is complete already.
  private func wait() throws -> Int {
    let count = try loop.wait(atMost: .zero)
    if count > 0 { return count }
    unlock()
    defer { lock.lock() }
    return try loop.wait(atMost: .seconds(60))
  }

  /// Gives the lock up.
  private func unlock() {
    remindOthers()
    lock.unlock()
  }

  /// Sees to it, before others have the lock, that they go on.
  private func remindOthers() {
    if isEnding { return giveUp() }
    if collectorPromise?.isGiven == true { bell.add() }
    if !isCollecting, submitting == 0, loop.inKernel > 0 { lock.tell() }
    if let next = loop.nextCall, next < alarm {
      alarm = next
      alarmBell.add()
    }
  }

  /// Gives the engine up as soon as nobody is in the kernel for it.
  private func giveUp() {
    guard !isCollecting, submitting == 0, engine != nil else { return }
    loop.end()
    engine = nil
    lock.tell()
  }

  // MARK: The threads

  private func collectForOthers() {
    lock.lock()
    defer { unlock() }
    while !isEnding {
      if !isCollecting, loop.inKernel > 0 {
        collect(for: nil)
      } else {
        remindOthers()
        lock.wait()
      }
    }
  }

  private func watchDescriptors() {
    lock.lock()
    defer { unlock() }
    while !isEnding {
      let limit = loop.nextCall.map { min(max(.zero, $0 - loop.now), .seconds(60)) } ?? .seconds(60)
      alarm = loop.now + limit
      unlock()
      let found = loop.descriptors.wait(atMost: limit)
      lock.lock()
      if isEnding { break }
      loop.makeCalls()
      loop.descriptors.tell(found)
      handOver()
    }
  }
}

/// Starts a thread that takes no signals: those are for the threads of the program.
private func startThread(_ body: @escaping @Sendable () -> Void) throws -> pthread_t {
  let start = Unmanaged.passRetained(ThreadStart(body))
  var id = pthread_t()
  let result = pthread_create(
    &id, nil,
    { argument in
      var all = sigset_t()
      sigfillset(&all)
      pthread_sigmask(SIG_BLOCK, &all, nil)
      // Sound: the pointer is the retained object that was passed below, consumed here exactly once.
      if let argument { Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue().body() }
      return nil
    }, start.toOpaque())
  guard result == 0 else {
    start.release()
    throw Failure.system(Errno(rawValue: result), "engine", "cannot start a thread")
  }
  return id
}

/// What a new thread runs.
private final class ThreadStart {
  let body: @Sendable () -> Void
  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
