import BlockEngine
import CLibAIO
import Glibc
import HostInterface
import SystemPackage

/// Asynchronous I/O by libaio (io_setup(2), io_submit(2), io_getevents(2)), descriptors to wait for, and a clock.
///
/// It is for one thread, which calls ``run(until:)``, or for several that take turns, see ``SharedEngine``. What is
/// submitted during one turn of the loop goes to the kernel in a few calls.
package final class AIOLoop: EngineClock {
  /// What the kernel did: the number of bytes, or a negative error number.
  typealias Answer = (Int) -> Void
  /// Requests that are handed over in one call.
  typealias Batch = [UnsafeMutablePointer<iocb>?]

  /// How many requests are handed over at once, at most, while answers are given: the disk works meanwhile.
  ///
  /// Measured: with all of them at once a fast disk is idle for a quarter of the time.
  private static let batchLimit = 4

  let descriptors: DescriptorSet
  /// How many requests the kernel has, or is being given.
  private(set) var inKernel = 0
  private let depth: Int
  private var context: io_context_t?
  // Sound: one allocation for the life of the loop, never moved while the kernel has it. A block is touched by whoever
  // has the loop, and in a batch by whoever hands that over; the events by whoever waits, and then answers.
  private let blocks: UnsafeMutablePointer<iocb>
  private let events: UnsafeMutablePointer<io_event>
  private var free: [Int]
  private var answers: [Waiting?]
  /// Prepared and not yet taken by the kernel.
  private var batch: Batch = []
  /// Whether the kernel has no room until something is complete.
  private var isFull = false
  /// Who is to be told; a type of its own, since a closure that is an element itself costs two more.
  private struct Waiting { let answer: Answer }
  /// What waits for a free block.
  private var waiting: [(request: iocb, answer: Answer)] = []
  private var timers = TimerQueue()
  /// The bells that are armed, by their blocks, which come after those of the requests.
  private var isArmed = [false, false]

  /// What ends a wait for requests, though none is complete: a descriptor that becomes readable.
  enum Bell: Int {
    /// The set of descriptors, for a loop of one thread.
    case descriptors
    /// What those have who share the loop.
    case shared
  }

  /// A loop with at most this many requests in the kernel.
  ///
  /// - Throws: ``Failure`` when the system gives no context; see `/proc/sys/fs/aio-max-nr`.
  package init(depth: Int = 256) throws {
    descriptors = try DescriptorSet()
    self.depth = depth
    let most = depth + isArmed.count
    blocks = .allocate(capacity: most)
    blocks.initialize(repeating: iocb(), count: most)
    events = .allocate(capacity: most)
    events.initialize(repeating: io_event(), count: most)
    free = Array((0..<depth).reversed())
    answers = Array(repeating: nil, count: depth)
    var made: io_context_t?
    let result = io_setup(Int32(most), &made)
    context = made
    guard result == 0 else {
      throw Failure.system(
        Errno(rawValue: -result), "asynchronous I/O", "cannot make a context for \(most) requests",
        remedy: "raise fs.aio-max-nr")
    }
  }

  /// Gives up whatever was submitted or scheduled, so that nothing refers to the loop any more: what is scheduled
  /// otherwise keeps an engine, which keeps the loop, and with it files that are locked.
  package func end() {
    // Waits for what the kernel still has, so that no buffer is written to later.
    if let context { io_destroy(context) }
    context = nil
    (batch, waiting, inKernel) = ([], [], 0)
    answers = Array(repeating: nil, count: depth)
    timers.removeAll()
    descriptors.removeAll()
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

  /// When the next call is due.
  var nextCall: Duration? { timers.next }

  @discardableResult
  package func schedule(after delay: Duration, _ body: @escaping () -> Void) -> ScheduledCall {
    let call = ScheduledCall(body)
    timers.add(call, at: now + max(delay, .zero))
    return call
  }

  /// Makes the calls that are due.
  func makeCalls() {
    guard timers.next != nil else { return }
    let time = now
    while let next = timers.next, next <= time { timers.takeFirst()?.call.fire() }
  }

  /// Keeps a request, as io_prep_pread(3) and its like make it, for the next call into the kernel.
  func submit(_ request: iocb, _ answer: @escaping Answer) {
    guard let slot = free.popLast() else { return waiting.append((request, answer)) }
    let block = blocks + slot
    block.pointee = request
    block.pointee.data = UnsafeMutableRawPointer(bitPattern: slot + 1)
    answers[slot] = Waiting(answer: answer)
    batch.append(block)
  }

  // MARK: One thread

  /// Serves requests, descriptors and timers until a condition holds.
  ///
  /// - Throws: ``Failure`` when there is nothing to wait for any more, or the kernel does not say what is complete.
  package func run(until condition: () -> Bool) throws {
    while !condition() {
      makeCalls()
      while let batch = takeBatch() { settle(batch, handOver(batch)) }
      if condition() { return }
      guard inKernel > 0 || timers.next != nil || !descriptors.isEmpty else {
        throw Failure(.invalid, "asynchronous I/O", "there is nothing left to wait for")
      }
      if !descriptors.isEmpty { try arm(.descriptors, descriptors.epoll) }
      let limit = timers.next.map { max(.zero, $0 - now) } ?? .milliseconds(100)
      answer(try wait(atMost: min(limit, .milliseconds(100))))
      if isRung(.descriptors), !descriptors.isEmpty {
        descriptors.tell(descriptors.wait(atMost: .zero))
      }
    }
  }

  // MARK: The kernel

  /// Takes what is prepared, to be handed over and settled; nil when there is nothing that the kernel has room for.
  func takeBatch() -> Batch? {
    guard !batch.isEmpty, !isFull else { return nil }
    defer { batch = [] }
    inKernel += batch.count
    return batch
  }

  /// Hands a batch over; touches nothing else, so that others may have the loop meanwhile.
  ///
  /// - Returns: How many of it the kernel took, or a negative error number.
  func handOver(_ batch: Batch) -> Int {
    // Sound: the C library declares what it only reads as if it wrote there.
    batch.withUnsafeBufferPointer {
      Int(io_submit(context, $0.count, UnsafeMutablePointer(mutating: $0.baseAddress)))
    }
  }

  /// Sees to what the kernel did not take of a batch.
  func settle(_ batch: Batch, _ taken: Int) {
    guard taken < batch.count else { return }
    var rest = batch.dropFirst(max(0, taken))
    inKernel -= rest.count
    if taken == Int(-EAGAIN), inKernel > 0 {
      // No room just now: it goes when something is complete.
      isFull = true
    } else if taken <= 0, taken != Int(-EINTR), let block = rest.popFirst() {
      // The first request is wrong; the others are not.
      finish(block?.pointee.data, taken)
    }
    self.batch = rest + self.batch
  }

  /// Whether a bell has rung, and is to be armed again.
  func isRung(_ bell: Bell) -> Bool { !isArmed[bell.rawValue] }

  /// Has a wait end when a descriptor becomes readable, once (IOCB_CMD_POLL, io_submit(2), Linux 4.18).
  ///
  /// - Throws: ``Failure`` when the kernel does not know that.
  func arm(_ bell: Bell, _ descriptor: Int32) throws {
    guard !isArmed[bell.rawValue] else { return }
    let slot = depth + bell.rawValue
    var block: UnsafeMutablePointer<iocb>? = blocks + slot
    io_prep_poll(block, descriptor, POLLIN)
    block?.pointee.data = UnsafeMutableRawPointer(bitPattern: slot + 1)
    let result = io_submit(context, 1, &block)
    guard result == 1 else {
      throw Failure.system(Errno(rawValue: -result), "asynchronous I/O", "cannot wait for descriptors")
    }
    isArmed[bell.rawValue] = true
  }

  /// Waits until requests are complete or a bell rings; touches nothing but what the kernel tells, so that others may
  /// have the loop meanwhile, but not wait as well.
  ///
  /// - Returns: How many the kernel told.
  /// - Throws: ``Failure`` when it does not.
  func wait(atMost limit: Duration) throws -> Int {
    // What is complete already is there to be seen, without a call into the kernel.
    let seen = quartet_aio_take(context, events, UInt32(depth + isArmed.count))
    if seen > 0 || (seen == 0 && limit == .zero) { return Int(seen) }
    let (seconds, attoseconds) = limit.components
    var timeout = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
    let count = io_getevents(context, 1, depth + isArmed.count, events, &timeout)
    guard count >= 0 || count == -EINTR else {
      throw Failure.system(Errno(rawValue: -count), "asynchronous I/O", "cannot collect what is complete")
    }
    return max(0, Int(count))
  }

  /// Gives the answers that the kernel has told.
  func answer(_ count: Int) {
    for index in 0..<count {
      let slot = Int(bitPattern: events[index].data) - 1
      if slot >= depth {
        isArmed[slot - depth] = false
        continue
      }
      inKernel -= 1
      finish(events[index].data, Int(bitPattern: events[index].res))
      if batch.count >= Self.batchLimit, let batch = takeBatch() { settle(batch, handOver(batch)) }
    }
  }

  private func finish(_ data: UnsafeMutableRawPointer?, _ result: Int) {
    let slot = Int(bitPattern: data) - 1
    let answer = answers[slot]
    answers[slot] = nil
    free.append(slot)
    isFull = false
    if !waiting.isEmpty {
      let next = waiting.removeFirst()
      submit(next.request, next.answer)
    }
    answer?.answer(result)
  }
}
