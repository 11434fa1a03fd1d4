import HostInterface

/// One rule that every backend keeps, as a test.
///
/// ```swift
/// @Test(arguments: Conformance.cases)
/// func conforms(_ rule: ConformanceCase) async throws {
///   if case .skipped(let reason) = try await rule.run(world()) { try Test.cancel("\(reason)") }
/// }
/// ```
public struct ConformanceCase: Sendable, CustomStringConvertible {
  /// How a case ended that did not fail.
  public enum Outcome: Sendable, Hashable {
    /// The rule holds.
    case passed
    /// The rule is about what this implementation or this world does not have.
    case skipped(String)
  }

  /// The rule, such as `kill: a target that is being created`.
  public let name: String
  private let body: @Sendable (Trial) async throws -> Void

  init(_ name: String, _ body: @escaping @Sendable (Trial) async throws -> Void) {
    self.name = name
    self.body = body
  }

  /// The name.
  public var description: String { name }

  /// Tries the rule in a world, which is reset before.
  ///
  /// - Throws: ``ConformanceFailure`` when the rule is broken.
  public func run(_ world: ConformanceWorld) async throws -> Outcome {
    do {
      try await world.reset()
      try await body(Trial(world))
      return .passed
    } catch let skip as Skip {
      return .skipped(skip.reason)
    } catch let failure as Failure {
      throw ConformanceFailure("an operation failed that should not: \(failure)", failure.leftovers)
    }
  }
}

/// A rule that a backend breaks.
public struct ConformanceFailure: Error, CustomStringConvertible {
  /// What was expected and what came.
  public let description: String

  init(_ sentence: String, _ details: [String] = []) {
    description = ([sentence] + details.map { "  " + $0 }).joined(separator: "\n")
  }
}

/// Ends a case that is about what is not there.
struct Skip: Error {
  var reason: String
}

/// The conformance suite: rules that hold over all implementations.
public enum Conformance {
  /// Every case, each independent of the others.
  public static let cases: [ConformanceCase] =
    lifecycle + inverses + readBack + refusals + objects + documents + order + faults + writers
}
