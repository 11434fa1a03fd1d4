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
  /// What is in flight, by number, with the time of its submission.
  private var inFlight: [Int: (start: Duration, completion: (Failure?) -> Void)] = [:]
  private var submitted = 0

  init(_ device: any BlockDevice, _ record: LegRecord, _ state: State) {
    self.device = device
    self.record = record
    self.state = state
  }

  var index: Int { record.index }
  var isConnected: Bool { if case .dropped = state { false } else { true } }

  func submit(_ request: BlockRequest, at now: Duration, _ completion: @escaping (Failure?) -> Void) {
    let number = begin(at: now, completion)
    device.submit(request) { [self] in end(number, $0) }
  }

  func blockStatus(
    of range: Range<Int>, at now: Duration, _ completion: @escaping (Result<[BlockStatus], Failure>) -> Void
  ) {
    var parts: [BlockStatus] = []
    let number = begin(at: now) { completion($0.map(Result.failure) ?? .success(parts)) }
    device.blockStatus(of: range) { [self] result in
      switch result {
      case .success(let found):
        parts = found
        end(number, nil)
      case .failure(let failure): end(number, failure)
      }
    }
  }

  private func begin(at now: Duration, _ completion: @escaping (Failure?) -> Void) -> Int {
    submitted += 1
    inFlight[submitted] = (now, completion)
    return submitted
  }

  private func end(_ number: Int, _ failure: Failure?) {
    // What was abandoned has had its answer.
    inFlight.removeValue(forKey: number)?.completion(failure)
  }

  /// The time when the oldest request in flight was submitted.
  var oldest: Duration? { inFlight.values.map(\.start).min() }

  /// Lets everything that is in flight fail; what the device still answers is not heard.
  func abandon(_ failure: Failure) {
    let waiting = inFlight.sorted { $0.key < $1.key }
    inFlight = [:]
    for (_, entry) in waiting { entry.completion(failure) }
  }
}
