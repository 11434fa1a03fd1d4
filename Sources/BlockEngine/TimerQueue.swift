/// Calls that are to come, by their time; calls of the same time in the order in which they were added.
package struct TimerQueue {
  private struct Entry {
    let time: Duration
    let order: Int
    let call: ScheduledCall

    func isBefore(_ other: Entry) -> Bool { time == other.time ? order < other.order : time < other.time }
  }

  /// A binary heap with the next call first.
  private var heap: [Entry] = []
  private var added = 0

  /// No calls.
  package init() {}

  /// The time of the next call, which may be cancelled.
  package var next: Duration? { heap.first?.time }

  /// Adds a call.
  package mutating func add(_ call: ScheduledCall, at time: Duration) {
    added += 1
    heap.append(Entry(time: time, order: added, call: call))
    var child = heap.count - 1
    while child > 0, heap[child].isBefore(heap[(child - 1) / 2]) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  /// Takes the next call, with its time.
  package mutating func takeFirst() -> (time: Duration, call: ScheduledCall)? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    if heap.isEmpty { return (first.time, first.call) }
    heap[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < heap.count && heap[child].isBefore(heap[least]) {
        least = child
      }
      if least == parent { return (first.time, first.call) }
      heap.swapAt(parent, least)
      parent = least
    }
  }

  /// Forgets every call.
  package mutating func removeAll() { heap.removeAll() }
}
