import BlockEngine

/// Time that goes on only from one scheduled call to the next.
///
/// Calls at the same time come in the order in which they were scheduled, so that a run follows from its seed alone.
package final class SimulatedClock: EngineClock {
  private struct Entry {
    let time: Duration
    let order: Int
    let call: ScheduledCall

    func isBefore(_ other: Entry) -> Bool { time == other.time ? order < other.order : time < other.time }
  }

  package private(set) var now: Duration = .zero
  /// A binary heap with the next call first.
  private var heap: [Entry] = []
  private var scheduled = 0

  /// A clock at zero.
  package init() {}

  @discardableResult
  package func schedule(after delay: Duration, _ body: @escaping () -> Void) -> ScheduledCall {
    let call = ScheduledCall(body)
    scheduled += 1
    heap.append(Entry(time: now + max(delay, .zero), order: scheduled, call: call))
    var child = heap.count - 1
    while child > 0, heap[child].isBefore(heap[(child - 1) / 2]) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
    return call
  }

  /// Makes the next call; false when there is none.
  package func step() -> Bool {
    while let entry = takeFirst() {
      guard entry.call.body != nil else { continue }
      now = entry.time
      entry.call.fire()
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
  package func cancelAll() { heap.removeAll() }

  private func takeFirst() -> Entry? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    guard !heap.isEmpty else { return first }
    heap[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < heap.count && heap[child].isBefore(heap[least]) {
        least = child
      }
      if least == parent { return first }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}
