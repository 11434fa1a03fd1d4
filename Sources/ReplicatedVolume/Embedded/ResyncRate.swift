import HostInterface

/// How many bytes a second a resync of an embedded pool copies at most.
public struct ResyncRate: Sendable, Hashable, CustomStringConvertible {
  /// The bytes a second; nil for as many as it can.
  public let limit: Int?

  /// A rate as a pool's description has it.
  public init(limit: Int?) { self.limit = limit }

  /// Reads a number of bytes such as 50M, or `none`.
  ///
  /// - Throws: ``Failure`` with code `invalid`.
  public init(_ text: String) throws {
    do {
      limit = text == "none" ? nil : Int(try VolumeSize.byteCount(text))
    } catch var failure as Failure {
      failure.subject = "resync rate \(shown(text))"
      failure.remedy = "write it like 50M, or none for no limit"
      throw failure
    }
  }

  /// The rate as it is written, without a unit.
  public var description: String { limit.map(String.init) ?? "none" }
  /// The rate in words.
  public var words: String { limit.map { "\($0) bytes a second" } ?? "no limit" }
}
