/// Bytes that must never be shown: a CHAP secret.
///
/// It prints as stars wherever it is interpolated, described, dumped or mirrored, and it is not `Codable`.
public struct Secret: Sendable, Hashable {
  private let storage: [UInt8]

  /// Wraps the bytes of a secret.
  public init(_ bytes: some Sequence<UInt8>) { storage = Array(bytes) }

  /// The length in bytes.
  public var count: Int { storage.count }

  /// Lends the bytes to code that hands them to the system.
  public func withBytes<Result>(_ body: ([UInt8]) throws -> Result) rethrows -> Result { try body(storage) }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// Stars, of a fixed number so that not even the length is told.
  public var description: String { "****" }
  /// The same stars.
  public var debugDescription: String { description }
  /// A mirror without children, so that `dump` shows nothing.
  public var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}
