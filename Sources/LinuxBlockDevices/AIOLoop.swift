import BlockEngine
import CLibAIO
import Glibc
import HostInterface
import SystemPackage

/// One thread's asynchronous I/O by libaio (io_setup(2), io_submit(2), io_getevents(2)), and its clock.
///
/// What is submitted during one turn of the loop goes to the kernel in a few calls.
package final class AIOLoop: EngineClock {
  /// What the kernel did: the number of bytes, or a negative error number.
  typealias Answer = (Int) -> Void
  /// A request that was submitted and is not answered.
  typealias RequestID = Int

  /// How many requests are handed over at once, at most, while answers are given: the disk works meanwhile.
  ///
  /// Measured: with all of them at once a fast disk is idle for a quarter of the time.
  private static let batchLimit = 4

  private let depth: Int
  private var context: io_context_t?
  // Sound: one allocation for the life of the loop, used by its thread only, never moved while the kernel has it.
  private let blocks: UnsafeMutablePointer<iocb>
  private let events: UnsafeMutablePointer<io_event>
  private var free: [Int]
  private var answers: [Answer?]
  /// Prepared and not yet taken by the kernel.
  private var batch: [UnsafeMutablePointer<iocb>?] = []
  /// What waits for a free block.
  private var waiting: [(id: RequestID, prepare: (UnsafeMutablePointer<iocb>) -> Void, answer: Answer)] = []
  /// By slot, the number of the request that it holds.
  private var requests: [RequestID]
  private var lastRequest = 0
  private var inKernel = 0
  private var timers = TimerQueue()

  /// A loop with at most this many requests in the kernel.
  ///
  /// - Throws: ``Failure`` when the system gives no context; see `/proc/sys/fs/aio-max-nr`.
  package init(depth: Int = 256) throws {
    self.depth = depth
    blocks = .allocate(capacity: depth)
    blocks.initialize(repeating: iocb(), count: depth)
    events = .allocate(capacity: depth)
    events.initialize(repeating: io_event(), count: depth)
    free = Array((0..<depth).reversed())
    answers = Array(repeating: nil, count: depth)
    requests = Array(repeating: 0, count: depth)
    var made: io_context_t?
    let result = io_setup(Int32(depth), &made)
    context = made
    guard result == 0 else {
      throw Failure.system(
        Errno(rawValue: -result), "asynchronous I/O", "cannot make a context for \(depth) requests",
        remedy: "raise fs.aio-max-nr")
    }
  }

  /// Gives up whatever was submitted or scheduled, so that nothing refers to the loop any more: what is scheduled
  /// otherwise keeps an engine, which keeps the loop, and with it files that are locked.
  package func end() {
    // Waits for what the kernel still has, so that no buffer is written to later.
    if let context { io_destroy(context) }
    context = nil
    batch = []
    waiting = []
    answers = Array(repeating: nil, count: depth)
    timers.removeAll()
  }

  deinit {
    end()
    blocks.deallocate()
    events.deallocate()
  }

  package var now: Duration {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }

  @discardableResult
  package func schedule(after delay: Duration, _ body: @escaping () -> Void) -> ScheduledCall {
    let call = ScheduledCall(body)
    timers.add(call, at: now + max(delay, .zero))
    return call
  }

  /// Prepares a request for the next call into the kernel.
  @discardableResult
  func submit(
    _ prepare: @escaping (UnsafeMutablePointer<iocb>) -> Void, _ answer: @escaping Answer
  ) -> RequestID {
    lastRequest += 1
    submit(lastRequest, prepare, answer)
    return lastRequest
  }

  private func submit(
    _ id: RequestID, _ prepare: @escaping (UnsafeMutablePointer<iocb>) -> Void, _ answer: @escaping Answer
  ) {
    guard let slot = free.popLast() else { return waiting.append((id, prepare, answer)) }
    let block = blocks + slot
    prepare(block)
    block.pointee.data = UnsafeMutableRawPointer(bitPattern: slot + 1)
    answers[slot] = answer
    requests[slot] = id
    batch.append(block)
  }

  /// Lets a request be answered soon, with what it has done; only waiting for a descriptor can be cut short.
  func cancel(_ id: RequestID) {
    let answer: Answer
    if let place = waiting.firstIndex(where: { $0.id == id }) {
      answer = waiting.remove(at: place).answer
    } else if let slot = requests.firstIndex(of: id), answers[slot] != nil {
      guard let place = batch.firstIndex(of: blocks + slot) else {
        // Its answer comes as any other (io_cancel in the kernel's fs/aio.c), or is there already.
        var unused = io_event()
        io_cancel(context, blocks + slot, &unused)
        return
      }
      batch.remove(at: place)
      let data = blocks[slot].data
      schedule(after: .zero) { [self] in finish(data, 0) }
      return
    } else {
      return
    }
    schedule(after: .zero) { answer(0) }
  }

  /// Serves requests and timers until a condition holds.
  ///
  /// - Throws: ``Failure`` when there is nothing to wait for any more, or the kernel refuses to take requests.
  package func run(until condition: () -> Bool) throws {
    while !condition() {
      try turn(atMost: .milliseconds(100)) {
        if condition() { return false }
        guard inKernel > 0 || timers.next != nil || !batch.isEmpty else {
          throw Failure(.invalid, "asynchronous I/O", "there is nothing left to wait for")
        }
        return true
      }
    }
  }

  /// Calls what is due, hands over what is prepared, and answers what is complete.
  ///
  /// - Parameters:
  ///   - limit: How long to wait at most for something to be complete.
  ///   - mayWait: Whether to wait at all, asked directly before.
  /// - Throws: ``Failure`` when the kernel does not say what is complete, and what `mayWait` throws.
  func turn(atMost limit: Duration, if mayWait: () throws -> Bool) throws {
    fireTimers()
    submitBatch()
    try collect(atMost: try mayWait() ? limit : .zero)
  }

  private func fireTimers() {
    let time = now
    while let next = timers.next, next <= time { timers.takeFirst()?.call.fire() }
  }

  private func submitBatch() {
    while !batch.isEmpty {
      let count = batch.count
      let taken = batch.withUnsafeMutableBufferPointer { io_submit(context, count, $0.baseAddress) }
      if taken == -EINTR { continue }
      // The kernel has no room just now: the rest goes when something has completed.
      if taken == -EAGAIN, inKernel > 0 { return }
      guard taken > 0 else {
        // The first request is wrong; the others are not.
        let block = batch.removeFirst()
        finish(block?.pointee.data, Int(taken))
        continue
      }
      inKernel += Int(taken)
      batch.removeFirst(Int(taken))
    }
  }

  private func collect(atMost limit: Duration) throws {
    var limit = limit
    if let next = timers.next { limit = min(limit, max(.zero, next - now)) }
    let (seconds, attoseconds) = limit.components
    var timeout = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
    let count = io_getevents(context, 1, depth, events, &timeout)
    guard count >= 0 || count == -EINTR else {
      throw Failure.system(Errno(rawValue: -count), "asynchronous I/O", "cannot collect what is complete")
    }
    for index in 0..<max(0, Int(count)) {
      inKernel -= 1
      finish(events[index].data, Int(bitPattern: events[index].res))
      if batch.count >= Self.batchLimit { submitBatch() }
    }
  }

  private func finish(_ data: UnsafeMutableRawPointer?, _ result: Int) {
    let slot = Int(bitPattern: data) - 1
    let answer = answers[slot]
    answers[slot] = nil
    free.append(slot)
    if !waiting.isEmpty {
      let next = waiting.removeFirst()
      submit(next.id, next.prepare, next.answer)
    }
    answer?(result)
  }
}
