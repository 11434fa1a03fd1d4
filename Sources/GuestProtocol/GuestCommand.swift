import HostInterface

/// A program that a guest shall run.
public struct GuestCommand: Sendable, Hashable {
  /// The program, looked up in `PATH` of ``environment`` unless it has a slash, and its arguments.
  public var argv: [String]
  /// The whole environment, as `NAME=VALUE`.
  public var environment: [String]
  /// Where it starts.
  public var directory: String

  /// A command.
  public init(argv: [String], environment: [String], directory: String) {
    self.argv = argv
    self.environment = environment
    self.directory = directory
  }

  /// The command as a ``Frame/Kind/run`` message carries it: directory, number of arguments, arguments and
  /// environment, each ended by a null byte.
  ///
  /// - Throws: ``Failure/Code/invalid`` when a part has a null byte, there is no program, or all is too long.
  public func payload() throws -> [UInt8] {
    let parts = [directory, "\(argv.count)"] + argv + environment
    guard !argv.isEmpty, !parts.contains(where: { $0.utf8.contains(0) }) else {
      throw Failure(.invalid, argv.first ?? "command", "has a null byte in it, or names no program")
    }
    var bytes: [UInt8] = []
    for part in parts { bytes += Array(part.utf8) + [0] }
    guard bytes.count <= Frame.payloadLimit else {
      throw Failure(
        .invalid, argv[0], "has too long arguments (\(bytes.count) bytes, at most \(Frame.payloadLimit))")
    }
    return bytes
  }

  /// The command that a payload carries; nil when it carries none.
  public init?(payload: [UInt8]) {
    let parts = payload.split(separator: 0, omittingEmptySubsequences: false).dropLast().map {
      String(decoding: $0, as: UTF8.self)
    }
    guard parts.count >= 3, let count = Int(parts[1]), count > 0, count <= parts.count - 2 else { return nil }
    directory = parts[0]
    argv = Array(parts[2..<2 + count])
    environment = Array(parts[(2 + count)...])
  }
}
