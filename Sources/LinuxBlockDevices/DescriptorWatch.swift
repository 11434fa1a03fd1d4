import Glibc

/// What a descriptor is ready for, by poll(2)'s names and numbers.
package struct PollEvents: OptionSet, Sendable {
  package let rawValue: Int32
  package init(rawValue: Int32) { self.rawValue = rawValue }

  /// POLLIN: there is something to read, or somebody to accept.
  package static let input = PollEvents(rawValue: POLLIN)
  /// POLLOUT: writing does not wait.
  package static let output = PollEvents(rawValue: POLLOUT)
  /// POLLERR: the descriptor is broken; told without being asked for.
  package static let error = PollEvents(rawValue: POLLERR)
  /// POLLHUP: the other end is gone; told without being asked for.
  package static let hangUp = PollEvents(rawValue: POLLHUP)
}

/// A descriptor for which an ``AIOLoop`` waits together with its requests.
///
/// The body is called again and again as long as the descriptor is ready for what is asked, as with poll(2).
package final class DescriptorWatch {
  /// What is waited for; nothing at all when it is empty, not even a broken descriptor.
  package var events: PollEvents {
    didSet { if events != oldValue { update() } }
  }

  let descriptor: Int32
  private weak var loop: AIOLoop?
  /// Nil once it is cancelled.
  private var body: ((PollEvents) -> Void)?

  init(_ loop: AIOLoop, _ descriptor: Int32, _ events: PollEvents, _ body: @escaping (PollEvents) -> Void) {
    self.loop = loop
    self.descriptor = descriptor
    self.events = events
    self.body = body
    update()
  }

  /// Ends the watch; the body is not called any more.
  ///
  /// To be called before the descriptor is closed.
  package func cancel() {
    body = nil
    update()
  }

  private func update() {
    guard let loop else { return }
    if body == nil || events.isEmpty { return loop.descriptors.remove(self) }
    guard !loop.descriptors.set(self) else { return }
    // A descriptor that cannot be waited for: that is told once, and whoever uses it sees why.
    loop.schedule(after: .zero) { [self] in
      let last = body
      cancel()
      last?(.error)
    }
  }

  /// Tells what the descriptor is ready for, if that is still asked.
  func tell(_ found: PollEvents) {
    // The kernel tells more than was asked for, as POLLRDNORM.
    let found = found.intersection([events, .error, .hangUp])
    if !events.isEmpty, !found.isEmpty { body?(found) }
  }
}

extension AIOLoop {
  /// Waits for a descriptor together with the requests, until that is cancelled.
  ///
  /// - Parameters:
  ///   - descriptor: A socket, pipe or eventfd, which stays open as long as it is watched, and has one watch.
  ///   - events: What to wait for; ``PollEvents/error`` and ``PollEvents/hangUp`` are always told.
  ///   - body: Called, as the answers to requests are, with what the descriptor is ready for.
  package func watch(
    _ descriptor: Int32, for events: PollEvents, _ body: @escaping (PollEvents) -> Void
  ) -> DescriptorWatch {
    DescriptorWatch(self, descriptor, events, body)
  }
}
