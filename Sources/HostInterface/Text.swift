/// A name for a value that the system picks while a plan runs, such as a target id.
public struct Variable: Sendable, Hashable {
  /// The name, without the `$` that a dry run shows before it.
  public let name: String

  /// Names a variable.
  public init(_ name: String) { self.name = name }
}

/// Text of an operation: literal parts, secrets, and variables that earlier steps bind.
///
/// It is what keeps a plan data: it can be printed before it is run, with secrets masked and variables as `$name`.
public struct Text: Sendable, Hashable {
  enum Piece: Sendable, Hashable {
    case literal(String)
    case secret(Secret)
    case variable(Variable)
  }

  var pieces: [Piece]

  /// Text of one literal.
  public init(_ literal: String) { pieces = [.literal(literal)] }

  /// Text of one secret.
  public init(_ secret: Secret) { pieces = [.secret(secret)] }

  /// The text as it may be shown.
  public var display: String {
    pieces.map { piece in
      switch piece {
      case .literal(let text): text
      case .secret(let secret): secret.description
      case .variable(let variable): "$" + variable.name
      }
    }.joined()
  }

  /// Whether a secret is part of it.
  public var holdsSecret: Bool {
    pieces.contains { if case .secret = $0 { true } else { false } }
  }

  /// The length in bytes of its literals and secrets; a variable counts nothing.
  public var fixedByteCount: Int {
    pieces.reduce(0) { sum, piece in
      switch piece {
      case .literal(let text): sum + text.utf8.count
      case .secret(let secret): sum + secret.count
      case .variable: sum
      }
    }
  }

  /// The bytes to hand to the system.
  ///
  /// - Parameter variables: The values bound so far.
  /// - Throws: ``Failure`` when a variable is not bound, which is a defect of the plan.
  public func bytes(_ variables: [Variable: String]) throws -> [UInt8] {
    if pieces.count == 1, case .literal(let text) = pieces[0] { return Array(text.utf8) }
    var bytes: [UInt8] = []
    for piece in pieces {
      switch piece {
      case .literal(let text): bytes += text.utf8
      case .secret(let secret): secret.withBytes { bytes += $0 }
      case .variable(let variable):
        guard let value = variables[variable] else {
          throw Failure(.invalid, "$\(variable.name)", "the plan uses it before a step binds it")
        }
        bytes += value.utf8
      }
    }
    return bytes
  }

  /// The same as a string; bytes that are no UTF-8 are replaced.
  public func string(_ variables: [Variable: String]) throws -> String {
    String(decoding: try bytes(variables), as: UTF8.self)
  }
}

extension Text: ExpressibleByStringInterpolation {
  /// Collects the parts of an interpolated literal.
  public struct StringInterpolation: StringInterpolationProtocol {
    var pieces: [Piece] = []

    /// Starts an empty text.
    public init(literalCapacity: Int, interpolationCount: Int) {}
    /// Adds literal text.
    public mutating func appendLiteral(_ literal: String) {
      if !literal.isEmpty { pieces.append(.literal(literal)) }
    }
    /// Adds a value's description.
    public mutating func appendInterpolation(_ value: some CustomStringConvertible) {
      pieces.append(.literal(value.description))
    }
    /// Adds a secret, masked in ``Text/display``.
    public mutating func appendInterpolation(_ secret: Secret) { pieces.append(.secret(secret)) }
    /// Adds a variable that an earlier step binds.
    public mutating func appendInterpolation(_ variable: Variable) { pieces.append(.variable(variable)) }
    /// Adds another text with its secrets and variables.
    public mutating func appendInterpolation(_ text: Text) { pieces += text.pieces }
  }

  /// Text from a literal.
  public init(stringLiteral value: String) { self.init(value) }
  /// Text from an interpolated literal.
  public init(stringInterpolation: StringInterpolation) { pieces = stringInterpolation.pieces }

  /// Joins two texts.
  public static func + (left: Text, right: Text) -> Text {
    var sum = left
    sum.pieces += right.pieces
    return sum
  }
}
