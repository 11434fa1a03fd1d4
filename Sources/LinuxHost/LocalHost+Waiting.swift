import HostInterface
import SystemPackage

extension LocalHost {
  /// Waits until something is at the path, or is gone from it.
  ///
  /// Under /dev, where udevd runs, each of its events about a block device ends a pause early; elsewhere the
  /// path is looked at after 5 ms and then at intervals that grow to 100 ms.
  public func waitForPath(_ path: FilePath, exists: Bool, limit: Duration) async throws {
    // Before the first look, so that no event between the look and the wait is lost.
    let events = path.starts(with: "/dev") ? try BlockDeviceEvents() : nil
    let deadline = ContinuousClock.now + limit
    var pause = Duration.milliseconds(5)
    while try (status(path) != nil) != exists {
      let left = deadline - .now
      guard left > .zero else {
        throw Failure(
          .timedOut, "\(path)", exists ? "is not there after \(limit)" : "is still there after \(limit)")
      }
      if let events {
        guard !Task.isCancelled else {
          throw Failure(.interrupted, "\(path)", "interrupted while waiting for it")
        }
        events.waitForOne(atMost: min(left, pause))
        await Task.yield()
      } else {
        try await sleep(min(left, pause))
      }
      pause = min(pause * 2, .milliseconds(100))
    }
  }

  /// Sleeps; a cancelled task ends it with ``Failure/Code/interrupted``.
  public func sleep(_ duration: Duration) async throws {
    do {
      try await Task.sleep(for: duration)
    } catch {
      throw Failure(.interrupted, "a wait of \(duration)", "was interrupted")
    }
  }
}
