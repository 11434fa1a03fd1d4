import Glibc
import Synchronization

/// A task executor whose threads may block: calls into /proc, sysfs and configfs wait inside the kernel.
package final class BlockingThreads: TaskExecutor {
  private struct Queue: Sendable {
    var jobs: [UnownedJob] = []
    var ended = false
  }
  private let queue = Mutex(Queue())
  private let wake: Semaphore
  private let count: Int

  private init(count: Int) {
    self.count = count
    wake = Semaphore()
  }

  /// Starts this many threads, or as many as the system gives; nil where it gives none.
  static func start(_ count: Int) -> BlockingThreads? {
    let threads = BlockingThreads(count: count)
    let started = (0..<count).filter { _ in threads.startOne() }
    return started.isEmpty ? nil : threads
  }

  private func startOne() -> Bool {
    let thread = Unmanaged.passRetained(self)
    var id = pthread_t()
    let started = pthread_create(
      &id, nil,
      { argument in
        // Sound: the pointer is the retained executor that `startOne` passed, consumed here exactly once.
        if let argument { Unmanaged<BlockingThreads>.fromOpaque(argument).takeRetainedValue().work() }
        return nil
      }, thread.toOpaque())
    guard started == 0 else {
      thread.release()
      return false
    }
    pthread_detach(id)
    return true
  }

  /// Runs a body to its end on the calling thread, with all that it awaits.
  ///
  /// A command does one thing after the other: a pool of threads would cost it a quarter of its time.
  ///
  /// - Parameter started: Called with the task before it runs, so that it can be cancelled.
  package static func runHere(
    _ body: sending @escaping () async -> Void, started: (Task<Void, Never>) -> Void
  ) {
    let here = BlockingThreads(count: 1)
    let task = Task(executorPreference: here) {
      await body()
      here.end()
    }
    started(task)
    here.work()
  }

  /// Lets the threads end when the jobs queued so far have run.
  func end() {
    queue.withLock { $0.ended = true }
    for _ in 0..<count { wake.signal() }
  }

  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.withLock { $0.jobs.append(job) }
    wake.signal()
  }

  private func work() {
    while true {
      wake.wait()
      let (job, ended) = queue.withLock { queue in
        (queue.jobs.isEmpty ? nil : queue.jobs.removeFirst(), queue.ended)
      }
      if let job { job.runSynchronously(on: asUnownedTaskExecutor()) } else if ended { return }
    }
  }
}
