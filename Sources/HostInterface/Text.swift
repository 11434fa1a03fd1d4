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

  /// Most texts are one literal, and a plan of ten thousand logical units holds half a million of them.
  private enum Storage: Sendable, Hashable {
    case literal(String)
    case pieces([Piece])
  }

  private var storage: Storage

  /// Text of pieces; literals side by side become one.
  init(_ pieces: [Piece]) {
    var merged: [Piece] = []
    for piece in pieces where piece != .literal("") {
      if case .literal(let text) = piece, case .literal(let before)? = merged.last {
        merged[merged.count - 1] = .literal(before + text)
      } else {
        merged.append(piece)
      }
    }
    switch (merged.first, merged.count) {
    case (nil, _): storage = .literal("")
    case (.literal(let text), 1): storage = .literal(text)
    default: storage = .pieces(merged)
    }
  }

  var pieces: [Piece] {
    get {
      switch storage {
      case .literal(let text): [.literal(text)]
      case .pieces(let pieces): pieces
      }
    }
    set { self = Text(newValue) }
  }

  /// Text of one literal.
  public init(_ literal: String) { storage = .literal(literal) }

  /// Text of one secret.
  public init(_ secret: Secret) { storage = .pieces([.secret(secret)]) }

  /// The text as it may be shown.
  public var display: String {
    if case .literal(let text) = storage { return text }
    return pieces.map { piece in
      switch piece {
      case .literal(let text): text
      case .secret(let secret): secret.description
      case .variable(let variable): "$" + variable.name
      }
    }.joined()
  }

  /// Whether a secret is part of it.
  public var holdsSecret: Bool {
    guard case .pieces(let pieces) = storage else { return false }
    return pieces.contains { if case .secret = $0 { true } else { false } }
  }

  /// The length in bytes of its literals and secrets; a variable counts nothing.
  public var fixedByteCount: Int {
    if case .literal(let text) = storage { return text.utf8.count }
    return pieces.reduce(0) { sum, piece in
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
    if case .literal(let text) = storage { return Array(text.utf8) }
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
    /// The literal that is being put together; most texts never have another piece.
    private var literal = ""

    /// The text so far.
    var text: Text { pieces.isEmpty ? Text(literal) : Text(pieces + [.literal(literal)]) }

    private mutating func append(_ piece: Piece) {
      if !literal.isEmpty { pieces.append(.literal(literal)) }
      literal = ""
      pieces.append(piece)
    }

    /// Starts an empty text.
    public init(literalCapacity: Int, interpolationCount: Int) {}
    /// Adds literal text.
    public mutating func appendLiteral(_ literal: String) {
      self.literal += literal
    }
    /// Adds a value's description.
    public mutating func appendInterpolation(_ value: some CustomStringConvertible) {
      literal += value.description
    }
    /// Adds a secret, masked in ``Text/display``.
    public mutating func appendInterpolation(_ secret: Secret) { append(.secret(secret)) }
    /// Adds a variable that an earlier step binds.
    public mutating func appendInterpolation(_ variable: Variable) { append(.variable(variable)) }
    /// Adds another text with its secrets and variables.
    public mutating func appendInterpolation(_ text: Text) {
      for piece in text.pieces {
        if case .literal(let more) = piece { literal += more } else { append(piece) }
      }
    }
  }

  /// Text from a literal.
  public init(stringLiteral value: String) { self.init(value) }
  /// Text from an interpolated literal.
  public init(stringInterpolation: StringInterpolation) { self = stringInterpolation.text }

  /// Joins two texts.
  public static func + (left: Text, right: Text) -> Text {
    if case .literal(let first) = left.storage, case .literal(let second) = right.storage {
      return Text(first + second)
    }
    return Text(left.pieces + right.pieces)
  }
}
