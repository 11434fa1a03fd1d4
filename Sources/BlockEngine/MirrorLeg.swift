import HostInterface

/// A leg that is, or was, part of an open mirror: its device, and what is in flight there.
final class MirrorLeg {
  enum State: Equatable {
    case upToDate
    /// It is being brought up to date; it gets every write, and no read.
    case syncTarget
    case dropped(Failure)
  }

  let device: any BlockDevice
  var record: LegRecord
  var state: State
  private struct Entry {
    /// Counts all that were submitted.
    let number: Int
    let start: Duration
    let completion: (Failure?) -> Void
  }

  /// What is in flight, in slots that are used again.
  private var inFlight: [Entry?] = []
  private var free: [Int] = []
  private var submitted = 0

  init(_ device: any BlockDevice, _ record: LegRecord, _ state: State) {
    self.device = device
    self.record = record
    self.state = state
  }

  var index: Int { record.index }
  var isConnected: Bool { if case .dropped = state { false } else { true } }

  func submit(_ request: BlockRequest, at now: Duration, _ completion: @escaping (Failure?) -> Void) {
    let entry = begin(at: now, completion)
    device.submit(request) { [self] in end(entry, $0) }
  }

  func blockStatus(
    of range: Range<Int>, at now: Duration, _ completion: @escaping (Result<[BlockStatus], Failure>) -> Void
  ) {
    var parts: [BlockStatus] = []
    let entry = begin(at: now) { completion($0.map(Result.failure) ?? .success(parts)) }
    device.blockStatus(of: range) { [self] result in
      switch result {
      case .success(let found):
        parts = found
        end(entry, nil)
      case .failure(let failure): end(entry, failure)
      }
    }
  }

  private func begin(
    at now: Duration, _ completion: @escaping (Failure?) -> Void
  ) -> (slot: Int, number: Int) {
    submitted += 1
    let entry = Entry(number: submitted, start: now, completion: completion)
    if let slot = free.popLast() {
      inFlight[slot] = entry
      return (slot, submitted)
    }
    inFlight.append(entry)
    return (inFlight.count - 1, submitted)
  }

  private func end(_ entry: (slot: Int, number: Int), _ failure: Failure?) {
    // What was abandoned has had its answer, and its slot may be another's.
    guard let found = inFlight[entry.slot], found.number == entry.number else { return }
    inFlight[entry.slot] = nil
    free.append(entry.slot)
    found.completion(failure)
  }

  /// The time when the oldest request in flight was submitted.
  var oldest: Duration? { inFlight.compactMap { $0?.start }.min() }

  /// Lets everything that is in flight fail; what the device still answers is not heard.
  func abandon(_ failure: Failure) {
    let waiting = inFlight.compactMap { $0 }.sorted { $0.number < $1.number }
    for slot in inFlight.indices where inFlight[slot] != nil {
      inFlight[slot] = nil
      free.append(slot)
    }
    for entry in waiting { entry.completion(failure) }
  }
}
