import HostInterface
import Synchronization
import SystemPackage

extension SimulatedHost {
  /// The virtual time since the machine was made.
  public var now: Duration { machine.withLock(\.now) }

  /// Lets something happen by itself when the clock has moved on; at the same time, in the order of these calls.
  public func perform(after delay: Duration, _ action: @escaping @Sendable (SimulatedHost) -> Void) {
    machine.withLock { machine in
      machine.events.append(Event(time: machine.now + delay, order: machine.eventCount, action: action))
      machine.eventCount += 1
    }
  }

  /// Moves the clock, and does what was to happen meanwhile.
  public func advance(by duration: Duration) {
    let end = now + duration
    while let action = nextAction(until: end) { action(self) }
    machine.withLock { $0.now = max($0.now, end) }
  }

  private func nextAction(until end: Duration) -> (@Sendable (SimulatedHost) -> Void)? {
    machine.withLock { machine in
      let first = machine.events.indices.min {
        (machine.events[$0].time, machine.events[$0].order) < (
          machine.events[$1].time, machine.events[$1].order
        )
      }
      guard let first, machine.events[first].time <= end else { return nil }
      let event = machine.events.remove(at: first)
      machine.now = max(machine.now, event.time)
      return event.action
    }
  }

  /// Moves the clock; throws when the task is cancelled.
  public func sleep(_ duration: Duration) async throws {
    guard !Task.isCancelled else { throw Failure(.interrupted, "a wait of \(duration)", "was interrupted") }
    advance(by: duration)
    await Task.yield()
  }

  /// Moves the clock from one event to the next until something is at the path, or is gone from it.
  public func waitForPath(_ path: FilePath, exists: Bool, limit: Duration) async throws {
    let end = now + limit
    while try (status(path) != nil) != exists {
      guard !Task.isCancelled else {
        throw Failure(.interrupted, "\(path)", "interrupted while waiting for it")
      }
      if let action = nextAction(until: end) {
        action(self)
      } else {
        advance(by: max(.zero, end - now))
        throw Failure(
          .timedOut, "\(path)", exists ? "is not there after \(limit)" : "is still there after \(limit)")
      }
    }
  }

  /// Takes a lock.
  ///
  /// Another task that holds it works in real time, whatever the virtual clock says. So this one looks again every
  /// real millisecond, as often as the limit has milliseconds but at most 2000 times, and then the virtual limit is
  /// over. It counts rather than looks at a clock, since on a busy machine the holder gets no further either.
  ///
  /// - Throws: ``Failure/Code/locked`` at the limit, ``Failure/Code/interrupted`` when the task is cancelled.
  public func lock(_ name: String, limit: Duration) async throws -> any HostLock {
    guard !name.isEmpty, !name.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == 0 }) else {
      throw Failure(.invalid, "lock \(name)", "a lock's name has at least one character and no slash")
    }
    var looks = Int(min(limit, .seconds(2)) / .milliseconds(1))
    while !machine.withLock({ $0.locks.insert(name).inserted }) {
      looks -= 1
      guard looks >= 0 else {
        advance(by: limit)
        throw Failure(
          .locked, "lock \(name)", "is held by pid 4711 (quartet), waited \(limit) for it",
          remedy: "wait for that process to end")
      }
      do {
        try await Task.sleep(for: .milliseconds(1))
      } catch {
        throw Failure(.interrupted, "lock \(name)", "interrupted while waiting for it")
      }
    }
    return SimulatedLock(host: self, name: name)
  }
}

/// A lock that a task holds.
private final class SimulatedLock: HostLock {
  private let host: SimulatedHost
  private let name: String
  private let held = Atomic(true)

  init(host: SimulatedHost, name: String) {
    self.host = host
    self.name = name
  }

  func release() {
    // Only once: the name may be another task's by the second call.
    guard held.exchange(false, ordering: .sequentiallyConsistent) else { return }
    host.machine.withLock { machine in _ = machine.locks.remove(name) }
  }
}
