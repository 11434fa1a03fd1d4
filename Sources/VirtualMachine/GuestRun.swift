import HostInterface
import Synchronization

/// What a command in a guest printed, and how it ended.
final class GuestRun: Sendable {
  private static let outputLimit = 16 << 20
  private static let errorLimit = 64 << 10

  private struct Printed {
    var output: [UInt8] = []
    var errors: [UInt8] = []
    var cut = false
  }
  private let printed = Mutex(Printed())
  private let observe: @Sendable (Guest.Stream, [UInt8]) -> Void

  /// The exit status; nil when the machine ended first.
  let ended = Promise<Int32?>()

  init(_ observe: @escaping @Sendable (Guest.Stream, [UInt8]) -> Void) { self.observe = observe }

  /// Takes what arrived, in the order of arrival.
  func received(_ stream: Guest.Stream, _ bytes: [UInt8]) {
    printed.withLock { printed in
      switch stream {
      case .output:
        printed.cut = printed.cut || printed.output.count + bytes.count > Self.outputLimit
        printed.output += bytes.prefix(Self.outputLimit - printed.output.count)
      case .errors: printed.errors += bytes.prefix(Self.errorLimit - printed.errors.count)
      }
    }
    observe(stream, bytes)
  }

  /// The result of a command that ended with this status.
  func result(_ name: String, status: Int32) throws -> CommandResult {
    try printed.withLock { printed in
      guard !printed.cut else {
        throw Failure(.garbled, name, "printed more than \(Self.outputLimit) bytes in the guest")
      }
      return CommandResult(
        status: status, output: printed.output, errors: String(decoding: printed.errors, as: UTF8.self))
    }
  }
}
