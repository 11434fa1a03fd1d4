/// A step of a recording that a model answers otherwise than the real thing did.
public struct ReplayDifference: Sendable, Hashable, CustomStringConvertible {
  /// The number of the step.
  public var step: Int
  /// What was asked, and how the answers differ.
  public var description: String

  /// A difference.
  public init(step: Int, description: String) {
    self.step = step
    self.description = description
  }
}
