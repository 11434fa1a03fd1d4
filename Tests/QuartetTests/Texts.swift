import Synchronization

/// Texts that were shown, from any thread.
final class Texts: Sendable {
  private let texts = Mutex<[String]>([])

  func add(_ text: String) { texts.withLock { $0.append(text) } }
  var all: String { texts.withLock { $0.joined(separator: "\n") } }
}
