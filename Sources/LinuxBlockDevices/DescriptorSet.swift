import CLibAIO
import Glibc
import HostInterface
import SystemPackage

/// The descriptors that a loop waits for, by epoll(7).
final class DescriptorSet {
  /// Some descriptor that is ready, and for what.
  struct Found {
    fileprivate let number: UInt64
    fileprivate let events: PollEvents
  }

  /// Ready for reading when some of them is ready.
  let epoll: Int32
  private var watches: [UInt64: DescriptorWatch] = [:]
  /// The number of the watch that each descriptor has.
  private var numbers: [Int32: UInt64] = [:]
  private var lastNumber: UInt64 = 0
  /// How many are told at once.
  private static let most = 64

  init() throws {
    epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard epoll >= 0 else {
      throw Failure.system(Errno(rawValue: errno), "engine", "cannot make a set of descriptors to wait for")
    }
  }

  deinit { close(epoll) }

  var isEmpty: Bool { watches.isEmpty }

  /// Waits for what a watch asks for from now on; false when the descriptor cannot be waited for.
  func set(_ watch: DescriptorWatch) -> Bool {
    let known = numbers[watch.descriptor].flatMap { watches[$0] === watch ? $0 : nil }
    if known == nil { lastNumber += 1 }
    let number = known ?? lastNumber
    var event = epoll_event()
    event.events = UInt32(watch.events.rawValue)
    event.data.u64 = number
    guard epoll_ctl(epoll, known == nil ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, watch.descriptor, &event) == 0 else {
      return false
    }
    // A number whose descriptor was closed may be another's now; the kernel has forgotten the former one.
    if known == nil, let former = numbers[watch.descriptor] { watches[former] = nil }
    (watches[number], numbers[watch.descriptor]) = (watch, number)
    return true
  }

  func remove(_ watch: DescriptorWatch) {
    guard let number = numbers[watch.descriptor], watches[number] === watch else { return }
    (watches[number], numbers[watch.descriptor]) = (nil, nil)
    var unused = epoll_event()
    // It fails where the descriptor is closed already, which ends the waiting as well.
    epoll_ctl(epoll, EPOLL_CTL_DEL, watch.descriptor, &unused)
  }

  /// Forgets all of them.
  func removeAll() {
    for watch in watches.values { remove(watch) }
  }

  /// Waits until some are ready, but not longer than this; touches nothing but the kernel's set.
  func wait(atMost limit: Duration) -> [Found] {
    withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: Self.most) { events in
      let (seconds, attoseconds) = limit.components
      // Rounded up, so that a timer is due afterwards.
      let milliseconds = seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
      let count = epoll_wait(
        epoll, events.baseAddress, Int32(events.count), Int32(clamping: milliseconds))
      // It fails when a signal comes, and then nothing is ready.
      return events.prefix(max(0, Int(count))).map {
        Found(number: $0.data.u64, events: PollEvents(rawValue: Int32(truncatingIfNeeded: $0.events)))
      }
    }
  }

  /// Calls the bodies of those that are watched still.
  func tell(_ found: [Found]) {
    for one in found { watches[one.number]?.tell(one.events) }
  }
}
